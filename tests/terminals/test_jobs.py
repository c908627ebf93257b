"""Card jobs over the signed API: who may, one at a desk, exactly once for the money, an end that is an end."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from accounts.models import Account, Card
from accounts.services import cards
from accounts.services.rows import By
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.tearing import Tear
from terminals.messages.jobs import Verdict
from terminals.models import CardJob, JobKind, JobState
from terminals.services import jobs
from terminals.services.jobs import JobOrder
from tests.campus import NOON, Counter, Person, make_person
from tests.terminals.desk import CLERK, Desk, lower_book
from tests.transactions.test_offline import sell_offline
from transactions.models import Entry
from transactions.services.orders import KeyReused

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE_THE_WRITE = 11
"""Operations of a reading at a till and of opening the sector to write."""
TEAR_OF_THE_WRITE = 11
"""The same at a desk: two sectors read, the third opened, then the UID and the key before the write."""


@pytest.fixture
def desk(server):
    return Desk(server)


def test_read(desk):
    person = make_person(28_40)
    job = desk.order("read")

    ended = desk.do(job, person.plastic)

    assert ended.state is JobState.DONE
    assert (ended.result["book_fen"], ended.result["card_fen"], ended.result["number"]) == (
        28_40, 28_40, person.account.number,
    )  # fmt: skip
    assert ended.result["refusal"] is None


def test_load(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)

    ended = desk.do(job, person.plastic)

    assert (ended.state, ended.card_outcome) == (JobState.DONE, "written")
    assert (person.book_fen, person.card_fen) == (78_40, 78_40)
    entry = Entry.objects.get(account_id=person.account.id, seq=ended.entry_seq)
    assert (entry.kind, entry.contra, entry.book_change_fen) == ("top_up", "drawer", 50_00)


def test_set(desk):
    person = make_person(2_40)
    Counter().tap(person, 1_30, leave_after=BEFORE_THE_WRITE, report=False)
    assert (person.book_fen, person.card_fen) == (1_10, 2_40)

    ended = desk.do(desk.order("set", person), person.plastic)

    assert ended.state is JobState.DONE
    assert (person.book_fen, person.card_fen) == (1_10, 1_10)


def test_mark_and_unmark(desk):
    person = make_person(28_40)

    desk.do(desk.order("mark", person, on=True), person.plastic)
    marked = desk.do(desk.order("read"), person.plastic)
    desk.do(desk.order("mark", person, on=False), person.plastic)
    clear = desk.do(desk.order("read"), person.plastic)

    assert marked.result["spend"]["stop"]
    assert not clear.result["spend"]["stop"]


def test_prepare(desk):
    person = make_person(28_40)
    cards.replace(person.card_row.pk, by=By(CLERK, desk.server.now))
    order = cards.NewCard(person.account.id, "formal", desk.server.now.date())
    blank = cards.prepare(order, by=By(CLERK, desk.server.now))
    chip = ClassicCard.blank(bytes.fromhex("04e00001"))
    job = desk.order("prepare", person, card_id=blank.pk)

    ended = desk.do(job, chip)

    assert ended.state is JobState.DONE
    card = Card.objects.get(pk=blank.pk)
    assert (card.life, card.uid, card.card_fen) == ("issued", "04E00001", 28_40)
    person.plastic = chip
    assert person.card_fen == 28_40
    assert Counter().tap(person, 5_50).refusal is None
    assert (person.book_fen, person.card_fen) == (22_90, 22_90)


# -------------------------------------------------------------------------------------------- once and no oftener


def test_the_same_click_twice_is_one_job(desk):
    person = make_person(28_40)
    order = JobOrder(uuid.uuid4(), JobKind.LOAD, desk.box.id, person.account.id, params={"fen": 1_00})

    first = jobs.order_job(order, actor=CLERK, now=desk.server.now)
    second = jobs.order_job(order, actor=CLERK, now=desk.server.now)

    assert (first.id, CardJob.objects.count()) == (second.id, 1)
    with pytest.raises(KeyReused):
        jobs.order_job(replace(order, params={"fen": 2_00}), actor=CLERK, now=desk.server.now)


def test_the_same_key_is_answered_as_before_and_posts_once(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.poll()
    shown = desk.show(job, person.plastic)

    again = desk.ask(job, shown.seq, shown.uid, shown.raw, None, shown.link)

    assert again.answer == shown.answer
    assert Entry.objects.filter(account_id=person.account.id, kind="top_up").count() == 1


def test_a_second_key_of_the_same_job_writes_again_but_posts_nothing(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.do(job, person.plastic, leave_after=TEAR_OF_THE_WRITE, tear=Tear.MIX)
    assert desk.state(job).trouble == "torn"

    ended = desk.do(job, person.plastic)

    assert (ended.state, ended.card_outcome) == (JobState.DONE, "written")
    assert (person.book_fen, person.card_fen) == (78_40, 78_40)
    assert Entry.objects.filter(account_id=person.account.id, kind="top_up").count() == 1


def test_the_same_key_for_another_job_is_a_fault(desk):
    person = make_person(28_40)
    first = desk.order("load", person, fen=1_00)
    desk.poll()
    told = desk.show(first, person.plastic)
    desk.tell(first, told.seq, desk.write(told))
    other = desk.order("load", person, fen=1_00)
    desk.poll()

    reply = desk.box.call("job_card", desk.message(other, told.seq, told.uid, told.raw))

    assert (reply.status, reply.body["error"]) == (409, "key_reused")
    assert person.book_fen == 29_40


def test_reports_may_be_repeated_in_any_order(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.poll()
    first = desk.show(job, person.plastic)
    second = desk.show(job, person.plastic)
    outcome = desk.write(second)

    answers = [
        desk.tell(job, first.seq, "not_written"),
        desk.tell(job, second.seq, outcome),
        desk.tell(job, second.seq, outcome),
        desk.tell(job, first.seq, "not_written"),
        desk.tell(job, first.seq, "unknown"),
    ]

    assert [answer["state"] for answer in answers] == ["writing", "done", "done", "done", "done"]
    assert (desk.state(job).state, person.book_fen, person.card_fen) == (JobState.DONE, 78_40, 78_40)


def test_a_late_word_clears_up_a_doubt(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.poll()
    shown = desk.show(job, person.plastic)
    outcome = desk.write(shown)
    jobs.give_up_job(job, actor=CLERK, now=desk.server.now)
    assert desk.state(job).state is JobState.STATE_UNKNOWN

    desk.tell(job, shown.seq, outcome)

    assert desk.state(job).state is JobState.DONE
    person.fresh()
    assert (person.card_row.card_fen, person.card_row.legs) == (78_40, {})


# ------------------------------------------------------------------------------------------------ the right card


def test_another_card_is_not_touched_and_the_job_waits_on(desk):
    person, other = make_person(28_40), make_person(10_00)
    job = desk.order("load", person, fen=50_00)
    desk.poll()

    shown = desk.show(job, other.plastic)

    assert (shown.answer.verdict, shown.answer.trouble) == (Verdict.OTHER_CARD, "wrong_card")
    assert (other.book_fen, other.card_fen, person.book_fen) == (10_00, 10_00, 28_40)
    assert desk.do(job, person.plastic).state is JobState.DONE


def test_after_a_tear_only_the_same_card_goes_on(desk):
    person, other = make_person(28_40), make_person(10_00)
    job = desk.order("load", person, fen=50_00)
    desk.do(job, person.plastic, leave_after=TEAR_OF_THE_WRITE)

    assert desk.show(job, other.plastic).answer.verdict is Verdict.OTHER_CARD


def test_a_blank_and_a_foreign_card(desk):
    blank = ClassicCard.blank(bytes.fromhex("04e00009"))
    job = desk.order("read")

    ended = desk.do(job, blank)

    assert (ended.state, ended.result["refusal"]) == (JobState.DONE, "foreign_card")
    person = make_person(28_40)
    load = desk.order("load", person, fen=50_00)
    desk.poll()
    shown = desk.show(load, blank)
    assert (shown.answer.verdict, shown.answer.trouble) == (Verdict.OTHER_CARD, "foreign_card")


@pytest.mark.parametrize(
    ("kind", "params"), [("load", {"fen": 1_00}), ("load", {"claim": True}), ("mark", {"on": False})]
)
@pytest.mark.parametrize(
    ("standing", "refusal"), [("frozen", "card_frozen"), ("lost", "card_lost"), ("replaced", "card_replaced")]
)
def test_a_card_that_is_not_in_order_gets_no_money(desk, kind, params, standing, refusal):
    person = make_person(28_40)
    if standing == "frozen":
        freeze(person)
    elif standing == "lost":
        Card.objects.filter(pk=person.card_row.pk).update(lost=True, lost_at=desk.server.now)
    else:
        cards.replace(person.card_row.pk, by=By(CLERK, desk.server.now))
    job = desk.order(kind, person, **params)

    ended = desk.do(job, person.plastic)

    assert (ended.state, ended.refusal) == (JobState.REFUSED, refusal)
    assert (person.book_fen, person.card_fen) == (28_40, 28_40)


def test_a_frozen_card_is_set_to_its_book_and_keeps_the_stop_mark(desk):
    person = make_person(80_00)
    lower_book(person, 52_00)
    freeze(person)

    ended = desk.do(desk.order("set", person), person.plastic)

    assert ended.state is JobState.DONE
    assert (person.book_fen, person.card_fen) == (28_00, 28_00)
    assert desk.do(desk.order("read"), person.plastic).result["spend"]["stop"]


def test_offline_money_is_not_given_away_by_a_set(desk):
    person = make_person(28_40)
    sell_offline(Counter(911), person, 5_00)

    ended = desk.do(desk.order("set", person), person.plastic)

    assert (ended.state, ended.refusal) == (JobState.REFUSED, "offline_open")
    assert (person.book_fen, person.card_fen) == (28_40, 23_40)


def test_a_restored_dump_is_set_only_when_people_decided_so(desk):
    person = make_person(28_40)
    dump = person.plastic.to_json()
    till = Counter(901)
    till.tap(person, 5_50)
    till.tap(person, 1_00)  # and with it goes up that the first one was read back
    person.plastic = ClassicCard.from_json(dump)

    alone = desk.do(desk.order("set", person), person.plastic)
    decided = desk.do(desk.order("set", person, despite_finding=True), person.plastic)

    assert (alone.state, alone.refusal) == (JobState.REFUSED, "card_suspect")
    assert decided.state is JobState.DONE
    assert (person.book_fen, person.card_fen) == (21_90, 21_90)
    assert Counter(903).tap(person, 1_90).refusal is None
    assert (person.book_fen, person.card_fen) == (20_00, 20_00)


def test_a_purse_is_filled_to_the_bound_and_not_beyond(desk):
    person = make_person(900_00)

    over = desk.do(desk.order("load", person, fen=100_01), person.plastic)
    full = desk.do(desk.order("load", person, fen=100_00), person.plastic)

    assert (over.state, over.refusal) == (JobState.REFUSED, "top_up_too_large")
    assert (full.state, person.book_fen, person.card_fen) == (JobState.DONE, 1000_00, 1000_00)


def test_a_chip_in_force_is_never_prepared(desk):
    person, other = make_person(28_40), make_person(10_00)
    cards.replace(person.card_row.pk, by=By(CLERK, desk.server.now))
    blank = cards.prepare(cards.NewCard(person.account.id, "formal"), by=By(CLERK, desk.server.now))
    job = desk.order("prepare", person, card_id=blank.pk)
    desk.poll()

    shown = desk.show(job, other.plastic)

    assert (shown.answer.verdict, shown.answer.trouble) == (Verdict.OTHER_CARD, "chip_in_use")
    assert other.card_fen == 10_00


def test_a_chip_is_written_anew_when_the_book_moved_meanwhile(desk):
    person = make_person(28_40)
    cards.replace(person.card_row.pk, by=By(CLERK, desk.server.now))
    blank = cards.prepare(cards.NewCard(person.account.id, "formal"), by=By(CLERK, desk.server.now))
    chip = ClassicCard.blank(bytes.fromhex("04e00002"))
    job = desk.order("prepare", person, card_id=blank.pk)
    desk.poll()
    shown = desk.show(job, chip)
    outcome = desk.write(shown)
    lower_book(person, 8_40)

    answer = desk.tell(job, shown.seq, outcome)

    assert answer["go_on"]
    assert Card.objects.get(pk=blank.pk).life == "blank"
    assert desk.do(job, chip).state is JobState.DONE
    person.plastic = chip
    assert (person.book_fen, person.card_fen, Card.objects.get(pk=blank.pk).card_fen) == (20_00, 20_00, 20_00)


def test_a_chip_that_was_a_card_before_begins_above_its_last_number(desk):
    person, till = make_person(28_40), Counter(901)
    till.tap(person, 1_00)
    dump = person.plastic.to_json()
    till.tap(person, 1_00)
    cards.replace(person.card_row.pk, by=By(CLERK, desk.server.now))
    blank = cards.prepare(cards.NewCard(person.account.id, "formal"), by=By(CLERK, desk.server.now))
    job = desk.order("prepare", person, card_id=blank.pk)

    ended = desk.do(job, person.plastic)

    assert ended.state is JobState.DONE
    card = Card.objects.get(pk=blank.pk)
    assert (card.spend_seq, card.spend_total_fen, card.load_total_fen) == (103, 0, 26_40)
    person.card_row = card
    assert Counter(902).tap(person, 1_40).refusal is None
    assert (person.book_fen, person.card_fen) == (25_00, 25_00)
    old = desk.do(desk.order("read"), ClassicCard.from_json(dump))
    assert old.result["finding"] == "rollback"


def freeze(person: Person) -> None:
    Account.objects.filter(pk=person.account.pk).update(frozen_reasons=["by_hand"], frozen_at=NOON)
