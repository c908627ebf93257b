"""The cashier's deed that takes two people, as the second one reads it: a cash top-up taken back (K03)."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.approvals import RequestRow
from counter.oversight import kinds
from counter.oversight.kinds import Fact, Kind
from purse.money import yuan
from terminals.services.cashwork import VOID_KIND
from transactions import selectors_cash


def facts(row: RequestRow) -> Sequence[Fact]:
    """Which receipt, whose, how much goes back."""
    return (
        Fact(_("票号"), str(row.content["receipt"])),
        Fact(_("帐号"), f"{row.content['account']:05d}"),
        Fact(_("退还现金"), f"¥{yuan(row.content['fen'])}"),
    )


def resume(row: RequestRow) -> str:
    """The page of the receipt, where the cashier has the card put on the reader."""
    series, _dash, no = str(row.content["receipt"]).partition("-")
    receipt = selectors_cash.receipt_by_number(series, int(no))
    return reverse("counter:receipt", args=[receipt.pk]) if receipt else reverse("counter:cash")


kinds.register(
    Kind(
        VOID_KIND,
        _("撤销充值"),
        facts,
        resume=resume,
        effect=_("同意后，收银员请持卡人放卡：库和卡一起减去这笔充值，另出撤销票，再退现金。"),
    )
)
