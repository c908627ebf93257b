"""An amount in the capitals of Chinese receipts (人民币大写), which nobody can turn into another by a stroke.

After 支付结算办法 附一: one 零 for a gap however wide, also where yuan end in 0 before jiao, or where fen follow
without jiao; 整 ends an amount without fen.
"""

from __future__ import annotations

from typing import Final

_DIGITS: Final = "零壹贰叁肆伍陆柒捌玖"
_PLACES: Final = ("", "拾", "佰", "仟")
_GROUPS: Final = ("", "万", "亿")
MAX_FEN: Final = 999_999_999_999_99
"""Below a trillion yuan; a purse is for a thousand."""


def capitals(fen: int) -> str:
    """``10_05`` → ``壹拾元零伍分``. For 0 … ``MAX_FEN``; raises ``ValueError`` beyond."""
    if not 0 <= fen <= MAX_FEN:
        raise ValueError(f"{fen} fen cannot be written in capitals")
    yuan, jiao, rest = fen // 100, fen // 10 % 10, fen % 10
    if fen == 0:
        return "零元整"
    said = f"{_whole(yuan)}元" if yuan else ""
    if not jiao and not rest:
        return f"{said}整"
    if yuan and (yuan % 10 == 0 or not jiao):
        said += "零"
    if jiao:
        said += f"{_DIGITS[jiao]}角"
    return said + (f"{_DIGITS[rest]}分" if rest else "整")


def _whole(yuan: int) -> str:
    """Groups of four digits, the highest first; a group that does not fill its thousands begins with 零."""
    said = ""
    for group in range(len(_GROUPS) - 1, -1, -1):
        four = yuan // 10_000**group % 10_000
        if not four:
            continue
        gap = said and (four < 1_000 or yuan // 10_000 ** (group + 1) % 10_000 == 0)
        said += ("零" if gap else "") + _four(four) + _GROUPS[group]
    return said


def _four(four: int) -> str:
    said, gap = "", False
    for place in (3, 2, 1, 0):
        digit = four // 10**place % 10
        if digit:
            said += ("零" if gap and said else "") + _DIGITS[digit] + _PLACES[place]
        gap = not digit
    return said
