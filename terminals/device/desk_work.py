"""A desk's job from the ticket to its end: read, note, ask, note, write, read back, note, tell.

The order is the promise: a key is on disk before the question leaves, the slots that are about to be written are on
disk before the first byte, and the outcome is on disk before it is told. Whatever is cut in between, the next start
knows what is certain, and the server says what is still to be written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from purse.keys import KeyBundle
from purse.link import CardGone, CardLink, LinkError, SeveralCards
from purse.procedures import CardDamaged, ClassicDriver, ForeignCard, Outcome, RawCard, slot_write
from terminals.device import desk_face
from terminals.device.cardwork import Work, carry_out
from terminals.device.client import NoAnswer, Rejected
from terminals.device.clock import Clock
from terminals.device.desk_face import DeskFace
from terminals.device.desk_line import DeskClient, DeskJournal
from terminals.device.store import JournalBroken
from terminals.messages.jobs import (
    JobCardAnswer,
    JobCardRequest,
    JobProgressRequest,
    JobResultRequest,
    JobTicket,
    Trouble,
    Verdict,
)
from terminals.messages.wire import OperationKey

ASK_TIMES = 3
"""How often a shown card is asked about under the same key before it is read anew."""
READ_TIMES = 3
WRITE_TIMES = 3
"""How often a card that lies still is shown again after a write that was not read back."""
PREPARE = "prepare"


@dataclass(frozen=True, slots=True)
class Seen:
    """A card as it was read. ``raw`` None: blank, foreign or unreadable."""

    uid: bytes
    raw: RawCard | None
    trouble: Trouble | None = None


class DeskWork:
    """The job under way. Used by one thread; ``show`` is called with every new face."""

    def __init__(
        self,
        keys: KeyBundle,
        journal: DeskJournal,
        client: DeskClient,
        clock: Clock,
        show: Callable[[DeskFace], None],
    ) -> None:
        self.ticket: JobTicket | None = None
        self.card_must_leave = False
        """The card on the reader was looked at and is not the one."""
        self.trouble: Trouble | None = None
        self._keys = keys
        self._journal = journal
        self._client = client
        self._clock = clock
        self._show = show
        self._told: tuple[str, Trouble | None] | None = None
        self._unfinished = False
        """Something was written for this job and not read back: only the same card can go on."""
        self._failures = 0
        self._unread = 0

    # ------------------------------------------------------------------------------------------------ the job

    def take(self, ticket: JobTicket) -> None:
        """Begin with a job, or go on with one that this desk had begun before it was switched off."""
        self.ticket, self._failures, self._unread, self._told = ticket, 0, 0, None
        self.card_must_leave, self._unfinished = False, ticket.told
        self.wait(None)

    def wait(self, trouble: Trouble | None) -> None:
        """Wait for a card, and say what is in the way. What was torn stays torn until its card is back."""
        if self.ticket is not None:
            if trouble is None and self._unfinished and self.ticket.kind != PREPARE:
                trouble = Trouble.TORN
            self.trouble = trouble
            self._say("card_awaited", trouble, desk_face.awaiting(self.ticket, trouble))

    def keep_alive(self) -> None:
        """Say again how far it is; the answer tells whether the job goes on. Raises ``NoAnswer`` and ``Rejected``."""
        if self.ticket is None or self._told is None:
            return
        state, trouble = self._told
        answer = self._client.job_progress(JobProgressRequest(self.ticket.id, state, trouble))
        if not answer.go_on:
            self._leave(desk_face.ended(self.ticket))

    def tell(self, *, last: bool = False) -> None:
        """Tell every ending that the server has not heard. Raises ``NoAnswer``, ``Rejected`` and ``JournalBroken``."""
        for untold in self._journal.untold():
            mine = self.ticket is not None and untold.job == self.ticket.id
            answer = self._client.job_result(
                JobResultRequest(
                    job=untold.job,
                    journal=untold.key.journal,
                    seq=untold.key.seq,
                    outcome=untold.outcome,
                    trouble=self.trouble if mine and untold.outcome is not Outcome.CONFIRMED else None,
                    last=last and mine,
                )
            )
            self._journal.heard(untold.key)
            if mine and not answer.go_on and self.ticket is not None:
                done = answer.state == "done"
                self._leave(desk_face.done(self.ticket, None) if done else desk_face.ended(self.ticket))

    # ------------------------------------------------------------------------------------------------ the card

    def card(self, link: CardLink) -> None:
        """A card lies in the field. Raises ``NoAnswer`` and ``Rejected`` when the server is out of reach."""
        ticket = self.ticket
        if ticket is None:
            return
        self._say("reading", None, desk_face.reading(ticket))
        driver = ClassicDriver(link, self._keys)
        seen = self._read(driver, ticket) if self.ticket is ticket else None
        if seen is None:
            return
        try:
            key = self._journal.show(ticket.id, seen.uid, self._clock.now_ms())
            answer = self._ask(ticket, key, seen)
            self._follow(driver, ticket, key, seen, answer)
        except JournalBroken:
            self.card_must_leave = True
            self.wait(Trouble.JOURNAL_BROKEN)

    def _read(self, driver: ClassicDriver, ticket: JobTicket) -> Seen | None:
        """The card's content, or None when the card must be put down again."""
        try:
            uid = driver.identify()
        except SeveralCards:
            self._unfit(Trouble.SEVERAL_CARDS)
            return None
        except LinkError:
            self._gone()
            return None
        if ticket.kind == PREPARE:
            return Seen(uid, None)
        try:
            seen = Seen(uid, driver.read_purse(with_ring=True))
        except ForeignCard:
            return Seen(uid, None, Trouble.FOREIGN_CARD)
        except SeveralCards:
            self._unfit(Trouble.SEVERAL_CARDS)
            return None
        except CardGone:
            self._gone()
            return None
        except LinkError:
            self._unread += 1
            if self._unread < READ_TIMES:
                return None  # it lies there still: read it again
            return Seen(uid, None, Trouble.UNREADABLE)
        self._unread = 0
        return seen

    def _ask(self, ticket: JobTicket, key: OperationKey, seen: Seen) -> JobCardAnswer:
        """Ask under this key, and again. Nothing has been written, so a key without an answer ends as certain."""
        request = JobCardRequest(
            job=ticket.id,
            journal=key.journal,
            seq=key.seq,
            uid=seen.uid.hex(),
            card=seen.raw,
            trouble=seen.trouble,
            at_ms=self._clock.now_ms(),
        )
        for attempt in range(ASK_TIMES):
            try:
                return self._client.job_card(request)
            except NoAnswer:
                if attempt == ASK_TIMES - 1:
                    self._journal.end(key, "no_answer", report=Outcome.NOT_WRITTEN.value)
                    raise
            except Rejected:
                self._journal.end(key, "rejected", report=None)
                raise
        raise AssertionError("unreachable")

    def _follow(
        self, driver: ClassicDriver, ticket: JobTicket, key: OperationKey, seen: Seen, answer: JobCardAnswer
    ) -> None:
        """Do what a verified answer says."""
        if answer.verdict is Verdict.WRITE:
            self._write(driver, ticket, key, seen, answer)
            return
        self._journal.end(key, answer.verdict.value, report=None)
        if answer.verdict is Verdict.OTHER_CARD:
            self._unfit(answer.trouble or Trouble.WRONG_CARD)
        elif answer.verdict is Verdict.DONE:
            self._leave(desk_face.done(ticket, answer.card_fen if seen.raw else None))
        elif answer.verdict is Verdict.REFUSED:
            self._leave(desk_face.refused(ticket))
        else:
            self._leave(desk_face.ended(ticket))

    def _write(
        self, driver: ClassicDriver, ticket: JobTicket, key: OperationKey, seen: Seen, answer: JobCardAnswer
    ) -> None:
        """Write, read back, note, tell. The same key is never written twice; what is left the server tells anew."""
        work = Work(key, seen.uid, ticket.fen, card_fen=answer.card_fen, book_fen=answer.book_fen)
        if seen.raw is not None:
            work.left = [slot_write(seen.raw, write.side, write.slot, write.image) for write in answer.writes]
        self._journal.writing(key, work.left)
        self._show(desk_face.writing(ticket))
        outcome, self.trouble = self._carry_out(driver, work, answer)
        self._journal.end(key, outcome.value, report=outcome.value)
        if outcome is Outcome.CONFIRMED:
            self.trouble, self._told = None, ("writing", None)
        self._unfinished = outcome is not Outcome.CONFIRMED
        self._failures += self.trouble in (Trouble.NOT_CONFIRMED, Trouble.CHIP_VOID)
        given_up = self._failures >= WRITE_TIMES
        try:
            self.tell(last=given_up)
        except NoAnswer:
            if outcome is Outcome.CONFIRMED:
                self._leave(
                    desk_face.done(ticket, answer.card_fen)
                )  # it was read back; the server hears it later
        if self.ticket is not None and outcome is not Outcome.CONFIRMED:
            self.card_must_leave = self.trouble is Trouble.CHIP_VOID
            self.wait(self.trouble)

    def _carry_out(
        self, driver: ClassicDriver, work: Work, answer: JobCardAnswer
    ) -> tuple[Outcome, Trouble | None]:
        """How the writing ended, and what is in the way if it did not end well."""
        if answer.blocks:
            return self._personalise(driver, work.uid, dict(answer.blocks))
        outcome = carry_out(driver, work)
        if outcome is Outcome.CONFIRMED:
            return outcome, None
        if outcome is Outcome.NOT_WRITTEN and work.touched:
            outcome = Outcome.UNKNOWN  # an earlier one of these writes is there
        return outcome, Trouble.NOT_CONFIRMED if _lies_there(driver, work.uid) else Trouble.TORN

    def _personalise(
        self, driver: ClassicDriver, uid: bytes, blocks: dict[int, bytes]
    ) -> tuple[Outcome, Trouble | None]:
        try:
            driver.personalise(uid, blocks)
        except ForeignCard:
            return Outcome.UNKNOWN, Trouble.CHIP_VOID
        except (LinkError, CardDamaged):
            return Outcome.UNKNOWN, Trouble.NOT_CONFIRMED if _lies_there(driver, uid) else Trouble.TORN
        return Outcome.CONFIRMED, None

    # ---------------------------------------------------------------------------------------------------- inside

    def _gone(self) -> None:
        """The card left before anything of this showing was written; an earlier one may still be unfinished."""
        self.wait(Trouble.TORN if self._unfinished else Trouble.CARD_GONE)

    def _unfit(self, trouble: Trouble) -> None:
        self.card_must_leave = True
        self.wait(trouble)

    def _leave(self, face: DeskFace) -> None:
        """The job is over; the card may stay for the next one."""
        self.ticket, self.trouble, self._told = None, None, None
        self.card_must_leave = False
        self._show(face)

    def _say(self, state: str, trouble: Trouble | None, face: DeskFace) -> None:
        """Show it, and tell the server if it is news. A dead line keeps nobody from reading a card."""
        self._show(face)
        if self.ticket is None or self._told == (state, trouble):
            return
        self._told = (state, trouble)
        try:
            self.keep_alive()
        except NoAnswer:
            return  # told with the next sign of life


def _lies_there(driver: ClassicDriver, uid: bytes) -> bool:
    try:
        return driver.identify() == uid
    except LinkError:
        return False
