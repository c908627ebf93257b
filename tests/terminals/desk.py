"""A desk boiled down to the protocol: poll, read, show, write, tell. The program itself has tests of its own."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from accounts.actors import Actor, Channel
from purse.keys import DESK
from purse.link import LinkError
from purse.procedures import ClassicDriver, ForeignCard, Outcome, RawCard, slot_write
from terminals.device.reader.field import Fault, Field
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.tearing import Tear
from terminals.messages.jobs import JobCardAnswer, JobTicket, Trouble, Verdict
from terminals.messages.wire import card_to_json
from terminals.models import CardJob, JobKind
from terminals.services import jobs
from tests.campus import KEYS, NOON, Person
from tests.terminals.conftest import Box, Server, make_box
from transactions import ledger
from transactions.ledger import AccountFacts, Change, NewEntry
from transactions.models import Contra, EntryKind, Mode

CLERK = Actor.operator(1, role="supervisor", channel=Channel.COUNTER, place="desk")


@dataclass
class Shown:
    """A card that was shown to the server, and what it said."""

    seq: int
    uid: bytes
    raw: RawCard | None
    answer: JobCardAnswer
    link: Any


class Desk:
    """One desk of the campus with its reader."""

    def __init__(self, server: Server, box: Box | None = None) -> None:
        self.server = server
        self.box = box or make_box(server, kind="desk")
        self.field = Field()
        self.keys = KEYS.only(DESK)
        self.journal = "de" * 16
        self.seq = 0

    # -- the page -------------------------------------------------------------------------------------------

    def order(
        self, kind: str, person: Person | None = None, *, card_id: int | None = None, **params: Any
    ) -> uuid.UUID:
        order = jobs.JobOrder(
            key=uuid.uuid4(),
            kind=JobKind(kind),
            desk_id=self.box.id,
            account_id=person.account.id if person else None,
            card_id=card_id,
            params=params,
        )
        return jobs.order_job(order, actor=CLERK, now=self.server.now).id

    def state(self, job: uuid.UUID) -> jobs.JobView:
        return jobs.job_state(job, now=self.server.now)

    # -- the agent ------------------------------------------------------------------------------------------

    def poll(self, wait_ms: int = 0) -> JobTicket | None:
        reply = self.box.call("job", {"wait_ms": wait_ms})
        assert reply.status == 200, reply.body
        return JobTicket.parse(reply.body["job"]) if reply.body["job"] else None

    def progress(self, job: uuid.UUID, state: str, trouble: str | None = None) -> dict[str, Any]:
        reply = self.box.call("job_progress", {"job": str(job), "state": state, "trouble": trouble})
        assert reply.status == 200, reply.body
        return reply.body

    def show(self, job: uuid.UUID, plastic: ClassicCard, *, fault: Fault | None = None) -> Shown:
        """Lay a card down and show it under the next key."""
        self.field.lift()
        self.field.place(plastic, fault=fault)
        link = self.field.select()
        assert link is not None
        self.seq += 1
        raw, trouble = None, None
        try:
            raw = ClassicDriver(link, self.keys).read_purse()
        except ForeignCard:
            trouble = Trouble.FOREIGN_CARD.value
        return self.ask(job, self.seq, plastic.uid, raw, trouble, link)

    def ask(
        self, job: uuid.UUID, seq: int, uid: bytes, raw: RawCard | None, trouble: str | None, link: Any
    ) -> Shown:
        """Ask about a card; the same ``seq`` again is the same key."""
        reply = self.box.call("job_card", self.message(job, seq, uid, raw, trouble))
        assert reply.status == 200, reply.body
        return Shown(seq, uid, raw, JobCardAnswer.parse(reply.body), link)

    def message(
        self, job: uuid.UUID, seq: int, uid: bytes, raw: RawCard | None, trouble: str | None = None
    ) -> dict[str, Any]:
        return {
            "job": str(job),
            "journal": self.journal,
            "seq": seq,
            "uid": uid.hex(),
            "card": card_to_json(raw) if raw else None,
            "trouble": trouble,
            "at_ms": self.server.now_ms,
        }

    def write(self, shown: Shown) -> Outcome:
        """Write what the server told, in order."""
        driver = ClassicDriver(shown.link, self.keys)
        if shown.answer.blocks:
            try:
                driver.personalise(shown.uid, dict(shown.answer.blocks))
            except (LinkError, ForeignCard):
                return Outcome.UNKNOWN
            return Outcome.CONFIRMED
        ended = Outcome.CONFIRMED
        for write in shown.answer.writes:
            ended = driver.commit(slot_write(shown.raw, write.side, write.slot, write.image), shown.uid)
            if ended is not Outcome.CONFIRMED:
                break
        return ended

    def tell(
        self,
        job: uuid.UUID,
        seq: int,
        outcome: Outcome | str,
        *,
        trouble: str | None = None,
        last: bool = False,
    ) -> dict[str, Any]:
        message = {
            "job": str(job),
            "journal": self.journal,
            "seq": seq,
            "outcome": str(getattr(outcome, "value", outcome)),
            "trouble": trouble,
            "last": last,
        }
        reply = self.box.call("job_result", message)
        assert reply.status == 200, reply.body
        return reply.body

    def do(
        self,
        job: uuid.UUID,
        plastic: ClassicCard,
        *,
        leave_after: int | None = None,
        tear: Tear = Tear.BEFORE,
    ) -> jobs.JobView:
        """One showing from beginning to end; the card is pulled after so many operations."""
        self.poll()
        fault = None if leave_after is None else Fault(leave_after, tear)
        try:
            shown = self.show(job, plastic, fault=fault)
        except LinkError:
            self.field.lift()
            return self.state(job)
        if shown.answer.verdict is Verdict.WRITE:
            outcome = self.write(shown)
            self.field.lift()
            self.tell(job, shown.seq, outcome, trouble=None if outcome is Outcome.CONFIRMED else "torn")
        self.field.lift()
        return self.state(job)


def job_row(job: uuid.UUID) -> CardJob:
    return CardJob.objects.get(id=job)


def lower_book(person: Person, fen: int) -> None:
    """A fee that was booked past the card: it holds more than any record explains."""
    account = person.fresh()
    before = AccountFacts(
        account.id, account.number, "open", tuple(account.frozen_reasons), account.daily_limit_fen, account.book_fen,
        account.unclaimed_fen, account.entry_seq, account.version, account.spent_on, account.spent_fen,
    )  # fmt: skip
    book_fen, seq = account.book_fen - fen, account.entry_seq + 1
    entry = NewEntry(
        seq, EntryKind.FEE, -fen, 0, book_fen, 0, Contra.FEE, None, uuid.uuid4(), NOON, Mode.SERVER
    )  # fmt: skip
    change = Change(before, book_fen, 0, None, 0, before.frozen_reasons, NOON, entries=(entry,))
    assert ledger.write(change).moved
