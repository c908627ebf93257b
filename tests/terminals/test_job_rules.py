"""Card jobs: how they end, who may be asked, who comes first, and what the database holds."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.models import AuditEvent
from purse.procedures import ClassicDriver, Outcome
from terminals.api import jobs as api
from terminals.device.reader.model import ClassicCard
from terminals.messages.jobs import Verdict
from terminals.models import CardJob, CardJobStep, JobKind, JobState
from terminals.services import jobs
from terminals.services.jobs import JobOrder, OrderProblem, OrderRefused
from tests.campus import Counter, book, make_person
from tests.terminals.conftest import make_box
from tests.terminals.desk import CLERK, Desk, job_row
from transactions.models import Entry
from transactions.services.debit import debit

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE_THE_WRITE = 11
"""Operations of a reading at a till and of opening the sector to write."""
SALES, LOADS = 20, 8


@pytest.fixture
def desk(server):
    return Desk(server)


# ------------------------------------------------------------------------------------------------ ends and bounds


def test_a_job_that_nobody_takes_expires_and_frees_the_desk(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=1_00)
    with pytest.raises(OrderRefused) as refused:
        desk.order("read")
    assert (refused.value.problem, refused.value.job) == (OrderProblem.DESK_BUSY, job)

    desk.server.pass_time(seconds=179)
    assert desk.state(job).state is JobState.ORDERED
    desk.server.pass_time(seconds=1)

    other = desk.order("read")
    assert desk.state(job).state is JobState.EXPIRED
    assert desk.poll().id == other


def test_a_job_whose_agent_died_while_writing_ends_in_doubt_with_the_money_booked(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.poll()
    desk.show(job, person.plastic)

    desk.server.pass_time(seconds=179)
    assert not desk.state(job).over
    desk.server.pass_time(seconds=1)

    ended = desk.state(job)
    assert (ended.state, ended.entry_seq is not None, person.book_fen) == (
        JobState.STATE_UNKNOWN,
        True,
        78_40,
    )
    assert Counter(901).tap(person, 1_00).refusal is None
    assert (person.book_fen, person.card_fen) == (77_40, 77_40)


@pytest.mark.parametrize(("told", "cancelled"), [(False, True), (True, False)])
def test_what_was_told_can_no_longer_be_cancelled(desk, told, cancelled):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.poll()
    if told:
        desk.show(job, person.plastic)

    assert jobs.cancel_job(job, actor=CLERK, now=desk.server.now) is cancelled

    assert desk.progress(job, "card_awaited")["go_on"] is told
    shown = desk.show(job, person.plastic)
    assert shown.answer.verdict is (Verdict.WRITE if told else Verdict.OVER)
    assert person.book_fen == (78_40 if told else 28_40)


def test_given_up_certainly_unwritten_and_unbooked_is_unchanged(desk):
    person = make_person(2_40)
    Counter(901).tap(person, 1_30, leave_after=BEFORE_THE_WRITE, report=False)
    job = desk.order("set", person)
    desk.poll()
    shown = desk.show(job, person.plastic)
    desk.tell(job, shown.seq, "not_written", trouble="card_gone", last=True)

    assert desk.state(job).state is JobState.FAILED_UNCHANGED


def test_nobody_acts_on_an_own_account(desk):
    person = make_person(28_40)
    order = JobOrder(uuid.uuid4(), JobKind.LOAD, desk.box.id, person.account.id, params={"fen": 1_00})

    with pytest.raises(OrderRefused) as refused:
        jobs.order_job(order, actor=CLERK, now=desk.server.now, own_holder_id=person.account.holder_id)

    assert refused.value.problem is OrderProblem.OWN_ACCOUNT


@pytest.mark.parametrize(
    ("kind", "params", "field"),
    [
        ("load", {}, "fen"),
        ("load", {"fen": 0}, "fen"),
        ("load", {"fen": True}, "fen"),
        ("load", {"fen": 1, "kind": "purchase"}, "kind"),
        ("load", {"fen": 1, "contra": "merchant"}, "contra"),
        ("load", {"fen": 1, "contra_ref": "7"}, "contra_ref"),
        ("load", {"fen": 1, "note": "a\nb"}, "note"),
        ("mark", {}, "on"),
        ("set", {"despite_finding": 1}, "despite_finding"),
        ("read", {"fen": 1}, "fen"),
        ("prepare", {}, "card_id"),
    ],
)
def test_what_is_not_a_job_names_the_field(desk, kind, params, field):
    order = JobOrder(uuid.uuid4(), JobKind(kind), desk.box.id, make_person(28_40).account.id, params=params)

    with pytest.raises(OrderRefused) as refused:
        jobs.order_job(order, actor=CLERK, now=desk.server.now)

    assert (refused.value.problem, refused.value.field) == (OrderProblem.BAD_PARAMS, field)


@pytest.mark.parametrize("kind", ["till", "kiosk", "query_kiosk", "door"])
@pytest.mark.parametrize("call", ["job", "job_progress", "job_card", "job_result"])
def test_only_a_desk_is_asked(server, kind, call):
    reply = make_box(server, kind=kind).call(call, {})

    assert (reply.status, reply.body["error"]) == (403, "not_allowed")


def test_a_desk_never_hears_of_anothers_job(desk):
    person, stranger = make_person(28_40), Desk(desk.server)
    job = desk.order("load", person, fen=1_00)

    assert stranger.poll() is None
    assert stranger.progress(job, "reading") == {"go_on": False, "state": "cancelled"}
    assert stranger.show(job, person.plastic).answer.verdict is Verdict.OVER
    assert stranger.tell(job, 1, "written", last=True) == {"go_on": False, "state": "cancelled"}
    assert (desk.state(job).state, person.book_fen) == (JobState.ORDERED, 28_40)


def test_two_desks_with_one_card(desk):
    person, other = make_person(28_40), Desk(desk.server)
    here, there = desk.order("load", person, fen=1_00), other.order("load", person, fen=2_00)
    desk.poll()
    other.poll()
    first = desk.show(here, person.plastic)
    desk.field.lift()
    second = other.show(there, person.plastic)

    assert desk.write(first) is Outcome.NOT_WRITTEN  # the card lies on the other reader
    other.tell(there, second.seq, other.write(second))
    desk.tell(here, first.seq, "not_written")

    assert desk.do(here, person.plastic).state is JobState.DONE
    assert other.state(there).state is JobState.DONE
    assert (person.book_fen, person.card_fen) == (31_40, 31_40)


def test_a_till_at_the_same_time(desk):
    """A desk loads while a till sells to the same account, thread against thread, again and again."""
    person = make_person(100_00)
    problems: list[str] = []

    def sell() -> None:
        try:
            till = Counter(901)
            for _ in range(SALES):
                raw = replace(person_raw)
                reply = debit(till.order(raw, 1), book=book())
                if reply.refusal not in (None, "card_suspect"):
                    problems.append(str(reply.refusal))
        finally:
            connection.close()

    person.field.place(person.plastic)
    person_raw = ClassicDriver(person.field.select(), desk.keys).read_purse()
    person.field.lift()
    seller = threading.Thread(target=sell)
    seller.start()
    posted = 0
    for _ in range(LOADS):
        job = desk.order("load", person, fen=1_00)
        desk.poll()
        shown = desk.show(job, person.plastic)
        posted += shown.answer.verdict is Verdict.WRITE
        desk.tell(job, shown.seq, "unknown", last=True)
    seller.join()

    assert problems == []
    sold = Entry.objects.filter(account_id=person.account.id, kind="purchase").count()
    loaded = Entry.objects.filter(account_id=person.account.id, kind="top_up").count()
    assert (loaded, sold) == (posted, SALES)
    assert person.book_fen == 100_00 + 1_00 * loaded - sold
    seqs = Entry.objects.filter(account_id=person.account.id).order_by("seq").values_list("seq", flat=True)
    assert list(seqs) == list(range(1, loaded + sold + 2))


def test_two_clicks_at_the_same_moment_order_one_job(desk):
    ordered, busy = [], []

    def click() -> None:
        try:
            ordered.append(desk.order("read"))
        except OrderRefused as refused:
            busy.append(refused.problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(ordered), busy) == (1, [OrderProblem.DESK_BUSY] * 3)


def test_a_waiting_question_is_answered_as_soon_as_a_job_comes(desk, monkeypatch):
    slept: list[float] = []

    def order_meanwhile(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            desk.order("read")

    monkeypatch.setattr(api.time, "sleep", order_meanwhile)

    assert desk.poll(wait_ms=2000) is not None
    assert len(slept) == 2


def test_no_more_than_two_questions_wait_in_one_process(desk, monkeypatch):
    monkeypatch.setattr(api.time, "sleep", lambda seconds: pytest.fail("a third one waited"))
    with api._waiters, api._waiters:
        assert desk.poll(wait_ms=2000) is None


# ---------------------------------------------------------------------------------------- what the database holds


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "set"},
        {"params": {"fen": 9_99}},
        {"ordered_by": "operator:9"},
        {"entry_seq": 77},
        {"told": False},
        {"state": "cancelled"},
        {"state": "writing", "ended_at": None},
    ],
)
def test_the_database_keeps_a_job_as_it_was(desk, change):
    person = make_person(28_40)
    job = desk.order("load", person, fen=1_00)
    desk.do(job, person.plastic)

    with pytest.raises(IntegrityError), transaction.atomic():
        CardJob.objects.filter(id=job).update(**change)


def test_the_database_lets_one_job_of_a_desk_be_open(desk):
    job = desk.order("read")
    row = job_row(job)
    row.id = uuid.uuid4()

    with pytest.raises(IntegrityError, match="card_job_one_open_per_desk"), transaction.atomic():
        row.save(force_insert=True)


def test_steps_only_grow(desk):
    job = desk.order("read")
    step = CardJobStep.objects.get(job_id=job)

    for act in (lambda: CardJobStep.objects.filter(pk=step.pk).update(state="done"), step.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()


def test_every_order_and_cancellation_is_in_the_audit(desk):
    job = desk.order("read")
    jobs.cancel_job(job, actor=CLERK, now=desk.server.now)

    told = AuditEvent.objects.filter(object_id=str(job)).order_by("id").values_list("action", "actor")
    assert list(told) == [("card_job.order", CLERK.who), ("card_job.cancel", CLERK.who)]


@pytest.mark.parametrize(
    ("seconds", "seen"), [(0, True), (119, True), (120, False)], ids=["at once", "two minutes", "later"]
)
def test_a_reading_speaks_for_the_card_on_the_reader_for_a_while(desk, seconds, seen):
    person, other = make_person(28_40), make_person(10_00)
    desk.do(desk.order("read"), person.plastic)
    desk.server.pass_time(seconds=seconds)

    here = {
        each.account.id: jobs.card_on_reader(each.account.id, desk_id=desk.box.id, now=desk.server.now)
        for each in (person, other)
    }

    assert (here[person.account.id] is not None, here[other.account.id]) == (seen, None)


def test_another_card_takes_the_first_one_off_the_reader(desk):
    person, other = make_person(28_40), make_person(10_00)
    desk.do(desk.order("read"), person.plastic)
    desk.server.pass_time(seconds=1)
    desk.do(desk.order("read"), other.plastic)

    assert jobs.card_on_reader(person.account.id, desk_id=desk.box.id, now=desk.server.now) is None


def test_a_chip_with_the_same_uid_is_not_the_card(desk):
    person = make_person(28_40)
    copied = ClassicCard.blank(person.plastic.uid)

    ended = desk.do(desk.order("read", person), copied)

    assert (ended.state, ended.uid) == (JobState.DONE, person.plastic.uid.hex())
    assert jobs.card_on_reader(person.account.id, desk_id=desk.box.id, now=desk.server.now) is None


def test_an_old_dump_is_not_the_card_either(desk):
    person, till = make_person(28_40), Counter(901)
    dump = person.plastic.to_json()
    till.tap(person, 1_00)
    till.tap(person, 1_00)

    ended = desk.do(desk.order("read", person), ClassicCard.from_json(dump))

    assert ended.result["finding"] == "rollback"
    assert jobs.card_on_reader(person.account.id, desk_id=desk.box.id, now=desk.server.now) is None
