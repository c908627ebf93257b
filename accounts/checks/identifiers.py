"""The two numbers a holder is known by: the 5-digit account number and the school number.

One fixed rule tells them apart: exactly five digits are an account number, everything else is a school
number. Therefore no school number of five digits is accepted (reliability.md section 7, item 65).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from .errors import Rejected

_ACCOUNT = re.compile(r"\A[1-9][0-9]{4}\Z")
_FIVE_DIGITS = re.compile(r"\A[0-9]{5}\Z")
_SCHOOL = re.compile(r"\A[0-9A-Za-z]{4,20}\Z")


@dataclass(frozen=True, slots=True)
class AccountNumber:
    """The five digits on every receipt (guide L39), 10000 to 99999."""

    value: int


@dataclass(frozen=True, slots=True)
class SchoolNumber:
    """Student or staff number, upper case."""

    value: str


def parse_account_number(raw: str) -> AccountNumber:
    """Accept exactly five half-width digits from 10000; nothing is trimmed. Raises ``Rejected``."""
    if not isinstance(raw, str) or not _ACCOUNT.match(raw):
        raise Rejected(_("帐号是票据上的 5 位数字"))
    return AccountNumber(int(raw))


def parse_school_number(raw: str) -> SchoolNumber:
    """Accept 4 to 20 half-width letters and digits, but not five digits alone. Raises ``Rejected``."""
    if not isinstance(raw, str) or not _SCHOOL.match(raw):
        raise Rejected(_("学号或工号由 4 至 20 位半角字母和数字组成"))
    if _FIVE_DIGITS.match(raw):
        raise Rejected(_("学号或工号不能是 5 位数字，会与帐号混淆"))
    return SchoolNumber(raw.upper())


def parse_identifier(raw: str) -> AccountNumber | SchoolNumber:
    """Accept either number by the fixed rule of this module. Raises ``Rejected``."""
    if isinstance(raw, str) and _FIVE_DIGITS.match(raw):
        return parse_account_number(raw)
    return parse_school_number(raw)
