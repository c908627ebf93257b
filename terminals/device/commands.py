"""The commands that console and browser share, and with simulated cards the hands that put them on the reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from purse.money import AmountError, fen_from_json
from terminals.device.reader.sim import FileCard, SimReader, UnknownCard
from terminals.device.reader.tearing import Tear
from terminals.device.station import Station
from terminals.device.till import Ended, Event, Phase, Sounds

TAP_S = 10.0
"""How long a hand holds a card to the reader before it gives up waiting for a sound."""
LONGEST_WAIT_S = 3_600


class BadCommand(ValueError):
    """The command cannot be understood or done; ``str`` says why."""


class Commands:
    """Carries out one command at a time, as ``{"do": name, …}``; returns when its effect has been told to listeners."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._ended = threading.Event()
        self._sounded = threading.Event()
        station.listen(self._hear)
        self._doers: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "amount": self._amount,
            "tap": self._tap,
            "place": self._place,
            "lift": lambda said: self._sim().lift(),
            "keys": self._keys,
            "confirm": self._confirm,
            "cancel": self._cancel,
            "void": lambda said: self._then_tap(said, lambda till: till.void()),
            "balance": lambda said: self._then_tap(said, lambda till: till.balance()),
            "network": self._network,
            "wait": self._wait,
            "upload": lambda said: self._upload(),
        }

    def do(self, said: Mapping[str, Any]) -> None:
        """Carry out a command. Raises ``BadCommand``."""
        doer = self._doers.get(str(said.get("do")))
        if doer is None:
            raise BadCommand(f"unknown command {said.get('do')!r}")
        doer(said)

    def cards(self) -> list[str]:
        """The names of the simulated cards, empty with a real reader."""
        reader = self._station.reader
        return reader.names() if isinstance(reader, SimReader) else []

    def lying(self) -> str | None:
        """The name of the simulated card on the reader, None when there is none."""
        reader = self._station.reader
        cards = reader.field.cards if isinstance(reader, SimReader) else ()
        return next((card.path.stem for card in cards if isinstance(card, FileCard)), None)

    # ------------------------------------------------------------------------------------------- the operator

    def _amount(self, said: Mapping[str, Any]) -> None:
        try:
            fen = fen_from_json(said.get("fen"))
        except AmountError as error:
            raise BadCommand(str(error)) from error
        self._station.do(lambda till: till.amount(fen))

    def _keys(self, said: Mapping[str, Any]) -> None:
        digits = said.get("keys")
        if not isinstance(digits, str) or not digits.isascii() or not digits.isdigit() or len(digits) > 20:
            raise BadCommand("keys are digits")
        self._station.do(lambda till: till.keys(digits))

    def _confirm(self, said: Mapping[str, Any]) -> None:
        """A card that lies there still is used at once: wait for how that ends."""
        self._begin()
        self._station.do(lambda till: till.confirm())
        if self._station.till.wants_card and self._station.reader.card_present():
            self._until_ended()

    def _cancel(self, said: Mapping[str, Any]) -> None:
        self._station.do(lambda till: till.cancel())
        if isinstance(self._station.reader, SimReader):
            self._station.reader.lift()

    def _then_tap(self, said: Mapping[str, Any], wish: Callable[[Any], None]) -> None:
        self._station.do(wish)
        if "card" in said:
            self._tap(said)

    def _network(self, said: Mapping[str, Any]) -> None:
        up = said.get("up")
        if not isinstance(up, bool):
            raise BadCommand("up is true or false")
        self._station.network(up=up)

    def _upload(self) -> None:
        self._station.upload()

    def _wait(self, said: Mapping[str, Any]) -> None:
        seconds = said.get("seconds")
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, int | float)
            or not 0 <= seconds <= LONGEST_WAIT_S
        ):
            raise BadCommand("seconds is a number")
        time.sleep(seconds)

    # ---------------------------------------------------------------------------------------------- the hands

    def _tap(self, said: Mapping[str, Any]) -> None:
        """Hold a card to the reader until something sounds or is shown, or until it is pulled as told.

        A silent question (password, double tap) leaves the card where it is.
        """
        self._until_removed()
        self._begin()
        self._place(said)
        self._until_ended()

    def _place(self, said: Mapping[str, Any]) -> None:
        reader, name, after = self._sim(), said.get("card"), said.get("leave_after")
        if after is not None and (isinstance(after, bool) or not isinstance(after, int) or after < 0):
            raise BadCommand("leave_after is a number of card operations")
        try:
            tear = Tear(said.get("tear", Tear.PREFIX.value))
            reader.place(str(name), leave_after=after, tear=tear)
        except (UnknownCard, ValueError) as error:
            raise BadCommand(f"no such card or tear: {error}") from error

    def _begin(self) -> None:
        self._ended.clear()
        self._sounded.clear()

    def _until_ended(self) -> None:
        if not self._ended.wait(TAP_S):
            return
        reader = self._station.reader
        silent_question = self._station.do(lambda till: till.phase in (Phase.DOUBLE, Phase.PASSWORD))
        if isinstance(reader, SimReader) and (self._sounded.is_set() or not silent_question):
            reader.lift()
            self._until_removed()

    def _until_removed(self) -> None:
        """Let the till notice that the last card has gone, so that the next one counts."""
        reader = self._sim()
        deadline = time.monotonic() + 1
        if self._station.till.card_must_leave and reader.card_present():
            reader.lift()
        while self._station.till.card_must_leave and time.monotonic() < deadline:
            time.sleep(0.002)

    def _sim(self) -> SimReader:
        reader = self._station.reader
        if not isinstance(reader, SimReader):
            raise BadCommand("only a simulated reader has hands")
        return reader

    def _hear(self, event: Event) -> None:
        if isinstance(event, Sounds):
            self._sounded.set()
        elif isinstance(event, Ended):
            self._ended.set()
