"""A receipt line by line, as a thermal printer prints it (screens.md 6.4), in the language of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.timezone import localtime
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from purse.capitals import capitals
from purse.money import yuan
from transactions.services.escpos import Align, Line

_RULE = Line("-" * 32, align=Align.CENTRE)


def lines(receipt: Any, *, code: str, copy_no: int) -> list[Line]:
    """Everything that the paper says. ``copy_no`` 0 is the original."""
    return [*_head(receipt, copy_no), *_facts(receipt), *_money(receipt), *_tail(receipt, code)]


def _head(receipt: Any, copy_no: int) -> Iterator[Line]:
    yield Line(_("校园智能卡管理中心"), align=Align.CENTRE)
    yield Line(str(receipt.get_kind_display()), align=Align.CENTRE, big=True)
    if copy_no:
        yield Line(_("副本 COPY 第 %(no)s 次补打") % {"no": copy_no}, align=Align.CENTRE)
    if getattr(receipt, "voided_by", None) is not None:
        yield Line(_("已撤销，见 %(number)s") % {"number": receipt.voided_by.number}, align=Align.CENTRE)
    yield _RULE


def _facts(receipt: Any) -> Iterator[Line]:
    english = (get_language() or "").startswith("en")
    yield Line(_("票号"), receipt.number)
    yield Line(_("时间"), f"{localtime(receipt.issued_at):%Y-%m-%d %H:%M:%S}")
    yield Line(_("地点"), receipt.place_en if english and receipt.place_en else receipt.place_zh)
    if receipt.shift is not None:
        yield Line(_("班次"), f"{receipt.shift.drawer.code}/{receipt.shift.no}")
    yield Line(_("收银员"), receipt.officer_name)
    yield Line(_("帐号"), f"{receipt.account_number:05d}")
    yield Line(_("持卡人"), receipt.holder_masked)
    if receipt.reason:
        yield Line(_("项目"), receipt.reason)
    if receipt.voids is not None:
        yield Line(_("撤销票号"), receipt.voids.number)


def _money(receipt: Any) -> Iterator[Line]:
    yield _RULE
    yield Line(_("金额"), yuan(receipt.fen), big=True)
    yield Line(_("大写"), capitals(receipt.fen))
    yield Line(_("账户余额"), f"{yuan(receipt.book_before_fen)} → {yuan(receipt.book_after_fen)}")
    if receipt.card_before_fen is not None and receipt.card_after_fen is not None:
        yield Line(_("卡片余额"), f"{yuan(receipt.card_before_fen)} → {yuan(receipt.card_after_fen)}")


def _tail(receipt: Any, code: str) -> Iterator[Line]:
    yield _RULE
    yield Line(_("校验码"), code)
    yield Line(_("请核对并妥善保管；电话挂失时用 5 位帐号。"))
