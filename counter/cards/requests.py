"""How the request to pay an account out reads where two people agree."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.approvals import RequestRow
from counter.cards.words import WAYS
from counter.oversight.kinds import Fact, Kind, register
from counter.people.words import money
from reconciliation.closing import REQUEST


def _facts(row: RequestRow) -> list[Fact]:
    content = row.content
    names = (("book_fen", _("库余额")), ("unclaimed_fen", _("待领")), ("deposit_fen", _("押金")))
    lines = [Fact(label, money(content[name])) for name, label in names]
    return [*lines, Fact(_("合计"), money(row.amount_fen)), Fact(_("退款方式"), WAYS[content["way"]])]


def _resume(row: RequestRow) -> str:
    return reverse("counter:close_account", kwargs={"account_id": row.account_id})


register(
    Kind(
        name=REQUEST,
        label=_("销户退款"),
        facts=_facts,
        resume=_resume,
        effect=_("同意后由柜台付款：卡片收回或作废，账户销户。金额再变，这次同意就作废。"),
    )
)
