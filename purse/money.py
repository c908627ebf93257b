"""Money is a whole number of fen. Two doors let amounts in: a form typed by a person, and JSON from a machine.

Both are strict, because ``Decimal`` and ``int`` accept ``1e2``, ``1_0``, ``+5`` and Arabic digits.
"""

from __future__ import annotations

import re
import unicodedata

FEN_PER_YUAN = 100
MAX_AMOUNT_FEN = 10_000_000
"""No single movement is larger than 100,000.00 yuan (reliability.md L1)."""

_FORM_AMOUNT = re.compile(r"\A([0-9]{1,6})(?:\.([0-9]{1,2}))?\Z")
_LOOKS_LIKE_TOO_MANY_DECIMALS = re.compile(r"\A[0-9]{1,6}\.[0-9]{3,}\Z")


class AmountError(ValueError):
    """The amount cannot be understood or is not allowed; ``str(error)`` is the Chinese sentence to show."""


def parse_yuan(text: str) -> int:
    """Read what a person typed into an amount field, in yuan, and return fen (1 … 10,000,000).

    Full-width digits of a Chinese input method are understood (NFKC), outer white space is dropped; nothing else is
    forgiven. Raises ``AmountError``.
    """
    if len(text) > 40:
        raise AmountError("金额过长，请重新输入")
    typed = unicodedata.normalize("NFKC", text).strip() if _only_wide_forms(text) else text.strip()
    if not typed:
        raise AmountError("请输入金额")
    if _LOOKS_LIKE_TOO_MANY_DECIMALS.match(typed):
        raise AmountError("金额最多两位小数")
    found = _FORM_AMOUNT.match(typed)
    if not found:
        raise AmountError("金额格式不正确，请输入如 12.50 的数字")
    fen = int(found[1]) * FEN_PER_YUAN + int((found[2] or "0").ljust(2, "0"))
    if fen == 0:
        raise AmountError("金额必须大于 0")
    if fen > MAX_AMOUNT_FEN:
        raise AmountError("金额超过系统上限 100000.00 元")
    return fen


def fen_from_json(value: object) -> int:
    """Accept an amount that a machine sent: a JSON integer of fen, 1 … 10,000,000. Raises ``AmountError``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise AmountError("金额须为以分为单位的整数")
    if not 0 < value <= MAX_AMOUNT_FEN:
        raise AmountError("金额须在 1 至 10000000 分之间")
    return value


def yuan(fen: int) -> str:
    """Write fen as yuan with two decimals: ``110`` → ``1.10``, ``-1`` → ``-0.01``."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // FEN_PER_YUAN}.{abs(fen) % FEN_PER_YUAN:02d}"


def _only_wide_forms(text: str) -> bool:
    """True when NFKC may be applied: ASCII, full-width ASCII, ideographic space (so ``²`` and ``½`` stay)."""
    return all(ord(char) < 0x80 or 0xFF01 <= ord(char) <= 0xFF5E or char == "\u3000" for char in text)
