"""The till on standard input and output, one JSON object a line, for scripts and the demonstration.

Commands and events are those of docs/till.md; a command that cannot be understood is answered with an ``error`` event.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from terminals.device.commands import BadCommand, Commands
from terminals.device.station import Station
from terminals.device.tapped import Ending, Tapped
from terminals.device.till import Ended, Event, Shows, Sounds


class LineConsole:
    """Writes messages as they come, and does what the lines say, one after the other."""

    def __init__(self, do: Callable[[dict[str, Any]], None], out: TextIO) -> None:
        self._do = do
        self._out = out
        self._writing = threading.Lock()

    def run(self, lines: Iterable[str]) -> None:
        """Obey until ``quit`` or the end of the input."""
        for line in lines:
            if not line.strip():
                continue
            try:
                said = json.loads(line)
                if not isinstance(said, dict):
                    raise BadCommand("one JSON object a line")
                if said.get("do") == "quit":
                    return
                self._do(said)
            except ValueError as error:
                self.write({"event": "error", "message": str(error)})

    def write(self, message: Mapping[str, Any]) -> None:
        """One message, one line, whoever else writes at the same moment."""
        with self._writing:
            print(json.dumps(message, ensure_ascii=False), file=self._out, flush=True)


class Console(LineConsole):
    """The till's: every event that can be seen."""

    def __init__(self, station: Station, out: TextIO, *, language: str = "zh") -> None:
        super().__init__(Commands(station).do, out)
        self._language = language
        station.listen(self._tell)

    def _tell(self, event: Event) -> None:
        message = event_to_json(event, self._language)
        if message is not None:
            self.write(message)


def event_to_json(event: Event, language: str = "zh") -> dict[str, Any] | None:
    """An event as the console says it; None for what only a loudspeaker needs to know."""
    match event:
        case Shows(face):
            return {
                "event": "display",
                "led": face.led,
                "line1": face.line1.said(language),
                "line2": face.line2.said(language),
                "lamp": face.lamp.value,
            }
        case Sounds(sound, _):
            return {"event": "sound", "sound": sound.value}
        case Ended(tapped):
            return _result(tapped)
        case _:
            return None


def _result(tapped: Tapped) -> dict[str, Any]:
    ending = Ending.REFUSED if tapped.ending in (Ending.OTHER_CARD, Ending.DOUBLE) else tapped.ending
    return {
        "event": "result",
        "key": str(tapped.key) if tapped.key else None,
        "outcome": ending.value,
        "refusal": tapped.refusal.value if tapped.refusal else None,
        "card_fen": tapped.card_fen,
        "book_fen": tapped.book_fen,
    }
