"""The picture that an authenticator scans says what stands beside it."""

from __future__ import annotations

import html
import re

import pytest
import segno

from accounts.models import OperatorRole
from counter.oversight.drawings import qr_code
from tests.counter.pages import browser_of, text_of
from tests.reconciliation import desk

MARGIN = 4
"""Empty modules around a code (ISO/IEC 18004)."""
ADDRESS = (
    "otpauth://totp/ecard:wang.li?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&algorithm=SHA1&digits=6&period=30"
)


def modules(size: int, path: str) -> list[list[int]]:
    """The picture painted, square by square; a square that is painted twice is a fault."""
    painted = [[0] * size for _ in range(size)]
    squares = re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", path)
    assert "".join(f"M{x} {y}h{width}v1h-{back}z" for x, y, width, back in squares) == path
    for x, y, width, back in squares:
        assert width == back
        for place in range(int(x), int(x) + int(width)):
            painted[int(y)][place] += 1
    return painted


@pytest.mark.parametrize("text", [ADDRESS, "a", "x" * 400], ids=len)
def test_every_square_is_painted_as_the_code_says_with_an_empty_margin(text):
    code = qr_code(text)

    wanted = segno.make_qr(text, error="m", boost_error=False).matrix_iter(border=MARGIN)
    assert modules(code.size, code.path) == [list(row) for row in wanted]


def test_the_three_corners_and_the_margin_are_where_a_scanner_looks():
    """ISO/IEC 18004: a ring of seven squares with a core of three in three corners, four empty squares around."""
    code = qr_code(ADDRESS)
    painted = modules(code.size, code.path)
    finder = [[1] * 7, [1, 0, 0, 0, 0, 0, 1], *[[1, 0, 1, 1, 1, 0, 1]] * 3, [1, 0, 0, 0, 0, 0, 1], [1] * 7]
    last = code.size - MARGIN - 7

    for x, y in ((MARGIN, MARGIN), (last, MARGIN), (MARGIN, last)):
        assert [row[x : x + 7] for row in painted[y : y + 7]] == finder
    for edge in (*range(MARGIN), *range(code.size - MARGIN, code.size)):
        assert not any(painted[edge])
        assert not any(row[edge] for row in painted)


def test_a_new_authenticator_is_shown_as_picture_key_and_address_alike(db):
    admin = browser_of(desk.operator("root", OperatorRole.ADMIN, None))
    other = desk.operator("wang.li", OperatorRole.CLERK, "laoshan")

    page = text_of(admin.post(f"/counter/operators/{other.pk}/authenticator/"))

    address = html.unescape(re.search(r'href="(otpauth://[^"]+)"', page)[1])
    key = re.search(r'class="reference given">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    assert f"secret={key}" in address
    assert f'd="{qr_code(address).path}"' in page
    drawing = re.search(r"<svg class=\"qr\".*?</svg>", page, re.DOTALL)[0]
    assert 'role="img" aria-label="' in drawing
    assert "style=" not in drawing
