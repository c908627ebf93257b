"""Numbers of bank cards: which are possible, which a holder may bind, what may be shown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected

_NUMBER = re.compile(r"\A[0-9]{16,19}\Z")
_GAPS = re.compile(r"(?<=[0-9])[ -](?=[0-9])")


def parse_bank_card(raw: str, *, savings_bins: Sequence[str]) -> str:
    """Accept 16 to 19 half-width digits with a right check digit that begin like a savings card of the bank.

    Single blanks and hyphens between digits, as they stand on the card, are dropped. Raises ``Rejected``; never
    repeats what was typed.
    """
    number = _GAPS.sub("", raw) if isinstance(raw, str) and raw.isascii() and len(raw) <= 40 else ""
    if not _NUMBER.match(number):
        raise Rejected(_("银行卡号应为 16 至 19 位半角数字"))
    if not passes_luhn(number):
        raise Rejected(_("银行卡号的校验位不正确，请对照卡面重新输入"))
    if not any(number.startswith(prefix) for prefix in savings_bins):
        raise Rejected(_("这不是签约银行的储蓄卡，不能绑定"))
    return number


def passes_luhn(number: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def masked(first_four: str, last_four: str) -> str:
    """``6217 **** **** 0017``, whatever its length."""
    return f"{first_four} **** **** {last_four}"
