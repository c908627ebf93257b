"""Card jobs as their desk sees them: take one, tell how far it is, show a card, tell how the write ended.

Each function runs in one transaction under the job's lock, together with what it does to the book, so a job and its
money cannot come apart. Everything may be repeated: a key is answered as before, a report too many changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import InternalError, OperationalError, transaction

from accounts.models import LIVE_CARD, Card
from purse.procedures import Outcome
from purse.procedures.health import broken_copies
from purse.rules import Refusal
from terminals.messages.jobs import (
    JobCardAnswer,
    JobCardRequest,
    JobProgressRequest,
    JobResultRequest,
    JobStateAnswer,
    JobTicket,
    Trouble,
    Verdict,
)
from terminals.messages.wire import OperationKey, Write, content_hash
from terminals.models import OPEN_STATES, CardJob, CardJobStep, JobKind, JobState
from terminals.services import cashwork, chipwork, jobs
from terminals.services.chipwork import SchoolMac
from terminals.services.jobsteps import end_refused, go_to, tell, word
from terminals.services.taps import Counterpart, moment
from transactions.models import Contra, EntryKind
from transactions.services import desk, outcomes
from transactions.services.desk import DeskReply, Reading
from transactions.services.orders import Busy, TapOrder
from transactions.services.outcomes import CardWrite
from transactions.services.plan import Source

MOVES_BOOK = (JobKind.LOAD, JobKind.UNLOAD)
NO_ENTRY = (JobKind.PREPARE, JobKind.EXTEND)
"""The book has no answer under the keys of these."""


def next_job(desk_id: int, *, now: datetime) -> JobTicket | None:
    """The open job of this desk, which is taken from now on; None when there is none. One small query when idle."""
    if not CardJob.objects.filter(desk_id=desk_id, state__in=OPEN_STATES).exists():
        return None
    with _exactly():
        job = CardJob.objects.select_for_update().filter(desk_id=desk_id, state__in=OPEN_STATES).first()
        if job is None or jobs.end_if_overdue(job, now=now):
            return None
        if job.state == JobState.ORDERED:
            job.taken_at = now
            go_to(job, JobState.TAKEN, None, now=now)
        expected = _expected(job)
        return JobTicket(
            id=job.id,
            kind=job.kind,
            state=job.state,
            uid=job.uid or None if job.told else (expected.uid.lower() or None if expected else None),
            told=job.told,
            number=job.account.number if job.account else None,
            fen=job.params.get("fen", 0),
        )


def progress(asked: JobProgressRequest, *, desk_id: int, now: datetime) -> JobStateAnswer:
    """Take in how far the desk is. A step is added when something changed; the rest only says that it is there."""
    with _exactly():
        job = _locked(asked.job, desk_id)
        if job is None or not job.is_open or jobs.end_if_overdue(job, now=now):
            return _state(job)
        go_to(job, JobState(asked.state), asked.trouble, now=now)
        return _state(job)


def show_card(asked: JobCardRequest, *, of: Counterpart, school_mac: SchoolMac) -> JobCardAnswer:
    """Decide about a card on the desk's reader: book first, then what is to be written on it.

    Raises ``KeyReused`` (the key stands for another request) and ``Busy`` (ask again with the same key).
    """
    key = OperationKey(of.machine.id, asked.journal, asked.seq).as_uuid()
    with _exactly():
        job = _locked(asked.job, of.machine.id)
        if job is None or not job.is_open or jobs.end_if_overdue(job, now=of.book.now):
            return JobCardAnswer(Verdict.OVER, _state(job).state)
        wrong = _wrong(job, asked)
        if wrong is not None:
            return _other_card(job, wrong, now=of.book.now)
        if job.kind == JobKind.PREPARE:
            return chipwork.prepare(job, asked, key, of, school_mac)
        if job.kind == JobKind.EXTEND and (job.told or asked.card is not None):
            return chipwork.extend(job, asked, key, of)
        if asked.card is None:
            return _unread(job, asked, now=of.book.now)
        order = TapOrder(
            key=key,
            journal_seq=asked.seq,
            asked=content_hash({"job": str(job.id), "card": {"uid": asked.uid}}),
            card=asked.card,
            fen=0,
            at=of.book.now if job.params.get("despite_finding") else moment(asked.at_ms),
            till=of.till,
        )
        reply = _act(job, order, of)
        if job.kind == JobKind.READ:
            broken = broken_copies(asked.card, of.book.keys)
            job.result = {"uid": asked.uid, "account_id": None, "broken": broken} if broken else None
        return _decided(job, key, asked.uid, reply, now=of.book.now)


def take_result(asked: JobResultRequest, *, of: Counterpart) -> JobStateAnswer:
    """Take in how the write of a shown card ended. Raises ``Busy``."""
    key, now = OperationKey(of.machine.id, asked.journal, asked.seq).as_uuid(), of.book.now
    with _exactly():
        job = _locked(asked.job, of.machine.id)
        if job is None:
            return _state(None)
        told = job.steps.filter(key=key).first()
        if told is not None and not _heard_before(job, key, asked.outcome):
            _settle(job, told, asked, of)
        if asked.last and job.is_open:
            jobs.end_given_up(job, now=now, trouble=asked.trouble.value if asked.trouble else "")
        return _state(job)


# ------------------------------------------------------------------------------------------------ a card is shown


def _act(job: CardJob, order: TapOrder, of: Counterpart) -> DeskReply:
    """Have the book decide. What was booked once is from then on only brought to the card."""
    params, book = job.params, of.book
    match JobKind(job.kind):
        case JobKind.READ:
            return desk.read_card(order, heal=params["heal"], book=book)
        case JobKind.SET:
            return desk.set_card(order, despite_finding=params["despite_finding"], book=book)
        case JobKind.MARK:
            return desk.mark_card(order, on=params["on"], book=book)
        case _ if job.entry_seq is not None:
            return desk.read_card(order, heal=True, book=book)
        case _ if params.get("claim"):
            return desk.claim_card(order, book=book)
        case JobKind.UNLOAD:
            return cashwork.unload(job, order, of)
        case _ if params["contra"] == Contra.DRAWER and params["contra_ref"] is not None:
            return cashwork.load(job, order, of)
    source = Source(EntryKind(params["kind"]), Contra(params["contra"]), params["contra_ref"], params["note"])
    return desk.load_card(order, params["fen"], source, book=book)


def _decided(job: CardJob, key: uuid.UUID, uid: str, reply: DeskReply, *, now: datetime) -> JobCardAnswer:
    tap, reading = reply.tap, reply.reading
    job.uid, job.heard_at = uid, now
    job.result = _result(job, reading, tap.card_fen if tap.writes else None)
    if reply.entry_seq is not None and job.kind in MOVES_BOOK:
        job.entry_seq = reply.entry_seq
    verdict = Verdict.WRITE
    if reply.refusal is not None:
        verdict = Verdict.REFUSED
        end_refused(job, reply.refusal, now=now)
    elif not tap.writes:
        verdict = Verdict.DONE
        done = reading is not None and _reached(job, reading)
        jobs.end(job, JobState.DONE if done else JobState.STATE_UNKNOWN, now=now)
    else:
        detail = {"writes": [[write.side.value, write.seq] for write in tap.writes], "entry": job.entry_seq}
        tell(job, key, detail, now=now)
    return JobCardAnswer(
        verdict=verdict,
        state=job.state,
        refusal=reply.refusal.value if reply.refusal else None,
        book_fen=tap.book_fen,
        card_fen=tap.card_fen,
        writes=tuple(Write(write.side, write.slot, write.image) for write in tap.writes),
    )


def _reached(job: CardJob, reading: Reading) -> bool:
    """Whether a card to which nothing needs to be written is what the job wanted."""
    items = reading.sighted.items
    match JobKind(job.kind):
        case JobKind.SET:
            return reading.difference_fen == 0
        case JobKind.LOAD:
            return reading.sighted.finding is None and items.unwritten_fen == 0
        case JobKind.UNLOAD:
            return reading.sighted.finding is None and items.torn_fen == 0
        case JobKind.MARK:
            return bool(reading.sighted.purse.spend.stop == job.params["on"])
        case _:
            return True


def _unread(job: CardJob, asked: JobCardRequest, *, now: datetime) -> JobCardAnswer:
    """The card gave no content. To a reader of cards that is an answer; any other job cannot use it."""
    trouble = asked.trouble or Trouble.UNREADABLE
    refusal = Refusal.FOREIGN_CARD if trouble is Trouble.FOREIGN_CARD else Refusal.UNREADABLE
    if job.kind != JobKind.READ:
        return _other_card(job, trouble, now=now)
    job.uid = asked.uid
    job.result = {"uid": asked.uid, "account_id": None, "refusal": refusal.value}
    jobs.end(job, JobState.DONE, now=now, trouble=trouble.value, refusal=refusal.value)
    return JobCardAnswer(Verdict.DONE, job.state, refusal=refusal.value, trouble=trouble)


def _wrong(job: CardJob, asked: JobCardRequest) -> Trouble | None:
    """What is wrong with this card for this job; None when it is the one, or any will do."""
    if job.kind == JobKind.PREPARE:
        in_force = Card.objects.filter(uid=asked.uid.upper(), life__in=LIVE_CARD)
        return Trouble.CHIP_IN_USE if in_force.exists() else None
    if job.told:
        return None if asked.uid == job.uid else Trouble.WRONG_CARD
    expected = _expected(job)
    if expected is None or expected.uid == asked.uid.upper():
        return None
    return Trouble.FOREIGN_CARD if asked.trouble is Trouble.FOREIGN_CARD else Trouble.WRONG_CARD


def _expected(job: CardJob) -> Card | None:
    """The card that this job is about, None where any will do: the one named, else the account's newest."""
    if job.account_id is None or job.kind == JobKind.PREPARE:
        return None
    if job.card_id is not None:
        return Card.objects.get(id=job.card_id)
    mine = Card.objects.filter(account_id=job.account_id).exclude(uid="")
    live = mine.filter(life__in=LIVE_CARD).first()
    return live or mine.order_by("-issue_no").first() or Card(uid="-")


def _other_card(job: CardJob, trouble: Trouble, *, now: datetime) -> JobCardAnswer:
    go_to(job, JobState.CARD_AWAITED, trouble, now=now)
    return JobCardAnswer(Verdict.OTHER_CARD, job.state, trouble=trouble)


# ----------------------------------------------------------------------------------------------------- a write ended


def _settle(job: CardJob, told: CardJobStep, asked: JobResultRequest, of: Counterpart) -> None:
    now, outcome = of.book.now, CardWrite(asked.outcome.value)
    assert told.key is not None
    if job.kind not in NO_ENTRY:
        report = outcomes.Report(told.key, outcome)
        if told.key not in outcomes.report_outcomes([report], till=of.till, now=now):
            raise Busy("somebody else holds the card")
    newest = job.steps.filter(key__isnull=False).order_by("-id").first() == told
    detail = {"of": str(told.key), "outcome": outcome.value}
    CardJobStep.objects.create(job=job, at=now, state=job.state, trouble=word(asked.trouble), detail=detail)
    if not newest:
        return
    job.card_outcome, job.heard_at = outcome.value, now
    job.save(update_fields=["card_outcome", "heard_at"])
    may_end = job.is_open or job.state == JobState.STATE_UNKNOWN
    if asked.outcome is Outcome.CONFIRMED and may_end:
        if job.kind == JobKind.PREPARE:
            chipwork.issue(job, told, of)
        else:
            jobs.end(job, JobState.DONE, now=now)
    elif job.is_open:
        go_to(job, JobState.CARD_AWAITED, asked.trouble or Trouble.TORN, now=now)


def _heard_before(job: CardJob, key: uuid.UUID, outcome: Outcome) -> bool:
    return job.steps.filter(detail__of=str(key), detail__outcome=outcome.value).exists()


# ------------------------------------------------------------------------------------------------------------ inside


@contextmanager
def _exactly() -> Iterator[None]:
    """One transaction; whatever PostgreSQL undoes may be asked again."""
    try:
        with transaction.atomic():
            yield
    except (OperationalError, InternalError) as error:
        raise Busy(type(error).__name__) from error


def _locked(job_id: uuid.UUID, desk_id: int) -> CardJob | None:
    """The job under its lock, if it is this desk's; one desk never hears of another's."""
    return CardJob.objects.select_for_update().filter(id=job_id, desk_id=desk_id).first()


def _state(job: CardJob | None) -> JobStateAnswer:
    return JobStateAnswer(job.is_open, job.state) if job else JobStateAnswer(False, JobState.CANCELLED.value)


def _result(job: CardJob, reading: Reading | None, after_fen: int | None) -> dict[str, Any] | None:
    """What was read, which copies on the card are not whole, and what it holds once everything is written."""
    seen = job.result if job.kind == JobKind.READ else None
    if reading is None:
        return seen
    broken = (seen or {}).get("broken", {})
    return {**reading.to_json(), "after_fen": after_fen, **({"broken": broken} if broken else {})}
