"""Cards for many: opened together, made again when spoilt, handed over by the list (guide L19, R006)."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from datetime import date
from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts import batches
from accounts.actors import AtCounter
from accounts.making import Step, making_of
from accounts.models import (
    Account,
    AuditEvent,
    Card,
    CardLife,
    DocumentKind,
    Holder,
    IssueBatch,
    IssueItem,
    Secret,
    SecretKind,
)
from accounts.services import cards, issuing, roster_issue
from accounts.services.errors import NotAllowed
from accounts.services.passwords import matches
from accounts.services.roster_issue import Choice, IssueOrder, NobodyChosen
from purse.policy import Policy
from tests.accounts.conftest import NOW, SECRETS
from tests.accounts.roster import Office, id_number, person, xlsx

pytestmark = pytest.mark.django_db
UNTIL = date(2030, 7, 31)


@pytest.fixture
def office(world):
    return Office(world.campus)


def open_batch(office, key=None, *, until=UNTIL, **choice):
    order = IssueOrder(key or uuid.uuid4(), "新生", Choice(office.campus.pk, **choice), until)
    return roster_issue.open_batch(
        order, officer=office.officer, by=office.by, policy=Policy(), secrets=SECRETS
    )


def made(item: IssueItem) -> Card:
    """As the reader's job does it."""
    return cards.issue(item.card_id, f"{0xB0000000 + item.card_id:08X}", by=office_by())


def office_by():
    from tests.accounts.conftest import BY

    return BY


def test_everybody_new_gets_a_pending_account_a_blank_card_and_both_initial_passwords(office):
    office.take(xlsx(person(1), person(2)))

    batch = open_batch(office)

    accounts = Account.objects.order_by("holder__school_no")
    assert [(a.life, a.kind, a.daily_limit_fen, a.book_fen) for a in accounts] == [
        ("pending", "formal", 50_00, 0)
    ] * 2
    assert all(10_000 <= account.number <= 99_999 for account in accounts)
    blanks = Card.objects.filter(account__in=accounts)
    assert [(card.life, card.uid, card.issue_no, card.expires_on) for card in blanks] == [
        ("blank", "", 1, UNTIL)
    ] * 2
    assert batches.batch_facts(batch.pk).total == 2
    query = Secret.objects.get(account=accounts[0], kind=SecretKind.QUERY)
    pin = id_number(1).rstrip("X")[-6:]
    assert query.pin_hash is None
    assert matches(query, pin, kind=SecretKind.QUERY, secrets=SECRETS).right
    assert Counter(AuditEvent.objects.values_list("action", flat=True))["account.open"] == 2


def test_who_has_no_citizen_number_gets_no_password_and_is_listed(office):
    """A16: no default; the holder sets one at the counter."""
    office.take(xlsx(person(1), person(2, document_kind="护照", id_number="E12345678")))

    batch = open_batch(office)

    assert Secret.objects.count() == 2
    assert batches.batch_facts(batch.pk).without_pin == 1
    assert [item.has_document for item in batches.items(batch.pk)] == [True, False]


def test_the_order_is_college_class_number(office):
    rows = [("水产学院", "2班", 5), ("水产学院", "1班", 9), ("工程学院", "3班", 7), ("水产学院", "1班", 3)]
    office.take(xlsx(*[person(serial, unit=unit, group=group) for unit, group, serial in rows]))

    found = batches.items(open_batch(office).pk)

    expected = sorted((unit, group, f"2026{serial:07d}") for unit, group, serial in rows)
    assert sorted((item.unit, item.group, item.school_no) for item in found) == expected
    runs = [item.unit for at, item in enumerate(found) if at == 0 or found[at - 1].unit != item.unit]
    assert len(runs) == len(set(runs)) == 2
    assert [item.school_no for item in found if item.group == "1班"] == ["20260000003", "20260000009"]


def test_the_same_click_twice_opens_once(office):
    office.take(xlsx(person(1)))
    key = uuid.uuid4()

    assert open_batch(office, key).pk == open_batch(office, key).pk
    assert (IssueBatch.objects.count(), Account.objects.count()) == (1, 1)


def test_nobody_is_given_a_second_account(office):
    office.take(xlsx(person(1)))
    open_batch(office)

    with pytest.raises(NobodyChosen):
        open_batch(office)
    assert IssueBatch.objects.count() == 1


def test_only_students_and_staff_on_the_roster_of_this_campus(office, world):
    """R004: others get a named card, one by one; who left the roster gets none."""
    office.take(xlsx(person(1), person(2, kind="其他人员"), person(3, kind="教职工")))
    world.person()
    Holder.objects.get(school_no="20260000001").member.__class__.objects.filter(
        holder__school_no="20260000001"
    ).update(left_at=NOW)

    assert [item.school_no for item in batches.items(open_batch(office).pk)] == ["20260000003"]


def test_a_choice_narrows_by_file_kind_and_college(office):
    first = office.take(xlsx(person(1), person(2, unit="工程学院"), person(3, kind="教职工")))
    office.take(xlsx(person(4)))

    def who(**choice):
        found = roster_issue.candidates(Choice(office.campus.pk, **choice), own_holder_id=None)
        return {holder.school_no[-1] for holder in found}

    assert who() == {"1", "2", "3", "4"}
    assert who(file_id=first.pk) == {"1", "2", "3"}
    assert who(kind="staff") == {"3"}
    assert who(unit="工程学院") == {"2"}


def test_nobody_makes_his_own_card(world):
    boss = Office(world.campus, "boss")
    boss.take(xlsx(person(1), person(2)))
    clerk = Office(world.campus, "clerk", holder=Holder.objects.get(school_no="20260000001"))

    assert [item.school_no for item in batches.items(open_batch(clerk).pk)] == ["20260000002"]


@pytest.mark.parametrize(
    "until", [date(2026, 11, 23), date(2032, 1, 1)], ids=["today", "five years and more"]
)
def test_a_last_day_that_is_none_opens_nothing(office, until):
    office.take(xlsx(person(1)))

    with pytest.raises(NotAllowed):
        open_batch(office, until=until)
    assert not Account.objects.exists()


def test_a_spoilt_card_is_voided_and_another_blank_takes_its_place_once(office):
    office.take(xlsx(person(1)))
    item = IssueItem.objects.get(batch=open_batch(office))
    spoilt = item.card_id
    roster_issue.note_printed(item.batch_id, range(1, 51), by=office.by)
    made(item)

    for _ in range(2):
        roster_issue.make_again(item.pk, spoilt, by=office.by)

    item.refresh_from_db()
    assert Card.objects.get(pk=spoilt).life == CardLife.VOID
    assert (item.card.life, item.card.issue_no, item.card.expires_on, item.printed_at) == (
        "blank",
        2,
        UNTIL,
        None,
    )
    assert Card.objects.count() == 2
    assert batches.next_blank(item.batch_id).card_id == item.card_id


def test_handing_over_takes_the_account_into_use_once(office):
    office.take(xlsx(person(1), person(2)))
    first, second = IssueItem.objects.filter(batch=open_batch(office)).order_by("place")
    made(first)

    def hand_over():
        return roster_issue.hand_over(
            first.batch_id, [first.pk, second.pk], officer=office.officer, by=office.by
        )

    assert hand_over() == 1
    assert hand_over() == 0
    assert (
        Account.objects.get(pk=first.account_id).life,
        Account.objects.get(pk=second.account_id).life,
    ) == (
        "open",
        "pending",
    )
    assert Account.objects.get(pk=first.account_id).version == 2  # the card's issue, and this
    assert AuditEvent.objects.filter(action="card.hand_over").count() == 1
    assert AuditEvent.objects.filter(action="account.start").count() == 1


def test_a_card_that_was_handed_over_is_not_made_again(office):
    office.take(xlsx(person(1)))
    item = IssueItem.objects.get(batch=open_batch(office))
    made(item)
    roster_issue.hand_over(item.batch_id, [item.pk], officer=office.officer, by=office.by)

    with pytest.raises(NotAllowed):
        roster_issue.make_again(item.pk, item.card_id, by=office.by)


def test_a_card_that_a_desk_handed_over_is_not_made_again_by_the_list(office):
    """No document, no fee, and the money of a card in use: that is a replacement, not a misprint."""
    office.take(xlsx(person(1)))
    item = IssueItem.objects.get(batch=open_batch(office))
    made(item)
    door = AtCounter(office.by.actor, DocumentKind.NONE, card_on_reader=True)
    issuing.hand_over(uuid.uuid4(), item.account_id, door=door, now=NOW)

    with pytest.raises(NotAllowed):
        roster_issue.make_again(item.pk, item.card_id, by=office.by)

    assert Card.objects.get(pk=item.card_id).life == CardLife.ACTIVE


def test_the_list_names_the_card_that_a_desk_made_again(office):
    office.take(xlsx(person(1), person(2)))
    item, other = IssueItem.objects.filter(batch=open_batch(office)).order_by("place")
    roster_issue.note_printed(item.batch_id, range(1, 51), by=office.by)
    made(item)
    door = AtCounter(office.by.actor, DocumentKind.NONE)

    again = issuing.void_and_again(uuid.uuid4(), item.account_id, "芯片坏了", door=door, now=NOW).card

    item.refresh_from_db()
    other.refresh_from_db()
    assert (item.card_id, item.printed_at) == (again.pk, None)
    assert other.printed_at == NOW
    assert batches.next_blank(item.batch_id).card_id == again.pk


def test_a_card_that_a_desk_hands_over_is_handed_over_on_the_list(office):
    office.take(xlsx(person(1)))
    item = IssueItem.objects.get(batch=open_batch(office))
    made(item)
    door = AtCounter(office.by.actor, DocumentKind.NONE, card_on_reader=True)

    issuing.hand_over(uuid.uuid4(), item.account_id, door=door, now=NOW)

    item.refresh_from_db()
    assert (item.handed_at, item.handed_by_id) == (NOW, office.officer.id)
    assert roster_issue.hand_over(item.batch_id, [item.pk], officer=office.officer, by=office.by) == 0


def test_a_card_that_was_handed_over_by_the_list_is_not_voided_by_a_desk(office):
    """It stays "issued" until a reader sees it, also in its holder's pocket."""
    office.take(xlsx(person(1)))
    item = IssueItem.objects.get(batch=open_batch(office))
    made(item)
    door = AtCounter(office.by.actor, DocumentKind.NONE)
    roster_issue.hand_over(item.batch_id, [item.pk], officer=office.officer, by=office.by)
    assert making_of(item.account_id).step is Step.DONE

    with pytest.raises(NotAllowed):
        issuing.void_and_again(uuid.uuid4(), item.account_id, "坏了", door=door, now=NOW)

    assert Card.objects.get(account=item.account_id).life == CardLife.ISSUED


def test_nobody_hands_his_own_card_to_himself(world):
    boss = Office(world.campus, "boss")
    boss.take(xlsx(person(1)))
    item = IssueItem.objects.get(batch=open_batch(boss))
    made(item)
    clerk = Office(world.campus, "clerk", holder=Holder.objects.get())

    assert roster_issue.hand_over(item.batch_id, [item.pk], officer=clerk.officer, by=clerk.by) == 0


def test_the_database_hands_over_only_what_is_made_and_only_once(office):
    office.take(xlsx(person(1)))
    item = IssueItem.objects.get(batch=open_batch(office))
    fields = {"handed_at": NOW, "handed_by": office.operator}

    with pytest.raises(IntegrityError, match="is not made"), transaction.atomic():
        IssueItem.objects.filter(pk=item.pk).update(**fields)
    made(item)
    IssueItem.objects.filter(pk=item.pk).update(**fields)
    with pytest.raises(IntegrityError, match="was handed over"), transaction.atomic():
        IssueItem.objects.filter(pk=item.pk).update(handed_at=None, handed_by=None)


@pytest.mark.django_db(transaction=True)
def test_two_desks_at_once_open_nobody_twice(real_world):
    """Real threads: the same people, two keys."""
    office = Office(real_world.campus)
    office.take(xlsx(*[person(serial) for serial in range(30)]))
    both, results = Barrier(2), []

    def go():
        both.wait()
        try:
            results.append(open_batch(office).pk)
        except NobodyChosen:
            results.append(None)
        finally:
            connection.close()

    threads = [Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found is None for found in results) == [False, True]
    assert Account.objects.count() == Account.objects.values("number").distinct().count() == 30


@pytest.mark.parametrize("people", [400, pytest.param(5000, marks=pytest.mark.long)])
def test_a_year_of_cards_in_few_statements(office, people, capsys):
    office.take(xlsx(*[person(serial) for serial in range(people)]))
    began = time.monotonic()
    with CaptureQueriesContext(connection) as asked:
        batch = open_batch(office)
    seconds = time.monotonic() - began

    with capsys.disabled():
        print(f"\n{people} accounts with cards: {seconds:.1f} s, {len(asked)} statements")
    assert batches.batch_facts(batch.pk).total == Account.objects.count() == people
    assert len(asked) < 20 + 12 * (-(-people // 2500))
