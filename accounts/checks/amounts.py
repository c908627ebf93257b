"""Amounts that people type, refused in the reader's language. The parser, ``purse.money``, knows only its own."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.checks.errors import Rejected
from purse.money import AmountError, parse_yuan

SENTENCES = {
    "金额过长，请重新输入": _("金额过长，请重新输入"),
    "请输入金额": _("请输入金额"),
    "金额最多两位小数": _("金额最多两位小数"),
    "金额格式不正确，请输入如 12.50 的数字": _("金额格式不正确，请输入如 12.50 的数字"),
    "金额必须大于 0": _("金额必须大于 0"),
    "金额超过系统上限 100000.00 元": _("金额超过系统上限 100000.00 元"),
}
"""What the parser says of an amount that a person typed."""


def parse_amount(text: str) -> int:
    """Yuan as typed, in fen (1 … 10,000,000). Raises ``Rejected``."""
    try:
        return parse_yuan(text)
    except AmountError as error:
        raise Rejected(SENTENCES[str(error)]) from None
