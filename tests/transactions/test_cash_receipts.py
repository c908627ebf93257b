"""Receipts: numbered without a gap by many at once, checked by their code, printed again as copies."""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError, transaction

from accounts.keys import Secrets
from accounts.models import AuditEvent
from tests import faults
from tests.campus import NOON, make_person
from tests.transactions.cash_desk import (
    Till,
    books_are_right,
    gone,
    pieces,
    refused_by_the_database,
)
from tests.transactions.test_concurrency import together
from transactions import selectors_cash
from transactions.models import Receipt, ReceiptCopy, ReceiptSeries, Shift
from transactions.services import receipts, shifts
from transactions.services.cash import CashRefused, PaidBy
from transactions.services.receipts import NewReceipt
from transactions.services.shifts import Closing, ShiftRefused

pytestmark = pytest.mark.django_db
SECRETS = Secrets(peppers={1: b"p" * 32}, field_keys={1: b"f" * 32}, index_key=b"i" * 32)


def test_a_receipt_says_the_five_digits_and_hides_the_name():
    """Guide L39: 充值卡小票上的5位数字即指校园智能卡帐号。"""
    till, person = Till(), make_person(50_00)

    receipt = till.fee(person).receipt

    assert (f"{receipt.account_number:05d}", receipt.holder_masked) == (f"{person.account.number:05d}", "张*")
    assert receipt.place_zh == "崂山校区 一餐厅充值点"
    assert receipt.officer_name == "王收银"


def test_the_code_finds_its_receipt_and_no_other_code_does():
    till, person = Till(), make_person(50_00)
    receipt = till.fee(person).receipt
    code = receipts.check_code(receipt, secrets=SECRETS)
    number = (till.drawer.code, 1)

    assert receipts.checked(number, code, secrets=SECRETS) == receipt
    assert receipts.checked((till.drawer.code, 2), code, secrets=SECRETS) is None
    assert receipts.checked(None, code, secrets=SECRETS) is None
    wrong = ("0" if code[0] != "0" else "1") + code[1:]
    for guess in (wrong, "", "错", code[:-1], code + "0"):
        assert receipts.checked(number, guess, secrets=SECRETS) is None


def test_a_receipt_that_somebody_edited_no_longer_agrees_with_its_paper():
    till, person = Till(), make_person(50_00)
    receipt = till.fee(person).receipt
    code = receipts.check_code(receipt, secrets=SECRETS)

    for field in ("fen", "account_number", "book_after_fen"):
        edited = Receipt.objects.get(pk=receipt.pk)
        setattr(edited, field, getattr(edited, field) + 1)
        assert receipts.check_code(edited, secrets=SECRETS) != code
    other_key = Secrets(SECRETS.peppers, SECRETS.field_keys, b"j" * 32)
    assert receipts.check_code(receipt, secrets=other_key) != code


def test_printing_again_is_a_copy_and_every_copy_is_counted():
    till, person = Till(), make_person(50_00)
    receipt = till.fee(person).receipt

    printed = [receipts.print_copy(receipt.pk, officer_id=till.operator.pk, by=till.by) for _ in range(3)]

    assert printed == [0, 1, 2]
    assert selectors_cash.copies(receipt.pk) == 3
    assert AuditEvent.objects.filter(action="receipt.print", object_id=receipt.number).count() == 3


def test_receipts_are_never_changed_nor_renumbered():
    till, person = Till(), make_person(50_00)
    receipt = till.fee(person).receipt
    receipts.print_copy(receipt.pk, officer_id=till.operator.pk, by=till.by)
    series = ReceiptSeries.objects.filter(code=till.drawer.code)
    paper, printed = Receipt.objects.filter(pk=receipt.pk), ReceiptCopy.objects.filter(receipt=receipt)

    for act in (lambda: paper.update(fen=1), lambda: gone(paper), lambda: gone(printed)):
        assert "permission denied" in refused_by_the_database(act)
    assert "goes up by one" in refused_by_the_database(lambda: series.update(last_no=5))
    assert "goes up by one" in refused_by_the_database(lambda: series.update(last_no=0))
    skipped = Receipt(
        **{f.attname: getattr(receipt, f.attname) for f in Receipt._meta.fields if f.attname != "id"}
    )
    skipped.no, skipped.operation = 9, uuid.uuid4()
    assert "does not follow the last one" in refused_by_the_database(skipped.save)


@pytest.mark.django_db(transaction=True)
def test_a_number_without_its_receipt_does_not_commit():
    till = Till()

    said = refused_by_the_database(
        lambda: ReceiptSeries.objects.filter(code=till.drawer.code).update(last_no=1)
    )

    assert "numbered and not issued" in said


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gap_when_many_are_paid_at_once_and_some_break_off():
    """E6: sequential, no gaps. 12 threads, two drawers and the campus's own series; every third payment is undone."""
    tills = [Till(), Till()]
    people = [make_person(500_00) for _ in range(12)]

    def pay(number):
        person, till = people[number], tills[number % 2]
        issued = 0
        for turn in range(6):
            how = {"paid_by": PaidBy.BOOK, "shift_id": None} if turn % 3 == 2 else {}
            fen = 1_00 if how else 3_00
            try:
                with transaction.atomic():
                    till.fee(person, fen, **how)
                    if (number + turn) % 3 == 0:
                        raise IntegrityError("the caller breaks off")
                issued += 1
            except IntegrityError:
                pass
        return issued

    issued = sum(together(pay, count=12))

    wrong = 0
    for series in ReceiptSeries.objects.all():
        numbers = list(Receipt.objects.filter(series=series).order_by("no").values_list("no", flat=True))
        wrong += numbers != list(range(1, series.last_no + 1))
    assert Receipt.objects.count() == issued
    for till in tills:
        sums = selectors_cash.sums(till.shift)
        wrong += sums.expected_fen != till.expected_fen()
        till.close()
    faults.report("cash_receipts_concurrent", 12 * 6, wrong)
    assert wrong == 0
    books_are_right()


@pytest.mark.django_db(transaction=True)
def test_a_shift_is_not_closed_over_a_payment_that_is_just_being_made():
    """Whoever pays holds the shift: closing waits for him, or he is refused; the sum is right either way."""
    wrong = 0
    for _ in range(6):
        till, people = Till(), [make_person(10_00) for _ in range(5)]

        def act(number, till=till, people=people):
            if number == 5:
                try:
                    return shifts.close_shift(
                        till.shift.pk, Closing(pieces(200_00), "点数"), officer=till.officer, by=till.by
                    )
                except ShiftRefused:
                    return None
            try:
                return till.fee(people[number], 10_00)
            except CashRefused:  # the shift was closed first
                return None

        done = together(act, count=6)
        closed = Shift.objects.get(pk=till.shift.pk)
        paid = sum(1 for each in done[:5] if each is not None)
        wrong += closed.expected_fen != 200_00 + paid * 10_00
        wrong += shifts.expected_fen(till.shift.pk) != closed.expected_fen
    faults.report("cash_close_races", 36, wrong)
    assert wrong == 0


@pytest.mark.django_db(transaction=True)
def test_fifty_clicks_take_one_fee():
    """C6: the form's key; 50 parallel submits, one posting."""
    till, person, key = Till(), make_person(50_00), uuid.uuid4()

    done = together(lambda _: till.fee(person, key=key).receipt.pk, count=16)

    faults.report("cash_same_click", 16, len(set(done)) - 1)
    assert len(set(done)) == 1
    assert (Receipt.objects.count(), till.expected_fen()) == (1, 220_00)


def test_issue_names_the_number_that_follows():
    till, person = Till(), make_person(50_00)
    last = till.fee(person).receipt
    new = NewReceipt(
        kind=last.kind, operation=uuid.uuid4(), account_id=person.account.pk, fen=1, book_before_fen=0,
        book_after_fen=0, entry_id=last.entry_id, officer_id=till.operator.pk, shift_id=till.shift.pk,
    )  # fmt: skip

    assert receipts.issue(new, now=NOON).no == last.no + 1
