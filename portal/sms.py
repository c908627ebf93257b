"""SMS: what an adapter to a gateway has to do, and the only one that there is, a folder. No gateway has seen this."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

from django.conf import settings


class Gateway(Protocol):
    """Sends one short text. ``key`` is the same when a text is sent again, for gateways that know such a thing.

    Raises ``accounts.services.alertpost.Unreachable``, ``Refused`` or ``NotNow``; their text never holds the number.
    """

    def send(self, number: str, text: str, *, key: UUID) -> None: ...


@dataclass(frozen=True, slots=True)
class Folder:
    """Puts each text into a file, whole or not at all: for the demo and for tests."""

    path: Path

    def send(self, number: str, text: str, *, key: UUID) -> None:
        """The same key again is the same file."""
        self.path.mkdir(parents=True, exist_ok=True)
        draft = self.path / f"{key}.part"
        draft.write_text(f"{number}\n{text}\n", encoding="utf-8")
        draft.replace(self.path / f"{key}.txt")


def outbox() -> Gateway:
    """The demo's gateway."""
    return Folder(Path(settings.OUTBOX, "sms"))
