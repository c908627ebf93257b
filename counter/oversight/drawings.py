"""What the pages about the staff draw: the code that an authenticator scans. Made in memory and kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Final

import segno

QUIET: Final = 4
"""Empty modules around the code, as ISO/IEC 18004 asks for."""


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code as one SVG path of unit squares, in a picture of ``size`` by ``size`` with its quiet zone."""

    size: int
    path: str


def qr_code(text: str) -> QrCode:
    """Draw ``text`` so that fifteen per cent of it may be unreadable (error level M)."""
    rows = [bytes(row) for row in segno.make_qr(text, error="m", boost_error=False).matrix]
    return QrCode(len(rows) + 2 * QUIET, "".join(_row(y + QUIET, row) for y, row in enumerate(rows)))


def _row(y: int, row: bytes) -> str:
    """The dark stretches of one row."""
    drawn, x = [], QUIET
    for dark, group in groupby(row):
        width = len(list(group))
        if dark:
            drawn.append(f"M{x} {y}h{width}v1h-{width}z")
        x += width
    return "".join(drawn)
