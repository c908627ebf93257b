"""What a till does when the server does not answer: sell under the same key where the rules allow it, else give up."""

from __future__ import annotations

from enum import StrEnum

from purse.procedures import CardDamaged, ForeignCard, RawCard, decode
from purse.rules import Refusal
from terminals.device import display, offline
from terminals.device.cardwork import Work
from terminals.device.clock import Clock
from terminals.device.closing import Closing
from terminals.device.display import Signal, Words
from terminals.device.hotlist import Hotlist
from terminals.device.journal import Journal
from terminals.device.orders import Orders
from terminals.device.tapped import Ending, Order, Tapped, refused
from terminals.messages.wire import ABANDONED, OperationKey


class Stop(StrEnum):
    """Why this till sells nothing without the server, whatever the card."""

    NOT_ALLOWED = "not_allowed"
    CLOCK = "clock"
    FULL = "full"
    """Too many sales wait to be uploaded, or the disk is nearly full."""
    LIST = "list"
    """The hotlist is too old, or there is none."""
    STORAGE = "storage"
    """The disk takes no writes: nothing at all is sold."""


class Alone:
    """Offline selling of one till. Used by the till's thread."""

    def __init__(
        self, orders: Orders, journal: Journal, hotlist: Hotlist, clock: Clock, closing: Closing
    ) -> None:
        self._orders = orders
        self._journal = journal
        self._hotlist = hotlist
        self._clock = clock
        self._closing = closing

    @property
    def allowed(self) -> bool:
        """Whether this till can check and sign cards at all, and is allowed to."""
        return offline.may_sell(self._orders.card_keys, allowed=self._orders.may_sell_offline)

    @property
    def sale_max_fen(self) -> int:
        """The largest offline sale as the lists are now."""
        age_s, policy = self._hotlist.age_s(self._clock.now_ms()), self._orders.policy
        stale = age_s is None or age_s > policy.hotlist_stale.total_seconds()
        return policy.offline_stale_sale_max_fen if stale else policy.offline_sale_max_fen

    def stop(self) -> Stop | None:
        """Why nothing could be sold without the server now. Reads nothing from the disk but its free space."""
        if not self.allowed:
            return Stop.NOT_ALLOWED
        if self._clock.wrong:
            return Stop.CLOCK
        if self._journal.full:
            return Stop.FULL
        age_s = self._hotlist.age_s(self._clock.now_ms())
        if age_s is None or age_s >= self._orders.policy.hotlist_dead.total_seconds():
            return Stop.LIST
        return None

    def sell(self, raw: RawCard, order: Order, key: OperationKey, *, asked: bool) -> Work | Tapped:
        """The writes of an offline sale that stands in the journal, or why there is none and the key is closed.

        ``asked``: the server may know the key; if nothing is sold, it takes back what it may have posted. Raises
        ``JournalBroken`` with the card not touched.
        """
        stop = self.stop()
        if stop in (Stop.NOT_ALLOWED, Stop.CLOCK, Stop.FULL):
            return self._stopped(stop, key, asked=asked)
        try:
            purse = decode(raw, self._orders.card_keys)
        except (ForeignCard, CardDamaged) as error:
            foreign = isinstance(error, ForeignCard)
            refusal = Refusal.FOREIGN_CARD if foreign else Refusal.UNREADABLE
            self._close(key, refusal, asked=asked)
            return refused(refusal, key=key, uid=raw.uid)
        day = self._clock.day()
        verdict = offline.refusal(
            purse,
            order.fen,
            day=day,
            now_ms=self._clock.now_ms(),
            journal=self._journal,
            hotlist=self._hotlist,
            policy=self._orders.policy,
        )
        if verdict is Refusal.OFFLINE_STOPPED:
            return self._stopped(Stop.LIST, key, asked=asked)
        if verdict is not None:
            self._close(key, verdict, asked=asked)
            signal = display.refused(verdict, fen=order.fen, funds_fen=purse.card_fen)
            return Tapped(Ending.REFUSED, signal, key, verdict, card_fen=purse.card_fen, uid=raw.uid)
        plan = offline.plan(purse, raw, order.fen, key=key, day=day, keys=self._orders.card_keys)
        self._journal.offline(key, plan.sale, plan.write, day)
        return Work(
            key, raw.uid, order.fen, asked=asked, plan=plan, left=[plan.write], card_fen=plan.card_fen
        )

    def balance(self, raw: RawCard) -> Tapped:
        """What the card itself says. Touches nothing."""
        try:
            purse = decode(raw, self._orders.card_keys)
        except ForeignCard:
            return refused(Refusal.FOREIGN_CARD, uid=raw.uid)
        except CardDamaged:
            return refused(Refusal.UNREADABLE, uid=raw.uid)
        today_fen = purse.spent_on(self._clock.day())
        signal = display.balance(purse.card_fen, today_fen=today_fen, limit_fen=purse.day_limit_fen)
        return Tapped(Ending.BALANCE, signal, card_fen=purse.card_fen, uid=raw.uid)

    def _stopped(self, stop: Stop, key: OperationKey, *, asked: bool) -> Tapped:
        self._close(key, Refusal.OFFLINE_STOPPED, asked=asked)
        ending = Ending.UNKNOWN if asked else Ending.REFUSED
        return Tapped(ending, stop_signal(stop), key, Refusal.OFFLINE_STOPPED)

    def _close(self, key: OperationKey, refusal: Refusal, *, asked: bool) -> None:
        self._closing.end(key, refusal.value, report=ABANDONED if asked else None)


def stop_signal(stop: Stop) -> Signal:
    """What a tap shows and sounds that came to nothing for this reason."""
    return {
        Stop.NOT_ALLOWED: display.no_answer,
        Stop.CLOCK: display.clock_wrong,
        Stop.FULL: display.journal_full,
        Stop.LIST: display.list_too_old,
        Stop.STORAGE: display.journal_broken,
    }[stop]()


def stop_words(stop: Stop) -> Words:
    """The same in a few words, for a till that waits."""
    return display.NO_LINE if stop is Stop.NOT_ALLOWED else stop_signal(stop).face.line2
