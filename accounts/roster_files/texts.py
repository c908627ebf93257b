"""CSV: in which encoding, and then exactly what stands in it.

An encoding counts as proven by a byte order mark, by pure ASCII, by being the only one in which the bytes are text, or
by a Chinese header that reads as one only in it. Otherwise somebody who can read is asked: GB18030 accepts almost any
bytes, and a name that came in as mojibake is found on the day the card is printed.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from .columns import known_headers
from .sheets import MAX_COLUMNS, MAX_ROWS, Cell, Kind, Row, Table, Unreadable

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_BINARY = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")
_SAMPLE_LINES = 6


class Encoding(StrEnum):
    """What may be chosen when nothing is proven."""

    UTF8 = "utf-8"
    GB18030 = "gb18030"


@dataclass(frozen=True, slots=True)
class Sample:
    """How the first lines read in one encoding."""

    encoding: Encoding
    lines: tuple[str, ...]


class Doubtful(Exception):
    """More than one encoding is possible; ``samples`` shows each."""

    def __init__(self, samples: tuple[Sample, ...]) -> None:
        super().__init__()
        self.samples = samples


def read_text(data: bytes, *, encoding: Encoding | None = None) -> Table:
    """The table of a CSV file.

    ``encoding`` is what somebody chose. Raises ``Doubtful`` where nothing is proven and nothing chosen, ``Unreadable``.
    """
    if not data.strip():
        raise Unreadable(_("文件是空的"))
    if data.startswith(_BINARY):
        raise Unreadable(_("扩展名是 CSV，内容却不是文本；请用表格软件另存为 xlsx 或 CSV"))
    text = _decoded(data, encoding)
    if "\x00" in text:
        raise Unreadable(_("文件里有不可见的控制字符，不是一张文本表格"))
    return Table(tuple(_rows(text)))


def samples_of(data: bytes) -> tuple[Sample, ...]:
    """How the file reads in each encoding in which it is text."""
    return tuple(
        Sample(encoding, tuple(text.splitlines()[:_SAMPLE_LINES]))
        for encoding in Encoding
        if (text := _try(data, encoding)) is not None
    )


def _decoded(data: bytes, chosen: Encoding | None) -> str:
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _must(data, codec)
    if data.isascii():
        return data.decode("ascii")
    if chosen is not None:
        return _must(data, chosen.value)
    readings = {encoding: text for encoding in Encoding if (text := _try(data, encoding)) is not None}
    if not readings:
        raise Unreadable(_("看不出文件的编码，请另存为 UTF-8 编码的 CSV 或 xlsx"))
    proven = [text for text in readings.values() if _has_chinese_header(text)]
    if len(proven) == 1:
        return proven[0]
    if not proven and list(readings) == [Encoding.UTF8]:
        return readings[Encoding.UTF8]
    raise Doubtful(samples_of(data))


def _has_chinese_header(text: str) -> bool:
    """Whether the first lines have a column's name that is not ASCII: the one thing that proves an encoding."""
    first = text.splitlines()[:_SAMPLE_LINES]
    return any(not name.isascii() for line in first for name in known_headers(_split(line)))


def _split(line: str) -> list[str]:
    return next(csv.reader([line], delimiter=_delimiter(line)), [])


def _try(data: bytes, encoding: Encoding) -> str | None:
    try:
        return data.decode(encoding.value)
    except UnicodeDecodeError:
        return None


def _must(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        raise Unreadable(_("文件不是所选的编码，请换一种或另存为 xlsx")) from None


def _delimiter(line: str) -> str:
    return max(",\t;", key=line.count)


def _rows(text: str) -> list[Row]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first), strict=True)
    rows: list[Row] = []
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > MAX_COLUMNS:
                raise Unreadable(_("第 %(line)s 行有 %(count)s 列，太多了"), line=line, count=len(cells))
            rows.append(Row(line, tuple(Cell(Kind.TEXT, cell) for cell in cells)))
            if len(rows) > MAX_ROWS + 10:
                raise Unreadable(_("一个文件最多 %(limit)s 人，请分成几个文件"), limit=MAX_ROWS)
    except csv.Error:
        raise Unreadable(_("第 %(line)s 行的引号不成对，读不出列"), line=reader.line_num) from None
    return rows
