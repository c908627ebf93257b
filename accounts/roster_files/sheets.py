"""A table as it was typed: cells with their kind, lines as a spreadsheet counts them, sentences about what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext, override

from accounts.checks import Rejected

MAX_ROWS = 20_000
"""People in one file."""
MAX_COLUMNS = 60
MAX_BYTES = 10 * 1024 * 1024


class Kind(StrEnum):
    """What a cell holds. Only TEXT is exactly what somebody typed."""

    TEXT = "s"
    NUMBER = "n"
    FORMULA = "f"
    DATE = "d"
    TRUTH = "b"
    ERROR = "e"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. A number stands here as its digits."""

    kind: Kind
    text: str

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return self.kind is Kind.TEXT and not self.text.strip()


EMPTY = Cell(Kind.TEXT, "")


@dataclass(frozen=True, slots=True)
class Problem:
    """A sentence with its numbers, kept so that each reader gets it in his language.

    ``message`` is the Chinese source of the sentence.
    """

    message: str
    params: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, message: str | Promise, **params: object) -> Problem:
        """A sentence as ``gettext_lazy`` has it."""
        with override("zh-hans"):
            return cls(str(message), tuple((name, _plain(value)) for name, value in params.items()))

    @classmethod
    def from_rejected(cls, rejected: Rejected) -> Problem:
        """What a check said."""
        message, params = rejected.parts
        return cls.of(message, **params)

    def __str__(self) -> str:
        sentence = gettext(self.message)
        return sentence % {name: _said(value) for name, value in self.params} if self.params else sentence

    def to_json(self) -> list[Any]:
        """As the tables keep it."""
        return [self.message, dict(self.params)]

    @classmethod
    def from_json(cls, kept: list[Any]) -> Problem:
        """The reverse."""
        return cls(str(kept[0]), tuple(kept[1].items()))


def _plain(value: object) -> Any:
    return value if isinstance(value, int) else str(value)


def _said(value: Any) -> Any:
    return gettext(value) if isinstance(value, str) and value else value


class Unreadable(Exception):
    """The file as a whole cannot be taken in; nothing was."""

    def __init__(self, message: str | Promise, **params: object) -> None:
        super().__init__()
        self.problem = Problem.of(message, **params)


@dataclass(frozen=True, slots=True)
class Row:
    """One line with something in it."""

    line: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The lines of a file, header and all, and what was left out on the way."""

    rows: tuple[Row, ...]
    notes: tuple[Problem, ...] = field(default=())


def to_json(rows: Iterable[Row]) -> list[Any]:
    """Rows as they are kept between two steps."""
    return [[row.line, [[cell.kind.value, cell.text] for cell in row.cells]] for row in rows]


def from_json(kept: list[Any]) -> tuple[Row, ...]:
    """The reverse."""
    return tuple(Row(line, tuple(Cell(Kind(kind), text) for kind, text in cells)) for line, cells in kept)
