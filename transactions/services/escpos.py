"""A receipt as bytes for a thermal printer: ESC/POS, text in GB18030, 58 or 80 mm paper.

Only commands that every clone knows: initialise, align, bold, double size, Chinese mode, feed, cut. The words are the
caller's, so a receipt reads the same on the screen and on paper.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

ESC: Final = b"\x1b"
GS: Final = b"\x1d"
INITIALISE: Final = ESC + b"@"
CHINESE: Final = b"\x1c&"
"""FS &: two-byte characters from now on; GB18030's four-byte ones are left out, see ``_encoded``."""
FEED_AND_CUT: Final = ESC + b"d\x04" + GS + b"V\x42\x00"


class Paper(IntEnum):
    """Widths in half-width characters of font A."""

    MM58 = 32
    MM80 = 48


class Align(Enum):
    """Where a line stands."""

    LEFT = b"\x00"
    CENTRE = b"\x01"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: words, or a word at the left and a value at the right."""

    left: str
    right: str = ""
    align: Align = Align.LEFT
    big: bool = False


def printed(lines: Iterable[Line], paper: Paper) -> bytes:
    """The whole receipt, from reset to cut. Lines too long for the paper are broken, a value is never cut."""
    return INITIALISE + CHINESE + b"".join(_line(line, paper) for line in lines) + FEED_AND_CUT


def columns(text: str) -> int:
    """How many half-width places a text takes on paper."""
    return sum(2 if unicodedata.east_asian_width(char) in "WFA" else 1 for char in text)


def _line(line: Line, paper: Paper) -> bytes:
    width = paper // 2 if line.big else int(paper)
    style = ESC + b"a" + line.align.value + GS + b"!" + (b"\x11" if line.big else b"\x00")
    return style + b"".join(_encoded(row) + b"\n" for row in _rows(line, width))


def _rows(line: Line, width: int) -> list[str]:
    if not line.right:
        return _broken(line.left, width)
    space = width - columns(line.left) - columns(line.right)
    if space >= 1:
        return [line.left + " " * space + line.right]
    return [*_broken(line.left, width), *(_indented(row, width) for row in _broken(line.right, width))]


def _indented(row: str, width: int) -> str:
    return " " * (width - columns(row)) + row


def _broken(text: str, width: int) -> list[str]:
    rows, row = [], ""
    for char in text:
        if columns(row + char) > width:
            rows.append(row)
            row = ""
        row += char
    return [*rows, row] if row or not rows else rows


def _encoded(text: str) -> bytes:
    """GB18030 without control characters, which a printer would obey, and without the four-byte part no font has."""
    safe = "".join(char if char.isprintable() else " " for char in text)
    return b"".join(
        code if len(code := char.encode("gb18030", "replace")) <= 2 else "〓".encode("gb18030")
        for char in safe
    )
