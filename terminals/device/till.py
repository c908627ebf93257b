"""The till as a machine of few states: what operator, card and clock do goes in, faces and sounds come out.

It decides only what comes next on the counter. What may be sold is decided by the server or by ``purse.rules``; what
happens to a card by ``sale``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from purse.link import CardLink
from purse.money import MAX_AMOUNT_FEN
from purse.rules import Refusal
from terminals.device import display
from terminals.device.alone import Stop, stop_words
from terminals.device.cardwork import Work
from terminals.device.clock import Clock
from terminals.device.display import Beep, Face, Signal, Sound, Words
from terminals.device.sale import Sales
from terminals.device.tapped import Ending, Order, Sold, Tapped, stopped

SHOWN_S = 4.0
"""How long a result stays after its card has left."""
PIN_S = 60.0
PIN_DIGITS = 6


class Phase(StrEnum):
    """What the till waits for."""

    IDLE = "idle"
    AMOUNT = "amount"
    """An amount is shown; the next card pays it."""
    PASSWORD = "password"
    DOUBLE = "double"
    RETAP = "retap"
    """A sale was torn; its card must come back within ten seconds."""
    VOID = "void"
    BALANCE = "balance"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Shows:
    """The face changed."""

    face: Face


@dataclass(frozen=True, slots=True)
class Sounds:
    """A sound begins. It ends by itself, or with ``Silence``."""

    sound: Sound
    beep: Beep


@dataclass(frozen=True, slots=True)
class Silence:
    """The cause of the sound is gone."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A tap came to an end."""

    tapped: Tapped


@dataclass(frozen=True, slots=True)
class LineChanged:
    """The server was lost or found, records began or ceased to wait, or offline selling stopped or began."""


Event = Shows | Sounds | Silence | Ended | LineChanged


class Till:
    """One till. Every method is called by one thread; events come out through ``emit`` in the order they happen.

    ``sales`` None: the journal is broken, and every tap says so. ``line`` tells whether the server is there and how
    many sales wait to be uploaded.
    """

    def __init__(
        self,
        sales: Sales | None,
        *,
        clock: Clock,
        name: Words,
        line: Callable[[], tuple[bool, int]],
        emit: Callable[[Event], None],
    ) -> None:
        self.phase = Phase.IDLE
        self.card_must_leave = False
        """A card whose tap has ended lies there still; it does not count as the next tap."""
        self._sales = sales
        self._clock = clock
        self._name = name
        self._line = line
        self._emit = emit
        self._face: Face | None = None
        self._sounding = False
        self._fen = 0
        self._pin = bytearray()
        self._pin_uid = b""
        self._pin_ready = False
        self._again = False
        self._work: Work | None = None
        self._void: Sold | None = None
        self._until: float | None = None
        self._idle()

    # ------------------------------------------------------------------------------------------ the operator

    def amount(self, fen: int) -> None:
        """Key an amount, 1 … 10,000,000 fen; 0 clears. Ignored while a torn sale waits for its card."""
        if self.phase is Phase.RETAP and self._work is not None:
            return
        if not 0 < fen <= MAX_AMOUNT_FEN:
            self.cancel()
            return
        self._forget()
        self._fen, self.phase, self._until = fen, Phase.AMOUNT, None
        self._show(display.amount(fen))

    def keys(self, digits: str) -> None:
        """Digits on the password pad; anything beyond six is ignored."""
        if self.phase is not Phase.PASSWORD or self._pin_ready:
            return
        self._pin += bytes(ord(digit) for digit in digits if digit in "0123456789")
        del self._pin[PIN_DIGITS:]
        self._show(display.password(len(self._pin)).face)

    def confirm(self) -> None:
        """确认: the password is complete, or the second sale is meant."""
        if self.phase is Phase.PASSWORD and len(self._pin) == PIN_DIGITS:
            self._pin_ready, self.card_must_leave = True, False
            self._show(display.ask_card_again())
        elif self.phase is Phase.DOUBLE:
            self._again, self.card_must_leave = True, False
            self.phase = Phase.AMOUNT
            self._show(display.amount(self._fen))

    def cancel(self) -> None:
        """取消: drop what was keyed. A torn sale is given up at once."""
        if self.phase is Phase.RETAP:
            self._retap_over()
            return
        self._idle()

    def void(self) -> None:
        """撤销: the last sale of this till is to be taken back; its card must be shown."""
        if self.phase is Phase.RETAP:
            return
        self._forget()
        sold = self._sales.last if self._sales else None
        if sold is None:
            self._signal(display.refused(Refusal.NOTHING_TO_VOID))
            self._shown()
            return
        self._void, self.phase = sold, Phase.VOID
        self._show(display.ask_void(sold.fen))

    def balance(self) -> None:
        """查余额: the next card only shows what it holds."""
        if self.phase is not Phase.RETAP:
            self._forget()
            self.phase = Phase.BALANCE
            self._show(display.ask_card())

    # ---------------------------------------------------------------------------------------------- the card

    @property
    def wants_card(self) -> bool:
        """Whether a card in the field would be used now."""
        waits_for_keys = self.phase is Phase.DOUBLE or (self.phase is Phase.PASSWORD and not self._pin_ready)
        return not self.card_must_leave and not waits_for_keys

    def card(self, link: CardLink) -> None:
        """A card lies in the field; use it for what the till waits for."""
        self._quiet()
        self.card_must_leave = True
        if self._sales is None:
            self._take_in(stopped())
        elif self._work is not None:
            self._take_in(self._sales.resume(link, self._work))
        elif self._void is not None:
            self._take_in(self._sales.void(link, self._void))
        elif self._fen:
            self._buy(self._sales, link)
        else:
            self._take_in(self._sales.balance(link))

    def several(self) -> None:
        """More than one card lies in the field: nothing is done until they are taken away."""
        self.card_must_leave = True
        self._signal(display.several_cards())
        if self._waiting_face() is None:
            self._shown()
        self._ended(Tapped(Ending.REFUSED, display.several_cards()))

    def removed(self) -> None:
        """The card that had to leave has left."""
        self.card_must_leave = False
        if self.phase is Phase.RETAP:
            self._signal(display.torn())  # it was another card, or two: the right one is still missing
            return
        self._quiet()
        waiting = self._waiting_face()
        if waiting is not None:
            self._show(waiting)
        elif self.phase is Phase.SHOWN:
            self._until = self._clock.mono() + SHOWN_S

    def tick(self) -> None:
        """Let time pass: deadlines, the clock on the display."""
        if self._until is not None and self._clock.mono() >= self._until:
            self._time_is_up()
        if self.phase is Phase.IDLE:
            self._show(self._idle_face())
        if self._sales is not None:
            self._sales.tick()

    # ---------------------------------------------------------------------------------------------- inside

    def _buy(self, sales: Sales, link: CardLink) -> None:
        if not self._pin_ready:
            self._take_in(sales.buy(link, Order(self._fen, again=self._again)))
            return
        # The password belongs to one card: nobody else's is tried with it.
        order = Order(self._fen, self._pin.decode("ascii"), again=True, only=self._pin_uid)
        tapped = sales.buy(link, order)
        if tapped.ending is not Ending.OTHER_CARD:
            self._drop_pin()
        self._take_in(tapped)

    def _take_in(self, tapped: Tapped) -> None:
        """Show how a tap ended, and wait for what comes next."""
        self._signal(tapped.signal)
        match tapped:
            case Tapped(ending=Ending.DOUBLE):
                self.phase = Phase.DOUBLE
            case Tapped(refusal=Refusal.PASSWORD_NEEDED | Refusal.PASSWORD_WRONG):
                self.phase, self._pin_uid = Phase.PASSWORD, tapped.uid
                self._until = self._clock.mono() + PIN_S
            case Tapped(ending=Ending.TORN):
                self._wait_for_retap(tapped)
            case Tapped(ending=Ending.OTHER_CARD):
                pass  # the till waits on for the right one
            case Tapped(ending=Ending.UNKNOWN) if self._fen and tapped.refusal is not Refusal.UNREADABLE:
                self.phase, self._again = Phase.AMOUNT, False  # 请重刷: the amount stands
            case _:
                self._shown()
        self._ended(tapped)

    def _wait_for_retap(self, tapped: Tapped) -> None:
        """The card was pulled. With ``work`` a key is open; without, nothing was asked of anybody yet."""
        self._work, self.phase = tapped.work, Phase.RETAP
        self.card_must_leave = False
        retap_s = 10.0 if self._sales is None else self._sales.policy.retap.total_seconds()
        self._until = self._clock.mono() + retap_s

    def _retap_over(self) -> None:
        self._quiet()
        work, self._work = self._work, None
        if work is not None and self._sales is not None:
            self._signal(self._sales.give_up(work).signal)
            self._shown(leave=False)
        elif self._fen:
            self.phase, self._until = Phase.AMOUNT, None
            self._show(display.amount(self._fen))
        else:
            self._idle()

    def _time_is_up(self) -> None:
        self._until = None
        if self.phase is Phase.RETAP:
            self._retap_over()
        elif self.phase in (Phase.PASSWORD, Phase.SHOWN):
            self._idle()

    def _shown(self, *, leave: bool = True) -> None:
        """A result stands on the display until its card has left, and a little longer."""
        self._forget()
        self.phase = Phase.SHOWN
        waits = leave and self.card_must_leave
        self._until = None if waits else self._clock.mono() + SHOWN_S

    def _waiting_face(self) -> Face | None:
        """What is shown while the till waits for a card or keys, None when it waits for nothing."""
        match self.phase:
            case Phase.AMOUNT:
                return display.amount(self._fen)
            case Phase.PASSWORD:
                return display.ask_card_again() if self._pin_ready else display.password(len(self._pin)).face
            case Phase.DOUBLE:
                return display.double_tap().face
            case Phase.RETAP:
                return display.torn().face
            case Phase.VOID if self._void is not None:
                return display.ask_void(self._void.fen)
            case Phase.BALANCE:
                return display.ask_card()
            case _:
                return None

    def _idle(self) -> None:
        self._forget()
        self._quiet()
        self.phase = Phase.IDLE
        self._show(self._idle_face())

    def _idle_face(self) -> Face:
        online, unsent = self._line()
        stop = self._sales.stop if self._sales is not None else Stop.STORAGE
        told = stop is Stop.STORAGE or (stop is not None and not online)
        return display.idle(
            self._clock.local(),
            name=self._name,
            online=online,
            unsent=unsent,
            stopped=stop_words(stop) if stop is not None and told else None,
        )

    def _forget(self) -> None:
        self._drop_pin()
        self._fen, self._again, self._work, self._void, self._until = 0, False, None, None, None
        self._pin_uid = b""

    def _drop_pin(self) -> None:
        """Overwrite the digits; they are needed no longer."""
        for place in range(len(self._pin)):
            self._pin[place] = 0
        self._pin.clear()
        self._pin_ready = False

    def _signal(self, signal: Signal) -> None:
        self._show(signal.face)
        if signal.sound is not None and signal.pattern is not None:
            self._sounding = True
            self._emit(Sounds(signal.sound, signal.pattern))

    def _show(self, face: Face) -> None:
        if face != self._face:
            self._face = face
            self._emit(Shows(face))

    def _quiet(self) -> None:
        if self._sounding:
            self._sounding = False
            self._emit(Silence())

    def _ended(self, tapped: Tapped) -> None:
        self._emit(Ended(tapped))
