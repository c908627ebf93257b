"""Numbers of identity documents: which are possible, and what they are good for.

Citizen form (GB 11643-1999): region 6, birth 8, sequence 3, check character by ISO 7064 MOD 11-2. Residents
from Hong Kong (81), Macau (82) and Taiwan (83) and foreigners with permanent residence (first digit 9, since
2023) have numbers of the same form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .errors import Rejected

_CITIZEN = re.compile(r"\A[0-9]{17}[0-9X]\Z")
_CITIZEN_OLD = re.compile(r"\A[0-9]{15}\Z")
_PERMANENT_OLD = re.compile(r"\A[A-Z]{3}[0-9]{12}\Z")
_PERMIT = re.compile(r"\A(?:[HM][0-9]{8}(?:[0-9]{2})?|[0-9]{8}|[0-9]{10})\Z")
_PASSPORT = re.compile(r"\A(?=[A-Z0-9]*[0-9])[A-Z0-9]{5,12}\Z")
_SCIENTIFIC = re.compile(r"\A[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,2}\Z")

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"
_PROVINCES = frozenset(
    str(code)
    for codes in ((11, 16), (21, 24), (31, 38), (41, 47), (50, 55), (61, 66), (71, 72), (81, 84))
    for code in range(*codes)
)
"""First two digits by GB/T 2260, with 81 to 83 for residents from Hong Kong, Macau and Taiwan."""
_OLDEST_BIRTH_YEAR = 1900


@dataclass(frozen=True, slots=True, repr=False)
class IdNumber:
    """An accepted number in its one form. ``warning`` is for the clerk, not a refusal."""

    number: str
    permanent: bool = False
    """A foreigner's permanent residence number."""
    warning: str | Promise = ""

    def __repr__(self) -> str:
        return "IdNumber(…)"


def parse_id_number(raw: str, *, today: date, lenient: bool = False) -> IdNumber:
    """Accept an identity number of 18 characters (or the old permanent residence form of 15 with letters).

    ``lenient`` is for files that people made: spaces and hyphens inside are dropped. Only half-width
    characters are accepted, so no look-alike of X gets in. Raises ``Rejected`` with the reason (items 34-43).
    """
    if not isinstance(raw, str):
        raise Rejected(_("身份证号码必须是文字，不是数值"))
    if len(raw) > 100:
        raise Rejected(_("身份证号码应为 18 位"))
    if _SCIENTIFIC.match(raw):
        raise Rejected(_("身份证号码被表格软件改成了科学计数法，请把该列设为文本后重新填写"))
    number = (re.sub(r"[ \-]", "", raw) if lenient else raw).upper() if raw.isascii() else raw
    if _PERMANENT_OLD.match(number):
        return IdNumber(number, permanent=True)
    _check_form(number)
    _check_content(number, today=today)
    permanent = number[0] == "9"
    known = (number[1:3] if permanent else number[:2]) in _PROVINCES
    return IdNumber(number, permanent, "" if known else _("身份证号码的地区代码不在已知范围内，请核对"))


def parse_document_number(raw: str, *, passport: bool) -> str:
    """Accept a passport number, or a travel permit of Hong Kong, Macau or Taiwan. Raises ``Rejected``."""
    number = raw.upper() if isinstance(raw, str) and raw.isascii() else ""
    if not (_PASSPORT if passport else _PERMIT).match(number):
        raise Rejected(_("护照号码格式不正确") if passport else _("通行证号码格式不正确"))
    return number


def check_character(first17: str) -> str:
    """Compute the 18th character of a number in citizen form (ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True))
    return _CHECK_CHARACTERS[total % 11]


def default_pin(number: str, *, x_as: str = "") -> str | None:
    """The initial password (guide L131, R068): the last six digits, an X at the end dropped.

    ``x_as`` is another school's rule: "1" or "0" stands for the X instead of dropping it. Returns ``None``
    for documents that are not in citizen form (passports, travel permits): they get a random password on a
    slip.
    """
    number = number.upper()
    if not (_CITIZEN.match(number) or _CITIZEN_OLD.match(number)):
        return None
    if number.endswith("X"):
        number = number[:-1] + x_as
    return number[-6:]


def _check_form(number: str) -> None:
    if _CITIZEN_OLD.match(number):
        raise Rejected(_("这是 15 位旧号码，请提供 18 位身份证号码"))
    if not number.isascii():
        raise Rejected(_("身份证号码只能用半角数字和字母 X"))
    if len(number) != 18:
        raise Rejected(_("身份证号码应为 18 位"))
    if not _CITIZEN.match(number):
        raise Rejected(_("身份证号码前 17 位应为数字，末位为数字或 X"))


def _check_content(number: str, *, today: date) -> None:
    if number[14:17] == "000":
        raise Rejected(_("身份证号码的顺序码不正确"))
    try:
        born_on = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise Rejected(_("身份证号码中的出生日期不存在")) from None
    if born_on.year < _OLDEST_BIRTH_YEAR or born_on > today:
        raise Rejected(_("身份证号码中的出生日期不合理"))
    if check_character(number[:17]) != number[17]:
        raise Rejected(_("身份证号码的校验位不正确"))
