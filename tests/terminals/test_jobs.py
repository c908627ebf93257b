"""Card jobs over the signed API: who may, one at a desk, exactly once for the money, an end that is an end."""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Account, Card
from accounts.services import cards
from accounts.services.rows import By
from purse.procedures import Outcome
from terminals.device.reader.model import ClassicCard
from terminals.messages.jobs import Verdict
from terminals.models import CardJob, CardJobStep, JobState
from terminals.services import jobs
from terminals.services.jobs import JobOrder, OrderProblem, OrderRefused
from tests.campus import Counter, make_person
from tests.terminals.conftest import make_box
from tests.terminals.desk import CLERK, Desk, job_row
from transactions.models import Entry
from transactions.services.orders import KeyReused

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE_THE_WRITE = 11
"""Operations of a reading and of opening the sector to write."""


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
