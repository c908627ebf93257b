"""Lists as CSV files that spreadsheet programs open rightly, and cannot be tricked by."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

MARK = "\ufeff"
"""Says UTF-8 to a spreadsheet program, which else takes Chinese for something else."""
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """Takes the place of a file: hands back what is written."""

    def write(self, text: str) -> str:
        return text


def cell(value: object) -> str:
    """A cell that no program takes for a formula (reliability.md section 7, item 53). Numbers stay numbers."""
    text = str(value)
    if isinstance(value, int) or not text.lstrip(" ").startswith(_STARTS_A_FORMULA):
        return text
    return f"'{text}"


def csv_lines(head: Sequence[object], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The file, line by line, so that a long list is never held whole."""
    writer = csv.writer(_Line())
    yield MARK + writer.writerow([cell(name) for name in head])
    for row in rows:
        yield writer.writerow([cell(value) for value in row])
