"""What people put right: the book set to a value, an entry taken back; once, with a reason, opening no gap."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.actors import Actor, Channel
from accounts.models import Account, AuditEvent, Card
from purse.policy import Policy
from tests.campus import NOON, POLICY, Counter, make_person
from tests.transactions.test_debit import BEFORE_THE_WRITE
from tests.transactions.test_offline import difference, sell_offline, upload
from transactions import ledger
from transactions.ledger import Change, NewEntry
from transactions.models import Entry, Reversal
from transactions.services import corrections
from transactions.services.correcting import hold
from transactions.services.corrections import AdjustOrder, CorrectionRefused, ReverseOrder, Why
from transactions.services.credit import Credit, credit_unclaimed
from transactions.services.orders import KeyReused

pytestmark = pytest.mark.django_db
CLERK = Actor.operator(1, role="clerk", channel=Channel.COUNTER)


def adjust(person, to, *, seen=None, key=None, reason="按卡平账"):
    seen = person.book_fen if seen is None else seen
    order = AdjustOrder(key or uuid.uuid4(), person.account.id, seen, to, reason)
    return corrections.adjust(order, actor=CLERK, now=NOON, policy=Policy())


def reverse(person, entry, *, key=None, reason="误刷"):
    order = ReverseOrder(key or uuid.uuid4(), person.account.id, entry.id, reason)
    return corrections.reverse(order, actor=CLERK, now=NOON, policy=Policy())


def last(person):
    return Entry.objects.filter(account=person.account).order_by("-seq")[0]


def why(call, *args, **kwargs):
    with pytest.raises(CorrectionRefused) as refused:
        call(*args, **kwargs)
    return refused.value.why


@pytest.fixture
def gap():
    """The card was seen with 30.00 spent offline; the record is out. Book 80.00, card 50.00."""
    person, offline = make_person(80_00), Counter(3)
    record = sell_offline(offline, person, 30_00)
    Counter(8).look(person)
    return person, offline, record


# --------------------------------------------------------------------------------------------------------- adjust


def test_set_to_card_levels_by_hand_and_the_record_is_late_when_it_comes(gap):
    person, offline, record = gap

    done = adjust(person, 50_00)

    assert (done.fen, done.book_fen, difference(person)) == (-30_00, 50_00, 0)
    assert (last(person).kind, last(person).contra, last(person).note) == (
        "adjustment",
        "levelling",
        "按卡平账",
    )
    assert person.card_row.levelled_seq == record.card_seq_after
    upload(offline, record)
    assert (person.book_fen, person.fresh().frozen_reasons) == (20_00, ["late_upload"])
    assert person.card_row.late_fen == 30_00


@pytest.mark.parametrize(
    ("to", "refused"),
    [
        (50_00, None),
        (50_01, None),
        (79_99, None),
        (80_00, Why.NOTHING_TO_DO),
        (80_01, Why.OPENS_GAP),
        (49_99, Why.OPENS_GAP),
        (-1, Why.AMOUNT),
    ],
)
def test_only_between_the_book_and_where_nothing_is_unexplained(gap, to, refused):
    person = gap[0]

    if refused is None:
        assert adjust(person, to).book_fen == to
    else:
        assert why(adjust, person, to) is refused
        assert person.book_fen == 80_00


def test_a_card_with_more_than_its_book_explains_may_be_given_the_difference():
    """EXCESS that a person has looked at: the book is raised to the card, no number is levelled."""
    person = make_person(80_00)
    Card.objects.filter(pk=person.card_row.pk).update(load_total_fen=82_00)

    done = adjust(person, 82_00)

    assert (done.fen, last(person).purse_seq, person.fresh().book_fen) == (2_00, None, 82_00)
    assert person.card_row.levelled_seq == 0


def test_without_a_live_card_any_value_is_taken():
    person = make_person(80_00)
    Card.objects.filter(pk=person.card_row.pk).update(life="replaced")

    assert adjust(person, 0).fen == -80_00
    assert adjust(person, 12_34).fen == 12_34


def test_a_book_that_moved_since_the_decision_is_looked_at_again(gap):
    assert why(adjust, gap[0], 50_00, seen=79_99) is Why.BOOK_MOVED


@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_is_put_right_without_a_reason(gap, reason):
    person = gap[0]
    assert why(adjust, person, 50_00, reason=reason) is Why.NO_REASON
    assert why(reverse, person, last(person), reason=reason) is Why.NO_REASON


def test_the_same_key_adjusts_once_and_other_content_under_it_is_refused(gap):
    person, key = gap[0], uuid.uuid4()
    first = adjust(person, 50_00, seen=80_00, key=key)

    again = adjust(person, 50_00, seen=80_00, key=key)

    assert (again.replay, again.entry_id, person.book_fen) == (True, first.entry_id, 50_00)
    with pytest.raises(KeyReused):
        adjust(person, 51_00, seen=80_00, key=key)
    with pytest.raises(KeyReused):
        reverse(person, last(person), key=key)


def test_each_correction_stands_in_the_audit_with_who_why_and_both_values(gap):
    adjust(gap[0], 50_00)

    event = AuditEvent.objects.get(action="account.adjust")
    assert (event.actor, event.reason) == ("operator:1", "按卡平账")
    assert (event.before["book_fen"], event.after["book_fen"]) == (80_00, 50_00)


# -------------------------------------------------------------------------------------------------------- reverse


def test_a_sale_on_the_card_comes_back_as_unclaimed_money_with_the_next_tap():
    till, person = Counter(), make_person(80_00)
    till.tap(person, 5_00)
    till.look(person)
    sale = last(person)

    done = reverse(person, sale)

    assert (done.fen, done.unclaimed_fen, difference(person)) == (0, 5_00, 0)
    assert (last(person).kind, last(person).contra, last(person).contra_ref) == (
        "reversal",
        "merchant",
        sale.contra_ref,
    )
    assert person.fresh().spent_fen == 0
    till.tap(person, 1_00)
    till.look(person)
    assert (person.book_fen, person.card_fen) == (79_00, 79_00)


def test_a_torn_sale_is_taken_back_without_guessing_whether_the_card_has_it():
    """The image that was torn off may yet turn up on the card, so the sale is healed and the money given back."""
    till, person = Counter(), make_person(80_00)
    till.tap(person, 5_00, leave_after=BEFORE_THE_WRITE)

    done = reverse(person, last(person))

    assert (done.fen, done.unclaimed_fen, person.book_fen, difference(person)) == (0, 5_00, 75_00, 5_00)
    till.tap(person, 1_00)
    till.look(person)
    assert (person.book_fen, person.card_fen, person.account.unclaimed_fen) == (79_00, 79_00, 0)


def test_a_late_sale_may_be_refunded_and_taken_back_both():
    """The refund makes the double deduction good, the reversal the sale itself."""
    person, offline = make_person(80_00), Counter(3)
    record = sell_offline(offline, person, 10_00)
    Counter(8).look(person)
    adjust(person, 70_00)
    upload(offline, record)
    late = last(person)
    refund = corrections.RefundOrder(uuid.uuid4(), person.account.id, late.id, "重复扣款")
    corrections.refund_late(refund, actor=CLERK, now=NOON, policy=POLICY)

    reverse(person, late)

    account = person.fresh()
    assert (account.book_fen, account.unclaimed_fen, difference(person)) == (70_00, 10_00, 0)


def test_a_subsidy_is_taken_back_while_it_waits_and_not_once_it_is_claimed():
    till, person = Counter(), make_person(80_00)
    credit_unclaimed(Credit(uuid.uuid4(), person.account.id, 20_00), now=NOON)
    waiting = last(person)
    assert reverse(person, waiting).unclaimed_fen == -20_00
    credit_unclaimed(Credit(uuid.uuid4(), person.account.id, 20_00), now=NOON)
    claimed = last(person)
    till.tap(person, 1_00)

    assert why(reverse, person, claimed) is Why.SPENT
    assert why(reverse, person, waiting) is Why.REVERSED


def test_what_cannot_be_taken_back(gap):
    person, till = gap[0], Counter()
    opening_entry = last(person)
    assert why(reverse, person, opening_entry) is Why.CARD_NEEDED
    adjust(person, 50_00)
    assert why(reverse, person, last(person)) is Why.NOT_REVERSIBLE
    till.tap(person, 1_00)
    reverse(person, last(person))
    assert why(reverse, person, last(person)) is Why.NOT_REVERSIBLE
    other = make_person(1_00)
    assert why(reverse, other, opening_entry) is Why.NOT_THIS_ACCOUNT


def test_nothing_is_put_right_on_a_closed_account(gap):
    person = gap[0]
    sale = last(person)
    Account.objects.filter(pk=person.account.pk).update(life="closing")
    Account.objects.filter(pk=person.account.pk).update(life="closed", closed_at=NOON)

    assert why(adjust, person, 50_00) is Why.ACCOUNT_ENDED
    assert why(reverse, person, sale) is Why.ACCOUNT_ENDED


def test_an_entry_is_taken_back_once_also_by_another_key():
    till, person = Counter(), make_person(80_00)
    till.tap(person, 5_00)
    sale, key = last(person), uuid.uuid4()
    first = reverse(person, sale, key=key)

    assert reverse(person, sale, key=key).entry_id == first.entry_id
    assert why(reverse, person, sale) is Why.REVERSED
    assert Reversal.objects.filter(entry_id=sale.id).count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_clerks_at_once_take_an_entry_back_once():
    till, person = Counter(), make_person(80_00)
    till.tap(person, 5_00)
    sale, ready = last(person), threading.Barrier(8)

    def clerk(_):
        ready.wait()
        try:
            return reverse(person, sale).unclaimed_fen
        except CorrectionRefused as refused:
            return refused.why
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as clerks:
        results = list(clerks.map(clerk, range(8)))

    assert sorted(map(str, results)) == sorted(["500", *["reversed"] * 7])
    assert person.fresh().unclaimed_fen == 5_00


@pytest.mark.django_db(transaction=True)
def test_the_database_refuses_a_refund_that_is_in_no_register():
    person = make_person(80_00)
    sale = NewEntry(
        2,
        "refund",
        5_00,
        0,
        85_00,
        0,
        "levelling",
        None,
        uuid.uuid4(),
        NOON,
        "server",
        corrects=last(person).id,
    )
    with transaction.atomic():
        before = hold(person.account.id).account
    with pytest.raises(IntegrityError, match="not registered"), transaction.atomic():
        ledger.write(Change(before, 85_00, 0, None, 0, (), NOON, entries=(sale,)))
    assert person.book_fen == 80_00


@pytest.mark.django_db(transaction=True)
def test_what_a_card_was_levelled_up_to_never_goes_down(gap):
    person = gap[0]
    adjust(person, 50_00)

    with pytest.raises(IntegrityError, match="card_levelled_never_down"), transaction.atomic():
        Card.objects.filter(pk=person.card_row.pk).update(levelled_seq=0)
