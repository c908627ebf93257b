"""A card and its money: replaced for a fee, opened with a deposit, money held back; all or nothing (R009, R010)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction

from accounts.actors import Actor
from accounts.models import AccountLife, AuditEvent, Card, CardLife, CounterDeed, Holder, ServiceKind
from accounts.papers import PaperKind
from accounts.services import cards, deeds, standing
from accounts.services.errors import NotAllowed
from accounts.services.rows import By
from purse.rules import FreezeReason
from reconciliation.services.verify import verify
from terminals.services.hotlist import listed, sync_hotlist
from tests import faults
from tests.campus import NOON, POLICY, Counter, make_person
from tests.faultruns.scenes import upload
from tests.transactions.card_desk import HOUSE, Desk
from tests.transactions.test_concurrency import together
from transactions.models import CardHold, Contra, Entry, EntryKind, Receipt
from transactions.services import cardmoney, correcting, holds
from transactions.services.cardmoney import Cause, HoldRefused, PaidBy, Replacement
from transactions.services.cash import CashRefused

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
"""``verify`` reads what is committed."""
BY = By(Actor.system("test"), NOON)
TABLES = (Entry, Receipt, CounterDeed, AuditEvent, CardHold)


@pytest.fixture
def desk():
    return Desk()


def counted() -> tuple[int, ...]:
    return (*(table.objects.count() for table in TABLES), Card.objects.count())


def refused(act, *args, **kwargs) -> str:
    """Why it was not done; nothing at all was written."""
    before = counted()
    with pytest.raises((NotAllowed, CashRefused, HoldRefused)) as caught, transaction.atomic():
        act(*args, **kwargs)
    assert counted() == before
    return str(caught.value)


def entries(account) -> list[tuple[str, str, int, int]]:
    rows = Entry.objects.filter(account=account).order_by("seq")
    return [(row.kind, row.contra, row.book_change_fen, row.unclaimed_change_fen) for row in rows]


def broken() -> list[str]:
    return [f"{each.id}: {each.what}" for each in verify(policy=POLICY).broken if each.id != "L6"]


# ------------------------------------------------------------------------------------------------- replacement


@committed
def test_a_lost_card_is_replaced_for_the_fee_and_the_book_goes_on_the_new_one(desk):
    """指南 L31: own ID, the fee at the same time; 28.40 stand on the new card, the old one is dead for ever."""
    person = make_person(28_40)
    old = person.card_row

    deed = desk.replace(person)

    old.refresh_from_db()
    assert (old.life, old.lost, old.lost_at) == (CardLife.REPLACED, True, NOON)
    assert entries(person.account)[1:] == [
        ("top_up", "drawer", 0, 20_00),
        ("fee", "fee", 0, -20_00),
    ]
    assert deed.facts["fee_fen"] == 20_00
    assert deed.facts["book_fen"] == 28_40
    assert Receipt.objects.get(pk=deed.facts["receipt_id"]).fen == 20_00
    assert (deed.document, deed.document_check) == ("resident", "agrees")
    desk.remake(person, deed)
    assert (person.card_fen, person.book_fen, person.card_row.card_fen) == (28_40, 28_40, 28_40)
    assert broken() == []


@committed
def test_the_fee_may_come_from_the_book_and_the_new_card_holds_what_is_left(desk):
    person = make_person(28_40)

    deed = desk.replace(person, Cause.DAMAGED, paid_by=PaidBy.BOOK)

    assert entries(person.account)[1:] == [("fee", "fee", -20_00, 0)]
    desk.remake(person, deed)
    assert (person.card_fen, person.book_fen) == (8_40, 8_40)
    assert broken() == []


@pytest.mark.parametrize(("held_fen", "goes"), [(19_99, False), (20_00, True)])
def test_the_book_must_hold_the_whole_fee(desk, held_fen, goes):
    person = make_person(held_fen)

    if goes:
        assert desk.replace(person, paid_by=PaidBy.BOOK).facts["book_fen"] == 0
    else:
        assert refused(desk.replace, person, paid_by=PaidBy.BOOK) == "book_short"
        assert person.fresh()
        assert person.card_row.life == CardLife.ACTIVE


def test_a_card_that_failed_by_itself_costs_nothing(desk):
    person = make_person(10_00)

    deed = desk.replace(person, Cause.FAULT)

    assert len(entries(person.account)) == 1
    assert (deed.facts["fee_fen"], deed.facts["receipt"]) == (0, "")


def test_without_an_open_shift_no_cash_is_taken_and_the_old_card_lives_on(desk):
    """R010: neither the fee nor the replacement; the first half of it was rolled back."""
    person = make_person(10_00)
    desk.till.close()

    assert refused(desk.replace, person) == "no_shift"
    assert person.fresh()
    assert person.card_row.life == CardLife.ACTIVE
    assert not person.card_row.lost


def test_the_same_key_replaces_once_and_other_content_is_refused(desk):
    person = make_person(10_00)
    order = Replacement(uuid.uuid4(), person.account.pk, Cause.LOST, desk.pays(), "补卡工本费")

    first = cardmoney.replace_card(order, door=desk.door(), now=NOON, house=HOUSE)
    before = counted()
    again = cardmoney.replace_card(order, door=desk.door(), now=NOON + timedelta(hours=1), house=HOUSE)

    assert again.pk == first.pk

    assert counted() == before
    other = Replacement(order.key, person.account.pk, Cause.FAULT, desk.pays(), "补卡工本费")
    with pytest.raises(deeds.KeyReused):
        cardmoney.replace_card(other, door=desk.door(), now=NOON, house=HOUSE)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda person: standing.freeze(person.account.pk, [FreezeReason.BY_HAND], by=BY), "account_frozen"),
        (lambda person: cards.move(person.card_row.pk, CardLife.RETURNED, by=BY), "no_card"),
        (
            lambda person: Card.objects.filter(pk=person.card_row.pk).update(
                expires_on=NOON.date() - timedelta(days=1)
            ),
            "card_expired",
        ),
        (
            lambda person: cards.prepare(cards.NewCard(person.account.pk, ServiceKind.FORMAL), by=BY),
            "card_waiting",
        ),
    ],
)
def test_what_is_not_replaced(desk, spoil, why):
    person = make_person(10_00)
    spoil(person)

    assert refused(desk.replace, person) == why


def test_the_last_day_itself_is_not_expired(desk):
    person = make_person(10_00)
    Card.objects.filter(pk=person.card_row.pk).update(expires_on=NOON.date())

    assert desk.replace(person).facts["expires_on"] == NOON.date().isoformat()


@pytest.mark.parametrize(
    "paper", [PaperKind.WORK_PERMIT, PaperKind.HR_LETTER, PaperKind.STUDENT_CARD], ids=str
)
def test_only_an_identity_document_replaces_a_card(desk, paper):
    person = make_person(10_00)
    order = Replacement(uuid.uuid4(), person.account.pk, Cause.LOST, desk.pays(), "补卡工本费")

    why = refused(cardmoney.replace_card, order, door=desk.door(paper), now=NOON, house=HOUSE)
    assert why == "document_needed"


def test_the_old_card_is_refused_online_at_once_and_stays_on_the_list_for_ever(desk):
    """A10, A22: dead at every door, also after the new one is in use and in later versions of the list."""
    person = make_person(10_00)
    old_plastic, old_uid = person.plastic, person.card_row.uid.lower()
    deed = desk.replace(person)
    assert Counter().tap(person, 1_00).refusal == "card_replaced"

    desk.remake(person, deed)
    sync_hotlist(now=NOON)
    sync_hotlist(now=NOON + timedelta(days=400))

    assert listed(old_uid) == "card_replaced"
    assert listed(person.card_row.uid.lower()) is None
    new_plastic, person.plastic = person.plastic, old_plastic
    assert Counter().tap(person, 1_00).refusal == "card_replaced"
    person.plastic = new_plastic
    assert Counter().tap(person, 1_00).refusal is None


def test_a_late_record_of_the_old_card_is_charged_and_the_new_one_gives_it_up(desk):
    """Decision 0016: 30.00, offline 4.50, lost, replaced with 30.00; the record comes: book 25.50, next tap heals."""
    person, away = make_person(30_00), Counter(3)
    record = away.sell_offline(person, 4_50)
    desk.remake(person, desk.replace(person))
    assert (person.book_fen, person.card_fen) == (30_00, 30_00)

    upload(away, record, now=NOON + timedelta(days=1))

    assert (person.book_fen, person.card_fen) == (25_50, 30_00)
    till = Counter(8)
    till.now = NOON + timedelta(days=1)
    assert till.tap(person, 50).refusal is None
    assert (person.book_fen, person.card_fen) == (25_00, 25_00)


# --------------------------------------------------------------------------------------------------- held money


@committed
def test_money_is_held_back_for_silent_tills_and_comes_back_on_its_day(desk):
    """A23: 50.00 held for five days; the new card holds the rest, and gets it at its next tap after that."""
    person = make_person(80_00)
    deed = desk.replace(person, hold_fen=50_00, hold_days=5)
    desk.remake(person, deed)
    assert (person.book_fen, person.card_fen) == (30_00, 30_00)
    assert holds.held_fen(person.account) == 50_00
    assert broken() == []

    (row,) = holds.open_holds(person.account.pk)
    early = row.until_at - timedelta(seconds=1)
    assert holds.release_due(actor=desk.actor, now=early, policy=POLICY) == 0
    assert holds.release_due(actor=desk.actor, now=row.until_at, policy=POLICY) == 1
    assert holds.release_due(actor=desk.actor, now=row.until_at, policy=POLICY) == 0

    assert (person.book_fen, person.card_fen) == (80_00, 30_00)
    till = Counter()
    assert till.tap(person, 2_00).refusal is None
    assert till.tap(person, 2_00).refusal is None
    assert (person.book_fen, person.card_fen) == (76_00, 76_00)
    assert broken() == []


@committed
def test_a_late_record_takes_the_held_money_before_it_takes_the_book_below_zero(desk):
    """Held 20.00 of 20.00; a record over 12.00 comes: the book owes it, and what was held covers it the same night."""
    person, away = make_person(20_00), Counter(3)
    record = away.sell_offline(person, 12_00)
    desk.remake(person, desk.replace(person, hold_fen=20_00, hold_days=5))
    later = NOON + timedelta(days=1)
    upload(away, record, now=later)
    assert person.book_fen == -12_00

    assert holds.release_due(actor=desk.actor, now=later, policy=POLICY) == 1

    assert (person.book_fen, person.fresh().unclaimed_fen) == (8_00, 0)
    assert broken() == []


@pytest.mark.parametrize(
    ("fen", "days", "goes"),
    [(80_00, 5, True), (80_01, 5, False), (1, 60, True), (1, 61, False), (1, 0, False), (-1, 5, False)],
)
def test_no_more_than_the_book_and_no_longer_than_two_months(desk, fen, days, goes):
    person = make_person(80_00)

    if goes:
        assert desk.replace(person, hold_fen=fen, hold_days=days).facts["hold_fen"] == fen
    else:
        refused(desk.replace, person, hold_fen=fen, hold_days=days)
        assert person.fresh()
        assert person.card_row.life == CardLife.ACTIVE


def test_the_fee_goes_before_what_is_held(desk):
    """28.40 − 20.00 fee from the book = 8.40: no more can be held."""
    person = make_person(28_40)

    refused(desk.replace, person, paid_by=PaidBy.BOOK, hold_fen=8_41, hold_days=5)
    assert desk.replace(person, paid_by=PaidBy.BOOK, hold_fen=8_40, hold_days=5).facts["book_fen"] == 0


def test_held_money_above_what_a_purse_may_hold_waits_as_unclaimed(desk):
    person = make_person(80_00)
    desk.remake(person, desk.replace(person, hold_fen=50_00, hold_days=5))
    small = type(POLICY)(max_book_fen=60_00)
    (row,) = holds.open_holds(person.account.pk)

    holds.release(row.pk, reason="all tills reported", actor=desk.actor, now=NOON, policy=small)

    account = person.fresh()
    assert (account.book_fen, account.unclaimed_fen) == (60_00, 20_00)
    with pytest.raises(holds.NoSuchHold):
        holds.release(row.pk, reason="again", actor=desk.actor, now=NOON, policy=small)


# ------------------------------------------------------------------------------------------------------ deposits


@committed
def test_a_named_card_is_opened_with_its_deposit(desk):
    """N05: 15.00 deposit in cash; the book holds nothing of it."""
    deed = desk.open()

    account = deed.account
    assert account.life == AccountLife.PENDING
    assert account.book_fen == account.unclaimed_fen == 0
    assert entries(account) == [("top_up", "drawer", 0, 15_00), ("deposit", "deposit", 0, -15_00)]
    assert cardmoney.receipt_of(deed.key).fen == 15_00
    assert broken() == []


def test_without_a_shift_neither_account_nor_person_is_made(desk):
    desk.till.close()
    people = Holder.objects.count()

    assert refused(desk.open) == "no_shift"
    assert Holder.objects.count() == people


# --------------------------------------------------------------------------------------------------------- races


@committed
def test_two_desks_replace_the_same_card_once():
    """Double click, and two clerks at two desks: one fee, one blank card, whatever comes first."""
    first, second = Desk(), Desk()
    done, count = 0, 0
    for _ in range(8):
        person = make_person(30_00)
        key = uuid.uuid4()
        orders = [
            (first, Replacement(key, person.account.pk, Cause.LOST, first.pays(), "补卡工本费")),
            (first, Replacement(key, person.account.pk, Cause.LOST, first.pays(), "补卡工本费")),
            (second, Replacement(uuid.uuid4(), person.account.pk, Cause.LOST, second.pays(), "补卡工本费")),
        ]
        outcomes = together(lambda number, orders=orders: _try(*orders[number]), len(orders))
        count += len(outcomes)
        fees = Entry.objects.filter(account=person.account, kind=EntryKind.FEE, contra=Contra.FEE).count()
        blanks = Card.objects.filter(account=person.account, life=CardLife.BLANK).count()
        done += (fees, blanks) != (1, 1)
    faults.report("REPLACE-RACE", count, done)
    assert not done


def _try(desk: Desk, order: Replacement) -> str:
    try:
        return str(cardmoney.replace_card(order, door=desk.door(), now=NOON, house=HOUSE).pk)
    except NotAllowed as no:
        return str(no)


@committed
def test_held_money_without_a_hold_is_found(desk):
    """L4: what stands against the contra belongs to holds that name it."""
    person = make_person(80_00)
    desk.replace(person)
    asked = correcting.Asked("hold_back", uuid.uuid4(), (1,), desk.actor, NOON, "no row")
    with transaction.atomic():
        move = correcting.Move(EntryKind.HOLD, Contra.HOLD, book_fen=-5_00)
        correcting.post(correcting.hold(person.account.pk), move, asked, policy=POLICY)

    assert [line for line in broken() if "no hold says so" in line]


@pytest.mark.parametrize("fen", [49_99, 50_01])
def test_the_database_holds_a_hold_to_its_entry(desk, fen):
    person = make_person(80_00)
    desk.replace(person, hold_fen=50_00, hold_days=5)
    row = CardHold.objects.get()
    row.pk, row.fen = None, fen

    with pytest.raises(DatabaseError), transaction.atomic():
        row.save(force_insert=True)
    with pytest.raises(DatabaseError), transaction.atomic():
        CardHold.objects.update(released_entry_id=row.entry_id, released_at=NOON)
    with pytest.raises(DatabaseError), transaction.atomic():
        CardHold.objects.all().delete()


@committed
def test_the_nightly_run_gives_held_money_back(desk):
    person = make_person(80_00)
    desk.remake(person, desk.replace(person, hold_fen=50_00, hold_days=1, now=NOON - timedelta(days=3)))

    call_command("reconcile", "--json", stdout=StringIO())
    call_command("reconcile", "--json", stdout=StringIO())

    assert person.book_fen == 80_00
    assert holds.held_fen(person.account) == 0
