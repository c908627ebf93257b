"""One tap, from the first card command to the last: read, note, ask, write, read back, note.

The order is the promise: the key is on disk before a byte leaves, the card is written only on a verified answer (or on
an offline sale that is on disk), and PAID is said only of a write that was read back.
"""

from __future__ import annotations

from collections.abc import Callable

from purse.keys import KeyBundle, Role
from purse.link import CardGone, CardLink, LinkError, SeveralCards
from purse.procedures import (
    CardDamaged,
    ClassicDriver,
    ForeignCard,
    Outcome,
    RawCard,
    decode,
    load_sector,
    slot_write,
)
from purse.rules import Refusal
from terminals.device import display, offline
from terminals.device.cardwork import Work, carry_out
from terminals.device.client import Client, NoAnswer, Rejected
from terminals.device.clock import Clock
from terminals.device.closing import Closing, LeftOpen
from terminals.device.config import Config
from terminals.device.hotlist import Hotlist
from terminals.device.journal import Journal
from terminals.device.store import JournalBroken
from terminals.device.tapped import Ending, Order, Sold, Tapped, refused, stopped, torn
from terminals.messages.signing import SignatureError, operation_text, unseal
from terminals.messages.wire import (
    ABANDONED,
    DebitRequest,
    OperationKey,
    SightingRequest,
    TapAnswer,
    VoidRequest,
)


class Sales:
    """All that a till does with a card in the field. Used by one thread."""

    def __init__(
        self, config: Config, journal: Journal, client: Client, hotlist: Hotlist, clock: Clock
    ) -> None:
        self.policy = config.policy
        self.may_sell_offline = config.enrolled.may_sell_offline
        self.last: Sold | None = None
        self._card_keys = config.card_keys
        self._seal_key = config.keys.seal
        self._journal = journal
        self._client = client
        self._hotlist = hotlist
        self._clock = clock
        self._recent: dict[tuple[bytes, int], float] = {}
        self._asking = False
        self._closing = Closing(journal, hotlist, clock)
        self._left_open = LeftOpen(journal, self._closing, clock)

    # ------------------------------------------------------------------------------------------- what is asked

    def buy(self, link: CardLink, order: Order) -> Tapped:
        """Sell for ``order.fen`` to the card in the field."""
        driver = ClassicDriver(link, self._card_keys)
        read = self._read(driver, order)
        if isinstance(read, Tapped):
            return read
        try:
            key = self._journal.begin(uid=read.uid, fen=order.fen, what="sale", at_ms=self._clock.now_ms())
            answer = self._ask(lambda: self._client.debit(self._debit(key, read, order)))
            if answer is None:
                return self._sell_offline(driver, read, order, key, asked=self._asking)
            if isinstance(answer, Rejected):
                return self._rejected(key, answer)
            return self._follow(link, read, answer, Work(key, read.uid, order.fen))
        except JournalBroken:
            return stopped()

    def void(self, link: CardLink, sold: Sold) -> Tapped:
        """Take back a sale of this till, with its card in the field. Only the server can."""
        driver = ClassicDriver(link, self._card_keys)
        read = self._read(driver, None)
        if isinstance(read, Tapped):
            return read
        if read.uid != sold.uid:
            return Tapped(Ending.OTHER_CARD, display.other_card(), sold.key, uid=read.uid)
        try:
            key = self._journal.begin(uid=read.uid, fen=sold.fen, what="void", at_ms=self._clock.now_ms())
            answer = self._ask(lambda: self._client.void(self._void(key, sold, read)), always=True)
            if answer is None:
                self._journal.end(key, "no_answer", report=ABANDONED)
                return Tapped(Ending.UNKNOWN, display.no_answer(), key, uid=read.uid)
            if isinstance(answer, Rejected):
                return self._rejected(key, answer)
            return self._follow(link, read, answer, Work(key, read.uid, sold.fen, void=True))
        except JournalBroken:
            return stopped()

    def balance(self, link: CardLink) -> Tapped:
        """An empty tap: show what card and book hold. Writes nothing."""
        driver = ClassicDriver(link, self._card_keys)
        read = self._read(driver, None)
        if isinstance(read, Tapped):
            return read
        request = SightingRequest(read, self._clock.now_ms(), self._journal.unreported())
        answer = self._ask(lambda: self._client.sighting(request))
        if isinstance(answer, TapAnswer):
            self._heard(answer)
            if answer.refusal is not None:
                return refused(answer.refusal, answer=answer, uid=read.uid)
            signal = display.balance(answer.card_fen, today_fen=answer.today_fen, limit_fen=answer.limit_fen)
            return Tapped(
                Ending.BALANCE, signal, card_fen=answer.card_fen, book_fen=answer.book_fen, uid=read.uid
            )
        if not self._card_keys.holds(Role.MAC_SPEND):
            return Tapped(Ending.UNKNOWN, display.no_answer(), uid=read.uid)
        return self._balance_of_card(read)

    def resume(self, link: CardLink, work: Work) -> Tapped:
        """A card was put back after a tear: finish the same key, if it is the same card."""
        driver = ClassicDriver(link, work.keys or self._card_keys)
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
        """Stop waiting for cards that a power cut parted from their sale."""
        self._left_open.tick()

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

    def _ask(self, call: Callable[[], TapAnswer], *, always: bool = False) -> TapAnswer | Rejected | None:
        """Ask, and once more with the same key when no answer came. None: nothing that could be believed.

        A line that is known to be dead is not asked while the till can sell without it: the holder would only wait.
        """
        can_sell = offline.may_sell(self._card_keys, allowed=self.may_sell_offline)
        self._asking = always or self._client.up or not can_sell
        for _ in range(2 if self._asking else 0):
            try:
                return call()
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
            outcomes=self._journal.unreported(),
        )

    def _void(self, key: OperationKey, sold: Sold, raw: RawCard) -> VoidRequest:
        return VoidRequest(
            journal=key.journal,
            seq=key.seq,
            of_journal=sold.key.journal,
            of_seq=sold.key.seq,
            card=raw,
            at_ms=self._clock.now_ms(),
            outcomes=self._journal.unreported(),
        )

    def _heard(self, answer: TapAnswer) -> None:
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
        self._journal.end(work.key, answer.refusal.value, report=report)
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
            return self._card_keys.with_sector_key(raw.uid, load_sector(), Role.LOAD, sector_key)
        return self._card_keys

    def _rejected(self, key: OperationKey, error: Rejected) -> Tapped:
        """The server refuses the request itself (a revoked terminal, a fault of ours): nothing moved."""
        self._journal.end(key, "rejected", report=ABANDONED)
        if error.status in (401, 403):
            return refused(Refusal.TERMINAL_RIGHT, key=key)
        return Tapped(Ending.UNKNOWN, display.no_answer(), key)

    # ------------------------------------------------------------------------------------------------ offline

    def _sell_offline(
        self, driver: ClassicDriver, raw: RawCard, order: Order, key: OperationKey, *, asked: bool
    ) -> Tapped:
        """The same key without the server, where the rules allow it; else the sale is given up."""
        day, now_ms = self._clock.day(), self._clock.now_ms()
        stop = self._offline_stop(key, asked=asked)
        if stop is not None:
            return stop
        try:
            purse = decode(raw, self._card_keys)
        except (ForeignCard, CardDamaged) as error:
            refusal = Refusal.FOREIGN_CARD if isinstance(error, ForeignCard) else Refusal.UNREADABLE
            return self._give_up_offline(key, refusal, asked=asked, uid=raw.uid)
        verdict = offline.refusal(
            purse,
            order.fen,
            day=day,
            now_ms=now_ms,
            journal=self._journal,
            hotlist=self._hotlist,
            policy=self.policy,
        )
        if verdict is not None:
            return self._give_up_offline(
                key, verdict, asked=asked, uid=raw.uid, fen=order.fen, card_fen=purse.card_fen
            )
        plan = offline.plan(purse, raw, order.fen, key=key, day=day, keys=self._card_keys)
        self._journal.offline(key, plan.sale, plan.write, day)
        work = Work(
            key, raw.uid, order.fen, asked=asked, plan=plan, left=[plan.write], card_fen=plan.card_fen
        )
        return self._write(driver, work)

    def _offline_stop(self, key: OperationKey, *, asked: bool) -> Tapped | None:
        """Why this till sells nothing offline now, whatever the card; the key is closed then."""
        if not offline.may_sell(self._card_keys, allowed=self.may_sell_offline):
            signal, refusal = display.no_answer(), Refusal.OFFLINE_STOPPED
        elif self._clock.wrong:
            signal, refusal = display.clock_wrong(), Refusal.OFFLINE_STOPPED
        else:
            return None
        self._journal.end(key, refusal.value, report=ABANDONED if asked else None)
        return Tapped(Ending.UNKNOWN if asked else Ending.REFUSED, signal, key, refusal)

    def _give_up_offline(
        self, key: OperationKey, refusal: Refusal, *, asked: bool, uid: bytes, fen: int = 0, card_fen: int = 0
    ) -> Tapped:
        """Not sold offline. If the server was asked, it takes back what it may have posted."""
        self._journal.end(key, refusal.value, report=ABANDONED if asked else None)
        if refusal is Refusal.OFFLINE_STOPPED:
            return Tapped(
                Ending.UNKNOWN if asked else Ending.REFUSED, display.no_answer(), key, refusal, uid=uid
            )
        signal = display.refused(refusal, fen=fen, funds_fen=card_fen)
        return Tapped(Ending.REFUSED, signal, key, refusal, card_fen=card_fen, uid=uid)

    def _balance_of_card(self, raw: RawCard) -> Tapped:
        try:
            purse = decode(raw, self._card_keys)
        except ForeignCard:
            return refused(Refusal.FOREIGN_CARD, uid=raw.uid)
        except CardDamaged:
            return refused(Refusal.UNREADABLE, uid=raw.uid)
        today_fen = purse.spent_on(self._clock.day())
        signal = display.balance(purse.card_fen, today_fen=today_fen, limit_fen=purse.day_limit_fen)
        return Tapped(Ending.BALANCE, signal, card_fen=purse.card_fen, uid=raw.uid)

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
        """Close the key in the journal. ``given_up``: certainly nothing was written, the server takes its debit back.

        When the disk fails only now, the key stays open and is resolved or reported at the next start.
        """
        try:
            if work.plan is None:
                self._closing.online(work.key, outcome, given_up=given_up)
            else:
                self._closing.offline(work.key, work.plan.sale, outcome, asked=work.asked)
            if outcome is Outcome.CONFIRMED and work.spend_seq:
                self._hotlist.saw(work.uid, work.spend_seq)
        except JournalBroken:
            return


def _is_gone(driver: ClassicDriver, uid: bytes) -> bool:
    try:
        return driver.identify() != uid
    except LinkError:
        return True
