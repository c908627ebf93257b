"""What can be asked of a second person: how each kind reads on the screen, and who carries it out once agreed.

An area adds its kinds where its addresses are made: ``kinds.register(Kind(…))``. A kind without words here is shown
with its name and its bare content, never hidden; one without ``carry_out`` is finished on the page of ``resume``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

from accounts.actors import Actor
from accounts.approvals import RequestRow
from purse.policy import Policy

Words = str | Promise


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a request in words. ``before`` is empty where nothing is replaced."""

    label: Words
    after: Words
    before: Words = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """An agreed request about to be carried out. ``actor``: whose click it is."""

    row: RequestRow
    actor: Actor
    now: datetime
    policy: Policy


class NotDone(Exception):
    """It cannot be carried out now; the message is for the screen. Nothing was changed."""

    def __init__(self, message: Words, *, for_good: bool = False) -> None:
        super().__init__(str(message))
        self.message = message
        self.for_good = for_good
        """Whether what it rests on has changed, so that the request ends."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request.

    ``facts``: its content in words. ``carry_out``: does it, calling a service that calls ``approvals.use``; raises
    ``NotDone``. ``resume``: where it is finished when it needs a person or a card. ``effect``: one sentence on what
    follows from it.
    """

    name: str
    label: Words
    facts: Callable[[RequestRow], Sequence[Fact]]
    carry_out: Callable[[Deed], None] | None = None
    resume: Callable[[RequestRow], str] | None = None
    effect: Words = ""


_KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Make a kind known. The same name twice is a mistake of ours: ``ValueError``."""
    if _KINDS.get(kind.name, kind) is not kind:
        raise ValueError(f"the kind {kind.name} is there already")
    _KINDS[kind.name] = kind


def kind_of(name: str) -> Kind:
    """The kind, or one that shows its bare content."""
    return _KINDS.get(name) or Kind(name, name, bare)


def known() -> Mapping[str, Kind]:
    """Every kind, by name."""
    return _KINDS


def bare(row: RequestRow) -> list[Fact]:
    """The content as it is stored, name by name."""
    return [Fact(name, _text(value)) for name, value in sorted(row.content.items())]


def _text(value: Any) -> str:
    return "—" if value is None or value == "" else str(value)
