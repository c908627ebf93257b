"""One tap, from the first card command to the last: read, note, ask, write, read back, note.

The order is the promise: the key is on disk before a byte leaves, the card is written only on a verified answer (or on
an offline sale that is on disk), and PAID is said only of a write that was read back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from purse.keys import KeyBundle, Role
from purse.link import CardGone, CardLink, LinkError, SeveralCards
from purse.policy import Policy
from purse.procedures import ClassicDriver, ForeignCard, Outcome, RawCard, load_sector, slot_write
from purse.rules import Refusal
from terminals.device import client as talk
from terminals.device import display
from terminals.device.alone import Alone, Stop
from terminals.device.cardwork import Work, carry_out
from terminals.device.client import Client, NoAnswer, Rejected
from terminals.device.clock import Clock
from terminals.device.closing import Closing, LeftOpen
from terminals.device.config import Config
from terminals.device.hotlist import Hotlist
from terminals.device.journal import Journal
from terminals.device.orders import Orders
from terminals.device.store import JournalBroken
from terminals.device.tapped import Ending, Order, Sold, Tapped, refused, stopped, torn
from terminals.messages.signing import SignatureError, operation_text, unseal
from terminals.messages.wire import (
    ABANDONED,
    DebitRequest,
    OperationKey,
    OutcomeReport,
    SightingRequest,
    TapAnswer,
    VoidRequest,
)

LEAST_S = 0.03
"""Less than this is no second try."""
PROBE_S = 5.0
"""How often a disk that failed is tried."""
KEY_REUSED = "key_reused"
"""The server's word for a key that it knows with another content."""


class Sales:
    """All that a till does with a card in the field. Used by one thread."""

    def __init__(
        self, config: Config, journal: Journal, client: Client, hotlist: Hotlist, clock: Clock
    ) -> None:
        self.orders = Orders(config)
        self.last: Sold | None = None
        self._seal_key = config.keys.seal
        self._journal = journal
        self._client = client
        self._hotlist = hotlist
        self._clock = clock
        self._recent: dict[tuple[bytes, int], float] = {}
        self._asking = False
        self._closing = Closing(journal, hotlist, clock)
        self._left_open = LeftOpen(journal, self._closing, clock)
        self._alone = Alone(self.orders, journal, hotlist, clock, self._closing)
        self._probed_at = clock.mono()

    @property
    def policy(self) -> Policy:
        """The bounds as they were heard last."""
        return self.orders.policy

    @property
    def offline_max_fen(self) -> int:
        """The largest sale without the server as things are."""
        return self._alone.sale_max_fen

    @property
    def stop(self) -> Stop | None:
        """Why the next sale without the server would be refused, whatever the card; a broken disk stops every sale."""
        return Stop.STORAGE if self._closing.late or self._journal.failing else self._alone.stop()

    # ------------------------------------------------------------------------------------------- what is asked

    def buy(self, link: CardLink, order: Order) -> Tapped:
        """Sell for ``order.fen`` to the card in the field."""
        driver = ClassicDriver(link, self.orders.card_keys)
        read = self._read(driver, order)
        if isinstance(read, Tapped):
            return read
        key = self._begin(read.uid, order.fen, "sale")
        if key is None:
            return stopped()
        try:
            answer = self._ask(
                lambda left_s: self._client.debit(self._debit(key, read, order), within_s=left_s)
            )
            if answer is None:
                sold = self._alone.sell(read, order, key, asked=self._asking)
                return sold if isinstance(sold, Tapped) else self._write(driver, sold)
            if isinstance(answer, Rejected):
                return self._rejected(key, answer)
            return self._follow(link, read, answer, Work(key, read.uid, order.fen))
        except JournalBroken:
            return self._stopped(key)

    def void(self, link: CardLink, sold: Sold) -> Tapped:
        """Take back a sale of this till, with its card in the field. Only the server can."""
        driver = ClassicDriver(link, self.orders.card_keys)
        read = self._read(driver, None)
        if isinstance(read, Tapped):
            return read
        if read.uid != sold.uid:
            return Tapped(Ending.OTHER_CARD, display.other_card(), sold.key, uid=read.uid)
        key = self._begin(read.uid, sold.fen, "void")
        if key is None:
            return stopped()
        try:
            answer = self._ask(
                lambda left_s: self._client.void(self._void(key, sold, read), within_s=left_s), always=True
            )
            if answer is None:
                self._closing.end(key, "no_answer", report=ABANDONED)
                return Tapped(Ending.UNKNOWN, display.no_answer(), key, uid=read.uid)
            if isinstance(answer, Rejected):
                return self._rejected(key, answer)
            return self._follow(link, read, answer, Work(key, read.uid, sold.fen, void=True))
        except JournalBroken:
            return self._stopped(key)

    def balance(self, link: CardLink) -> Tapped:
        """An empty tap: show what card and book hold. Writes nothing."""
        driver = ClassicDriver(link, self.orders.card_keys)
        read = self._read(driver, None)
        if isinstance(read, Tapped):
            return read
        request = SightingRequest(read, self._clock.now_ms(), self._unreported())
        answer = self._ask(lambda left_s: self._client.sighting(request, within_s=left_s))
        if isinstance(answer, TapAnswer):
            self._heard(answer)
            if answer.refusal is not None:
                return refused(answer.refusal, answer=answer, uid=read.uid)
            signal = display.balance(answer.card_fen, today_fen=answer.today_fen, limit_fen=answer.limit_fen)
            return Tapped(
                Ending.BALANCE, signal, card_fen=answer.card_fen, book_fen=answer.book_fen, uid=read.uid
            )
        if not self.orders.card_keys.holds(Role.MAC_SPEND):
            return Tapped(Ending.UNKNOWN, display.no_answer(), uid=read.uid)
        return self._alone.balance(read)

    def resume(self, link: CardLink, work: Work) -> Tapped:
        """A card was put back after a tear: finish the same key, if it is the same card."""
        driver = ClassicDriver(link, work.keys or self.orders.card_keys)
        try:
            if driver.identify() != work.uid:
                return Tapped(Ending.OTHER_CARD, display.other_card(), work.key, work=work)
        except SeveralCards:
            return Tapped(Ending.REFUSED, display.several_cards(), work.key, work=work)
        except LinkError:
            return torn(work)
        return self._write(driver, work)

    def give_up(self, work: Work) -> Tapped:
        """Nobody put the card back in time: the book keeps its debit (L101), and the item stays open."""
        self._end(work, Outcome.UNKNOWN if work.touched else Outcome.NOT_WRITTEN)
        return Tapped(Ending.TORN, display.unfinished(), work.key, uid=work.uid)

    def tick(self) -> None:
        """Stop waiting for cards that a power cut parted from their sale; see whether a failed disk is back."""
        self._left_open.tick()
        if self.stop is Stop.STORAGE and self._clock.mono() - self._probed_at >= PROBE_S:
            self._probed_at = self._clock.mono()
            with suppress(JournalBroken):
                self._closing.catch_up()
                self._journal.probe()

    # ------------------------------------------------------------------------------------------------ reading

    def _read(self, driver: ClassicDriver, order: Order | None) -> RawCard | Tapped:
        """The card's content, or why there is none; a sale that a power cut left on this card is finished first."""
        uid = b""
        try:
            if self._left_open:
                uid = driver.identify()
                self._left_open.finish(driver, uid)
            raw = driver.read_purse()
        except SeveralCards:
            return Tapped(Ending.REFUSED, display.several_cards(), uid=uid)
        except CardGone:
            return Tapped(Ending.TORN, display.torn(), uid=uid)
        except ForeignCard:
            return refused(Refusal.FOREIGN_CARD, uid=uid)
        except LinkError:
            return refused(Refusal.UNREADABLE, uid=uid)
        except JournalBroken:
            return stopped()
        if order is not None and order.only not in (b"", raw.uid):
            return Tapped(Ending.OTHER_CARD, display.other_card(), uid=raw.uid)
        if order is not None and not order.again and self._is_double(raw.uid, order.fen):
            return Tapped(Ending.DOUBLE, display.double_tap(), uid=raw.uid)
        return raw

    def _is_double(self, uid: bytes, fen: int) -> bool:
        """Whether this card paid this amount here within the last ten seconds (A12)."""
        since = self._clock.mono() - self.policy.double_tap.total_seconds()
        self._recent = {sale: at for sale, at in self._recent.items() if at > since}
        return (uid, fen) in self._recent

    # ------------------------------------------------------------------------------------------------- online

    def _begin(self, uid: bytes, fen: int, what: str) -> OperationKey | None:
        """The key of this tap, on disk; None when the disk does not take it, or not yet the end of an earlier one."""
        try:
            self._closing.catch_up()
            return self._journal.begin(uid=uid, fen=fen, what=what, at_ms=self._clock.now_ms())
        except JournalBroken:
            return None

    def _stopped(self, key: OperationKey) -> Tapped:
        """The disk failed under this key before its card was touched: what the server may have posted goes back."""
        self._closing.end(key, "storage", report=ABANDONED)
        return replace(stopped(), key=key)

    def _ask(
        self, call: Callable[[float], TapAnswer], *, always: bool = False
    ) -> TapAnswer | Rejected | None:
        """Ask, and once more with the same key when no answer came. None: nothing that could be believed.

        A line that is known to be dead is not asked while the till can sell without it: the holder would only wait.
        Nor is there a second try then when the first has used up the time.
        """
        can_sell = self._alone.allowed
        self._asking = always or self._client.up or not can_sell
        until = self._clock.mono() + talk.TAP_S * (1 if can_sell and not always else 2)
        for _ in range(2 if self._asking else 0):
            left_s = min(talk.TAP_S, until - self._clock.mono())
            if left_s < LEAST_S:
                break
            try:
                return call(left_s)
            except NoAnswer:
                continue
            except Rejected as error:
                return error
        return None

    def _debit(self, key: OperationKey, raw: RawCard, order: Order) -> DebitRequest:
        return DebitRequest(
            journal=key.journal,
            seq=key.seq,
            card=raw,
            fen=order.fen,
            at_ms=self._clock.now_ms(),
            pin=order.pin,
            outcomes=self._unreported(),
        )

    def _void(self, key: OperationKey, sold: Sold, raw: RawCard) -> VoidRequest:
        return VoidRequest(
            journal=key.journal,
            seq=key.seq,
            of_journal=sold.key.journal,
            of_seq=sold.key.seq,
            card=raw,
            at_ms=self._clock.now_ms(),
            outcomes=self._unreported(),
        )

    def _unreported(self) -> tuple[OutcomeReport, ...]:
        """What could ride along; a disk that cannot tell keeps nobody from looking at a card."""
        try:
            return self._journal.unreported()
        except JournalBroken:
            return ()

    def _heard(self, answer: TapAnswer) -> None:
        """Note which outcomes arrived. One that is not noted is reported again, which is harmless."""
        with suppress(JournalBroken):
            self._journal.reported(answer.recorded)

    def _follow(self, link: CardLink, raw: RawCard, answer: TapAnswer, work: Work) -> Tapped:
        """Do on the card what a verified answer says; a refusal may carry healing writes too."""
        self._heard(answer)
        work.keys = self._borrow(work.key, raw, answer)
        order = {"load": 0, "spend": 1}
        told = sorted(answer.writes, key=lambda write: order[write.side.value])
        work.left = [slot_write(raw, write.side, write.slot, write.image) for write in told]
        work.card_fen, work.book_fen, work.claimed_fen = answer.card_fen, answer.book_fen, answer.claimed_fen
        if work.left:
            self._journal.writing(work.key, work.left)
        driver = ClassicDriver(link, work.keys)
        if answer.refusal is None:
            return self._write(driver, work)
        report = carry_out(driver, work).value if work.left else None
        self._closing.end(work.key, answer.refusal.value, report=report)
        return refused(answer.refusal, answer=answer, key=work.key, fen=work.fen, uid=raw.uid)

    def _borrow(self, key: OperationKey, raw: RawCard, answer: TapAnswer) -> KeyBundle:
        """The till's card keys and, for this one answer, the LOAD key of this one card."""
        operation = operation_text(key.terminal, key.journal, key.seq)
        for write in answer.writes:
            if write.sealed_key is None:
                continue
            try:
                sector_key = unseal(
                    self._seal_key,
                    uid=raw.uid,
                    sector=load_sector(),
                    operation=operation,
                    sealed=write.sealed_key,
                )
            except SignatureError:
                continue  # the write will be refused by the card for want of a key, which is certain
            return self.orders.card_keys.with_sector_key(raw.uid, load_sector(), Role.LOAD, sector_key)
        return self.orders.card_keys

    def _rejected(self, key: OperationKey, error: Rejected) -> Tapped:
        """The server refuses the request itself (a revoked terminal, a fault of ours): nothing moved.

        A key that another sale had is not ours to give up: this disk was put back, and the other sale stands.
        """
        self._closing.end(key, "rejected", report=None if error.code == KEY_REUSED else ABANDONED)
        if error.code == KEY_REUSED:
            with suppress(JournalBroken):
                self._journal.skip_keys()
        if error.status in (401, 403):
            return refused(Refusal.TERMINAL_RIGHT, key=key)
        return Tapped(Ending.UNKNOWN, display.no_answer(), key)

    # ---------------------------------------------------------------------------------------------- the card

    def _write(self, driver: ClassicDriver, work: Work) -> Tapped:
        """Carry out the writes of an accepted key and say how it ended."""
        outcome = carry_out(driver, work)
        if outcome is Outcome.CONFIRMED:
            return self._done(work)
        if _is_gone(driver, work.uid):
            return torn(work)
        if work.touched:
            self._end(work, Outcome.UNKNOWN)
            signal = display.refused(Refusal.UNREADABLE)
            return Tapped(Ending.UNKNOWN, signal, work.key, Refusal.UNREADABLE, uid=work.uid)
        self._end(work, Outcome.NOT_WRITTEN, given_up=True)
        return refused(Refusal.UNREADABLE, key=work.key, uid=work.uid)

    def _done(self, work: Work) -> Tapped:
        self._end(work, Outcome.CONFIRMED)
        card_fen = work.card_fen
        if work.void:
            ending, signal = Ending.VOIDED, display.voided(work.fen, card_fen)
            self.last = None
            self._recent.pop((work.uid, work.fen), None)
        else:
            self.last = Sold(work.key, work.uid, work.fen)
            self._recent[work.uid, work.fen] = self._clock.mono()
            if work.plan is None:
                signal = display.paid(work.fen, card_fen, claimed_fen=work.claimed_fen)
                ending = Ending.PAID
            else:
                ending, signal = Ending.PAID_OFFLINE, display.paid_offline(work.fen, card_fen)
        return Tapped(ending, signal, work.key, card_fen=card_fen, book_fen=work.book_fen, uid=work.uid)

    def _end(self, work: Work, outcome: Outcome, *, given_up: bool = False) -> None:
        """Close the key. ``given_up``: certainly nothing was written, and the server takes its debit back."""
        if work.plan is None:
            self._closing.online(work.key, outcome, given_up=given_up)
        else:
            self._closing.offline(work.key, work.plan.sale, outcome, asked=work.asked)
        if outcome is Outcome.CONFIRMED and work.spend_seq:
            with suppress(JournalBroken):
                self._hotlist.saw(work.uid, work.spend_seq)


def _is_gone(driver: ClassicDriver, uid: bytes) -> bool:
    try:
        return driver.identify() != uid
    except LinkError:
        return True
