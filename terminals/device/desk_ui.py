"""The desk's own face: in a browser on the same machine, and as one JSON object a line. The hands of simulated cards.

The job itself is ordered and watched on the counter's page; here is what the reader does, and with ``sim:`` a wallet to
place, tear and take cards.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TextIO

from terminals.device.commands import LONGEST_WAIT_S, BadCommand
from terminals.device.console import LineConsole
from terminals.device.desk import DeskStation, told
from terminals.device.desk_face import DeskFace
from terminals.device.reader.sim import FileCard, SimReader, UnknownCard
from terminals.device.reader.tearing import Tear
from terminals.device.ui import LocalPage

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}


class Hands:
    """Carries out one command at a time: ``place``, ``lift``, ``network``, ``wait``."""

    def __init__(self, station: DeskStation) -> None:
        self._station = station

    def do(self, said: Mapping[str, Any]) -> None:
        """Carry out a command. Raises ``BadCommand``."""
        match said.get("do"):
            case "place":
                self._place(said)
            case "lift":
                self._sim().lift()
            case "network":
                self._network(said.get("up"))
            case "wait":
                self._wait(said.get("seconds"))
            case other:
                raise BadCommand(f"unknown command {other!r}")

    def cards(self) -> list[str]:
        """The names of the simulated cards, empty with a real reader."""
        reader = self._station.reader
        return reader.names() if isinstance(reader, SimReader) else []

    def lying(self) -> str | None:
        """The name of the simulated card on the reader, None when there is none."""
        reader = self._station.reader
        cards = reader.field.cards if isinstance(reader, SimReader) else ()
        return next((card.path.stem for card in cards if isinstance(card, FileCard)), None)

    def _place(self, said: Mapping[str, Any]) -> None:
        """Put a card down, alone unless told otherwise; ``leave_after`` pulls it after so many operations."""
        reader, after = self._sim(), said.get("leave_after")
        if after is not None and (isinstance(after, bool) or not isinstance(after, int) or after < 0):
            raise BadCommand("leave_after is a number of card operations")
        try:
            tear = Tear(said.get("tear", Tear.PREFIX.value))
            if said.get("beside") is not True:
                reader.lift()
            reader.place(str(said.get("card")), leave_after=after, tear=tear)
        except (UnknownCard, ValueError) as error:
            raise BadCommand(f"no such card or tear: {error}") from error

    def _network(self, up: object) -> None:
        if not isinstance(up, bool):
            raise BadCommand("up is true or false")
        self._station.network(up=up)

    def _wait(self, seconds: object) -> None:
        known = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not known or not 0 <= float(str(seconds)) <= LONGEST_WAIT_S:
            raise BadCommand("seconds is a number")
        time.sleep(float(str(seconds)))

    def _sim(self) -> SimReader:
        reader = self._station.reader
        if not isinstance(reader, SimReader):
            raise BadCommand("only a simulated reader has hands")
        return reader


class DeskPage(LocalPage):
    """Serves one desk on ``HOST:PORT``. Raises ``ValueError`` off the loopback."""

    files = {
        "/": ("desk.html", f"{_TYPES['html']}; charset=utf-8"),
        "/till.css": ("till.css", f"{_TYPES['css']}; charset=utf-8"),
        "/desk.css": ("desk.css", f"{_TYPES['css']}; charset=utf-8"),
        "/face.js": ("face.js", f"{_TYPES['js']}; charset=utf-8"),
        "/desk.js": ("desk.js", f"{_TYPES['js']}; charset=utf-8"),
    }
    shown = "display"

    def __init__(self, station: DeskStation, place: str) -> None:
        super().__init__(place)
        self.station = station
        self.hands = Hands(station)
        station.listen(self._hear)
        self._hear(station.face)

    def state(self) -> dict[str, Any]:
        """Name, line, reader, cards."""
        sim = isinstance(self.station.reader, SimReader)
        return {**told(self.station), "sim": sim, "cards": self.hands.cards(), "lying": self.hands.lying()}

    def do(self, said: Mapping[str, Any]) -> None:
        """As on the console."""
        self.hands.do(said)

    def _hear(self, face: DeskFace) -> None:
        self.tell(face.to_json())
        self.announce()  # a card may have been pulled


class DeskConsole(LineConsole):
    """The desk's: every new face."""

    def __init__(self, station: DeskStation, out: TextIO) -> None:
        super().__init__(Hands(station).do, out)
        station.listen(lambda face: self.write(face.to_json()))
