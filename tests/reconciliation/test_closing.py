"""Closing an account: checks, five days for late records, a second person, the money out, the card dead (C12, H25)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from accounts.models import (
    Account,
    AccountLife,
    AuditEvent,
    Card,
    CardLife,
    CounterDeed,
    OperatorRole,
    Request,
    RequestResult,
)
from accounts.papers import PaperKind
from accounts.services import accounts, approvals, deeds, standing
from accounts.services.approvals import NotApproved
from accounts.services.errors import NotAllowed
from accounts.services.operators import Hand
from accounts.services.rows import By
from purse.rules import FreezeReason
from reconciliation.closing import REQUEST, Against, closing_of
from reconciliation.models import Case
from reconciliation.services import closing
from reconciliation.services.closing import CardBack, NotClosable, PayAsk, PayOrder, Way
from reconciliation.services.verify import verify
from tests import faults
from tests.campus import NOON, POLICY, Counter, make_person
from tests.faultruns.scenes import upload
from tests.transactions.card_desk import HOUSE, Desk
from tests.transactions.cash_desk import person_of
from tests.transactions.test_concurrency import together
from transactions.models import Entry, Receipt
from transactions.services.cash import CashRefused
from transactions.services.credit import AccountNotOpen, Credit, credit_unclaimed

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
OPTIONS = HOUSE.options
LATER = NOON + timedelta(days=OPTIONS.closing_wait_days)


@pytest.fixture
def desk():
    return Desk()


def hand(operator, now=LATER) -> Hand:
    return Hand(operator.pk, "10.0.0.7", now)


def begin(desk, person, *, now=NOON, key=None, paper=PaperKind.RESIDENT):
    key = key or uuid.uuid4()
    return closing.begin(key, person.account.pk, "毕业离校", door=desk.door(paper), now=now, options=OPTIONS)


def ask(desk, person, way=Way.CASH, *, now=LATER):
    wanted = PayAsk(uuid.uuid4(), person.account.pk, way, "毕业离校")
    return closing.ask_to_pay(wanted, hand=hand(desk.operator, now), now=now, policy=POLICY, options=OPTIONS)


def agree(request, *, now=LATER):
    boss = person_of(OperatorRole.SUPERVISOR, anywhere=True)
    return approvals.agree(
        request.pk, bytes(request.content_hash), hand=hand(boss, now), now=now, policy=POLICY
    )


def pay(desk, person, request=None, *, now=LATER, **changes):
    order = PayOrder(
        uuid.uuid4(), person.account.pk, Way.CASH, CardBack.RETURNED, request.pk if request else None, desk.operator.pk,
        "销户退款", desk.till.shift.pk,
    )  # fmt: skip
    order = replace(order, **changes)
    return closing.pay(order, door=desk.door(), now=now, policy=POLICY, options=OPTIONS)


def closing_account(desk, fen=28_40):
    person = make_person(fen)
    begin(desk, person)
    return person


def why_not(act) -> tuple[str, ...]:
    """What stands against it; nothing was written."""
    tables = (Entry, Receipt, CounterDeed, Request, RequestResult, AuditEvent)
    before = tuple(table.objects.count() for table in tables)
    with pytest.raises((NotClosable, NotAllowed, NotApproved, CashRefused)) as caught:
        act()
    assert tuple(table.objects.count() for table in tables) == before
    if isinstance(caught.value, NotClosable):
        return tuple(each.value for each in caught.value.against)
    return (str(caught.value),)


# ----------------------------------------------------------------------------------------------------- the way out


@committed
def test_an_account_is_closed_and_paid_out_in_cash(desk):
    """28.40 in the book and 5.00 waiting: five days, a supervisor's yes, 33.40 from the drawer, the card returned."""
    person = make_person(28_40)
    credit_unclaimed(Credit(uuid.uuid4(), person.account.pk, 5_00), now=NOON)
    before_fen = desk.till.expected_fen()

    begin(desk, person)
    assert Counter().tap(person, 1_00).refusal == "account_closed"
    request = ask(desk, person)
    agree(request)
    deed = pay(desk, person, request)

    account, card = person.fresh(), person.card_row
    assert (account.life, account.closed_at, account.book_fen, account.unclaimed_fen) == (
        "closed",
        LATER,
        0,
        0,
    )
    assert card.life == CardLife.RETURNED
    assert deed.facts["total_fen"] == 33_40
    assert Receipt.objects.get(pk=deed.facts["receipt_id"]).fen == 33_40
    assert desk.till.expected_fen() == before_fen - 33_40
    assert not [each for each in verify(policy=POLICY).broken if each.id != "L6"]


@pytest.mark.parametrize(
    ("after", "goes"), [(-timedelta(seconds=1), False), (timedelta(0), True), (timedelta(days=30), True)]
)
def test_five_days_are_five_days(desk, after, goes):
    person = closing_account(desk)

    if goes:
        assert ask(desk, person, now=LATER + after).kind == REQUEST
    else:
        assert why_not(lambda: ask(desk, person, now=LATER + after)) == ("waiting",)


def test_the_days_count_anew_after_it_was_given_up(desk):
    person = closing_account(desk)
    closing.give_up(uuid.uuid4(), person.account.pk, "改变主意", door=desk.door(), now=NOON)
    assert person.fresh().life == AccountLife.OPEN
    second = NOON + timedelta(days=3)
    begin(desk, person, now=second)

    found = closing_of(person.account.pk, now=LATER, options=OPTIONS)

    assert (found.begun_at, found.against) == (second, (Against.WAITING,))


def test_a_late_record_of_the_waiting_days_is_paid_by_the_holder(desk):
    """That is what the days are for: 30.00, 4.50 offline, the record comes on the third day, 25.50 are paid out."""
    person, away = make_person(30_00), Counter(3)
    record = away.sell_offline(person, 4_50)
    begin(desk, person)
    upload(away, record, now=NOON + timedelta(days=3))

    assert closing_of(person.account.pk, now=LATER, options=OPTIONS).total_fen == 25_50


def test_a_card_seen_with_offline_sales_waits_for_their_records(desk):
    person, away = make_person(30_00), Counter(3)
    record = away.sell_offline(person, 4_50)
    Counter(8).look(person)
    begin(desk, person)
    assert why_not(lambda: ask(desk, person)) == ("offline_gap",)

    upload(away, record, now=LATER)

    assert ask(desk, person).amount_fen == 25_50


# ------------------------------------------------------------------------------------------------ what stands against


@pytest.mark.parametrize(
    ("spoil", "against"),
    [
        (
            lambda person: standing.freeze(person.account.pk, [FreezeReason.BY_HAND], by=By(Desk().actor, NOON)),
            "frozen",
        ),
        (
            lambda person: Case.objects.create(
                account=person.account, card=person.card_row, campus=person.account.campus, mismatch="TORN",
                at_risk_fen=1, evidence={}, proposal="write_card", opened_at=NOON, changed_at=NOON,
            ),
            "open_case",
        ),
    ],
    ids=["frozen", "case"],
)  # fmt: skip
def test_what_must_be_put_right_before_it_begins(desk, spoil, against):
    person = make_person(10_00)
    spoil(person)

    assert why_not(lambda: begin(desk, person)) == (against,)
    assert person.fresh().life == AccountLife.OPEN


def test_held_money_is_given_back_first(desk):
    person = make_person(60_00)
    desk.remake(person, desk.replace(person, hold_fen=20_00, hold_days=30))
    begin(desk, person)

    assert why_not(lambda: ask(desk, person)) == ("held",)


def test_only_an_identity_document_begins_it_and_takes_the_money(desk):
    person = make_person(10_00)
    assert why_not(lambda: begin(desk, person, paper=PaperKind.STUDENT_CARD)) == ("document_needed",)


def test_a_closing_account_takes_nothing_in(desk):
    person = closing_account(desk)

    with pytest.raises(AccountNotOpen):
        credit_unclaimed(Credit(uuid.uuid4(), person.account.pk, 5_00), now=NOON)


# ------------------------------------------------------------------------------------------------------- two people


def test_nothing_is_paid_without_a_second_person(desk):
    person = closing_account(desk)
    request = ask(desk, person)

    assert why_not(lambda: pay(desk, person)) == ("not_agreed",)
    assert why_not(lambda: pay(desk, person, request)) == ("not_agreed",)
    agree(request)
    pay(desk, person, request)
    assert person.fresh().life == AccountLife.CLOSED


def test_whoever_asked_does_not_agree(desk):
    boss = Desk(role=OperatorRole.SUPERVISOR)
    person = closing_account(boss)
    request = ask(boss, person)

    with pytest.raises(NotApproved):
        approvals.agree(
            request.pk, bytes(request.content_hash), hand=hand(boss.operator), now=LATER, policy=POLICY
        )


def test_another_sum_or_way_than_agreed_is_not_paid(desk):
    person, away = make_person(30_00), Counter(3)
    record = away.sell_offline(person, 4_50)
    begin(desk, person)
    request = ask(desk, person)
    agree(request)
    assert why_not(lambda: pay(desk, person, request, way=Way.TRANSFER)) == ("changed",)

    upload(away, record, now=LATER)

    assert why_not(lambda: pay(desk, person, request)) == ("changed",)
    assert person.fresh().book_fen == 25_50


def test_an_empty_account_needs_nobody_else(desk):
    person = closing_account(desk, 0)
    with pytest.raises(ValueError, match="nothing"):
        ask(desk, person)

    pay(desk, person, card_back=CardBack.SOUVENIR)

    assert (person.fresh().life, person.card_row.life) == (AccountLife.CLOSED, CardLife.VOID)
    assert not Receipt.objects.exists()


def test_the_deposit_of_a_named_card_comes_back(desk):
    """N05: 15.00 in at the opening, 15.00 out with the card; the deposit is a line of its own."""
    opened = desk.open()
    plastic = desk.make(opened.card_id)
    accounts.start(opened.account_id, by=By(desk.actor, NOON))
    person = make_person(0)
    person.account, person.card_row, person.plastic = (
        opened.account,
        Card.objects.get(pk=opened.card_id),
        plastic,
    )
    person.fresh()
    begin(desk, person)
    found = closing_of(person.account.pk, now=LATER, options=OPTIONS)
    assert (found.book_fen, found.deposit_fen, found.total_fen) == (0, 15_00, 15_00)
    request = ask(desk, person)
    agree(request)

    deed = pay(desk, person, request)

    assert Receipt.objects.get(pk=deed.facts["receipt_id"]).kind == "deposit_back"
    rows = Entry.objects.filter(account=person.account).order_by("seq")
    moves = [(row.contra, row.book_change_fen + row.unclaimed_change_fen) for row in rows]
    assert moves == [("drawer", 15_00), ("deposit", -15_00), ("deposit", 15_00), ("drawer", -15_00)]


def test_the_deposit_comes_back_to_whoever_never_got_his_card(desk):
    """Opened, paid, changed his mind: without this the money stays for ever, and the number too."""
    opened = desk.open()
    account = Account.objects.get(pk=opened.account_id)
    assert account.life == AccountLife.PENDING

    closing.begin(
        uuid.uuid4(), account.pk, "不办了", door=desk.door(PaperKind.RESIDENT), now=NOON, options=OPTIONS
    )

    account.refresh_from_db()
    found = closing_of(account.pk, now=LATER, options=OPTIONS)
    assert (account.life, found.total_fen, found.against) == ("closing", OPTIONS.card_deposit_fen, ())


def test_a_transfer_is_owed_to_the_bank_and_needs_no_drawer(desk):
    person = closing_account(desk)
    request = ask(desk, person, Way.TRANSFER)
    agree(request)
    before_fen = desk.till.expected_fen()

    deed = pay(desk, person, request, way=Way.TRANSFER, shift_id=None)

    assert (person.fresh().life, desk.till.expected_fen()) == (AccountLife.CLOSED, before_fen)
    last = Entry.objects.filter(account=person.account).order_by("-seq").first()
    assert (last.kind, last.contra, last.book_change_fen) == ("payout", "bank", -28_40)
    assert deed.facts["receipt"] == ""


def test_without_a_shift_or_with_an_empty_drawer_nothing_is_closed():
    poor = Desk(float_fen=10_00)
    person = closing_account(poor)
    request = ask(poor, person)
    agree(request)

    assert why_not(lambda: pay(poor, person, request, shift_id=None)) == ("no_shift",)
    assert why_not(lambda: pay(poor, person, request)) == ("drawer_short",)
    assert (person.fresh().life, person.card_row.life) == (AccountLife.CLOSING, CardLife.ACTIVE)


# --------------------------------------------------------------------------------------------------------- repeats


def test_each_step_is_done_once_for_its_key(desk):
    person, key = make_person(10_00), uuid.uuid4()
    assert begin(desk, person, key=key).pk == begin(desk, person, key=key).pk
    with pytest.raises(deeds.KeyReused):
        closing.give_up(key, person.account.pk, "x", door=desk.door(), now=NOON)
    request = ask(desk, person)
    agree(request)
    first = pay(desk, person, request, key=key_of(person))

    assert pay(desk, person, request, key=key_of(person)).pk == first.pk
    assert Receipt.objects.count() == 1


def key_of(person) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, str(person.account.pk))


@committed
def test_two_desks_pay_the_same_closing_once():
    """A double click, and a colleague with the same agreement: the money leaves once."""
    broken, count = 0, 0
    for _ in range(6):
        first, second = Desk(), Desk()
        person = closing_account(first)
        request = ask(first, person)
        agree(request)
        payers = [(first, key_of(person)), (first, key_of(person)), (second, uuid.uuid4())]

        def one(number: int, person=person, request=request, payers=payers) -> str:
            desk, key = payers[number]
            try:
                return str(pay(desk, person, request, key=key).pk)
            except (NotClosable, NotApproved, NotAllowed) as no:
                return str(no)

        together(one, len(payers))
        count += len(payers)
        paid = Entry.objects.filter(account=person.account, kind="payout").count()
        broken += (paid, person.fresh().life) != (1, AccountLife.CLOSED)
    faults.report("CLOSING-RACE", count, broken)
    assert not broken
    assert Account.objects.filter(life=AccountLife.CLOSED).count() == 6
