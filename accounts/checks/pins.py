"""Six digits that may become a password: the strict form, and the list of those that guessers try first.

About a tenth of the space is refused: people choose few of the million values, and small lists do nothing
(security.md section 4; the exact share is pinned by a test).
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from itertools import pairwise

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .errors import Rejected

PIN_DIGITS = 6
_PIN = re.compile(r"\A[0-9]{6}\Z")

_KEYPAD_LINES = re.compile(r"(?:123|456|789|147|258|369|159|357|741|852|963|321|654|987){2}")
"""Two lines on a telephone or PIN pad, such as 147258 or 789456."""
_LUCKY = frozenset(
    re.findall(
        r"[0-9]{6}",
        """
    520131 201314 131452 314520 521131 131421 584520 584521 520530 110120 119120 147896 741236
    321789 123789 159753 789456 147369 258369 102030 010203 135246 246135 135790 246810 024680
    142536 415263 168888 666888 888666
    """,
    )
)
"""Sound-alikes (520131 "我爱你一生"), emergency numbers, and walks over the pad that no other rule sees."""


@dataclass(frozen=True, slots=True, repr=False)
class PinFacts:
    """What a guesser may know of the holder.

    ``default`` is the initial password; ``numbers`` are all numbers around the person (identity, school,
    account, card, telephone), of which any six consecutive digits are refused.
    """

    default: str | None = None
    numbers: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "PinFacts(…)"


def parse_pin(raw: str) -> str:
    """Accept exactly six half-width digits, nothing trimmed. Raises ``Rejected`` before any costly work."""
    if not isinstance(raw, str) or not _PIN.match(raw):
        raise Rejected(_("请输入 6 位半角数字"))
    return raw


def weak_password_reason(pin: str, facts: PinFacts) -> str | Promise | None:
    """Say why a parsed PIN is too easy to guess, or None.

    Equality with the other password is asked elsewhere.
    """
    if facts.default is not None and pin == facts.default:
        return _("新密码不能是初始密码")
    if any(pin in _digits(number) for number in facts.numbers):
        return _("密码过于简单：不能取自身份证号、学号、帐号、卡号或电话号码")
    return common_pin_reason(pin)


def common_pin_reason(pin: str) -> str | Promise | None:
    """The part of ``weak_password_reason`` that is the same for everybody."""
    if len(set(pin)) <= 2:
        return _("密码过于简单：不同的数字太少")
    if _repeats(pin) or _runs(pin):
        return _("密码过于简单：数字有明显规律")
    if pin in _LUCKY or _KEYPAD_LINES.fullmatch(pin):
        return _("密码过于简单：这是常用密码")
    if _is_date(pin):
        return _("密码过于简单：不能是日期")
    return None


def _digits(number: str) -> str:
    return "".join(character for character in number if "0" <= character <= "9")


def _repeats(pin: str) -> bool:
    """ABCABC, ABABAB, AABBCC and palindromes."""
    halves = pin[:3] == pin[3:]
    pairs = pin[:2] == pin[2:4] == pin[4:]
    doubles = pin[0] == pin[1] and pin[2] == pin[3] and pin[4] == pin[5]
    return halves or pairs or doubles or pin == pin[::-1]


def _runs(pin: str) -> bool:
    """The same step from digit to digit, also over zero: 123456, 975319, 890123."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return len(steps) == 1


def _is_date(pin: str) -> bool:
    """A day as YYMMDD, DDMMYY or MMDDYY, or a month as YYYYMM or MMYYYY, of the years 1940 to 2030."""
    first, second, third = int(pin[:2]), int(pin[2:4]), int(pin[4:])
    return (
        _is_day(_year(first), second, third)
        or _is_day(_year(third), second, first)
        or _is_day(_year(third), first, second)
        or (_in_years(int(pin[:4])) and 1 <= third <= 12)
        or (1 <= first <= 12 and _in_years(int(pin[2:])))
    )


def _year(two_digits: int) -> int:
    return 2000 + two_digits if two_digits <= 30 else 1900 + two_digits


def _in_years(year: int) -> bool:
    return 1940 <= year <= 2030


def _is_day(year: int, month: int, day: int) -> bool:
    return _in_years(year) and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]
