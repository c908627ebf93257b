"""Shifts, fees, deposits, pay-outs and receipts: what the drawer holds is what the ledger says (L12)."""

from __future__ import annotations

import uuid

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.keys import Secrets
from accounts.models import AuditEvent, Card, OperatorRole
from accounts.services.operators import officer_of
from purse.policy import Policy
from reconciliation.services.verify import check_all
from tests import faults
from tests.campus import NOON, Counter, make_campus, make_person
from tests.transactions.cash_desk import Till, by, make_drawer, person_of, pieces
from tests.transactions.test_concurrency import together
from transactions import selectors_cash
from transactions.models import Entry, Receipt, ReceiptCopy, ReceiptSeries, Reversal, Shift
from transactions.services import cash, corrections, receipts, shifts
from transactions.services.cash import CashRefused, PaidBy
from transactions.services.orders import KeyReused
from transactions.services.receipts import NewReceipt
from transactions.services.shifts import Closing, Opening, ShiftRefused

pytestmark = pytest.mark.django_db
SECRETS = Secrets(peppers={1: b"p" * 32}, field_keys={1: b"f" * 32}, index_key=b"i" * 32)


def why_not(act, *args, **kwargs) -> str:
    """Why it was refused; nothing was written."""
    before = Entry.objects.count(), Receipt.objects.count(), AuditEvent.objects.count()
    with pytest.raises((ShiftRefused, CashRefused)) as refused, transaction.atomic():
        act(*args, **kwargs)
    assert (Entry.objects.count(), Receipt.objects.count(), AuditEvent.objects.count()) == before
    return str(refused.value)


def refused_by_the_database(act) -> str:
    """Which guard says no."""
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        act()
    return str(refused.value)


def gone(rows) -> None:
    """Delete rows without asking Django first what hangs on them."""
    rows._raw_delete("default")


def books_are_right() -> None:
    """Every promise of ``verify``; the openings of these test people have no answer, which is known (L6)."""
    with transaction.atomic(), connection.cursor() as cursor:
        broken = check_all(cursor, Policy()).broken
    wrong = [each for each in broken if (each.id, each.entry) != ("L6", 1)]
    assert not wrong, wrong


# ------------------------------------------------------------------------------------------------------ shifts


def test_a_shift_opens_over_a_float_and_counts_itself_per_drawer():
    first = Till(float_fen=200_00)
    first.close()
    again = shifts.open_shift(
        Opening(first.drawer.pk, 30_50, {10_00: 3, 50: 1}), officer=first.officer, by=first.by
    )

    assert (first.shift.no, again.no, again.float_fen) == (1, 2, 30_50)
    assert again.float_count == {"1000": 3, "50": 1}
    assert shifts.current(first.operator.pk) == again
    assert shifts.expected_fen(again.pk) == 30_50


def test_opening_the_same_drawer_again_is_the_open_shift():
    till = Till()

    again = shifts.open_shift(Opening(till.drawer.pk, 999_00, {}), officer=till.officer, by=till.by)

    assert again == till.shift
    assert again.float_fen == 200_00


def test_one_open_shift_per_person_and_per_drawer():
    till, other = Till(), person_of()
    drawer = make_drawer()

    assert (
        why_not(shifts.open_shift, Opening(drawer.pk, 0, {}), officer=till.officer, by=till.by) == "has_shift"
    )
    assert (
        why_not(shifts.open_shift, Opening(till.drawer.pk, 0, {}), officer=officer_of(other), by=by(other))
        == "drawer_taken"
    )
    assert "shift_one_open_per_drawer" in refused_by_the_database(
        lambda: Shift.objects.create(drawer=till.drawer, no=9, officer=other, opened_at=NOON, float_fen=0)
    )
    assert "shift_one_open_per_officer" in refused_by_the_database(
        lambda: Shift.objects.create(drawer=drawer, no=9, officer=till.operator, opened_at=NOON, float_fen=0)
    )


@pytest.mark.parametrize("role", [OperatorRole.AUDITOR, OperatorRole.ADMIN, OperatorRole.MERCHANT])
def test_only_who_handles_cash_answers_for_a_drawer(role):
    person, drawer = person_of(role), make_drawer()

    assert (
        why_not(shifts.open_shift, Opening(drawer.pk, 0, {}), officer=officer_of(person), by=by(person))
        == "not_entitled"
    )


def test_a_drawer_of_another_campus_or_out_of_service_is_not_there():
    person = person_of()
    elsewhere = make_drawer()
    elsewhere.campus_id = type(elsewhere.campus).objects.create(code="yushan", name_zh="鱼山", name_en="Y").pk
    elsewhere.save(update_fields=["campus"])
    retired = make_drawer()
    retired.retired_at = NOON
    retired.save(update_fields=["retired_at"])

    for drawer_id in (elsewhere.pk, retired.pk, 999_999):
        opening = Opening(drawer_id, 0, {})
        assert why_not(shifts.open_shift, opening, officer=officer_of(person), by=by(person)) == "no_drawer"


@pytest.mark.parametrize(
    ("fen", "count"),
    [(-1, {}), (10_000_001, {}), (10_00, {10_00: 2}), (7, {7: 1}), (10_00, {10_00: -1})],
    ids=["negative", "too much", "sum and count differ", "no such coin", "minus one note"],
)
def test_a_float_that_cannot_be_is_refused(fen, count):
    person, drawer = person_of(), make_drawer()

    opening = Opening(drawer.pk, fen, count)
    assert why_not(shifts.open_shift, opening, officer=officer_of(person), by=by(person)) == "amount"


def test_closing_compares_the_count_with_the_ledger_to_the_jiao():
    """K06: expected = float + top-ups + fees − voids − refunds."""
    till, person = Till(float_fen=200_00), make_person(50_00)
    till.fee(person, 20_00)
    Card.objects.filter(account=person.account).update(life="returned")
    till.pay_out(person, book_fen=12_30)

    closed = till.close(207_70)

    assert (closed.expected_fen, closed.counted_fen, closed.difference_fen) == (207_70, 207_70, 0)
    assert closed.count == {"10000": 2, "500": 1, "100": 2, "50": 1, "10": 2}
    books_are_right()


@pytest.mark.parametrize("fen", [199_90, 200_10], ids=["short by 0.10", "over by 0.10"])
def test_a_difference_needs_its_reason(fen):
    till = Till(float_fen=200_00)

    assert why_not(till.close, fen) == "no_reason"
    assert why_not(till.close, fen, "   ") == "no_reason"
    closed = till.close(fen, "点钞时掉落")

    assert closed.difference_fen == fen - 200_00


def test_the_database_asks_for_the_reason_too():
    till = Till(float_fen=200_00)
    figures = {
        "closed_at": NOON,
        "count": {},
        "counted_fen": 1,
        "expected_fen": 200_00,
        "difference_fen": 1 - 200_00,
    }

    said = refused_by_the_database(lambda: Shift.objects.filter(pk=till.shift.pk).update(**figures))

    assert "shift_difference_has_reason" in said


def test_a_closed_shift_is_read_only_and_takes_no_money():
    till, person = Till(), make_person(50_00)
    till.close()

    assert why_not(till.fee, person) == "no_shift"
    assert till.close(0, "再来一次").counted_fen == 200_00
    for field, value in (
        ("counted_fen", 1), ("reason", "改"), ("float_fen", 1), ("closed_at", None), ("no", 7),
    ):  # fmt: skip
        said = refused_by_the_database(
            lambda f=field, v=value: Shift.objects.filter(pk=till.shift.pk).update(**{f: v})
        )
        assert "shift_stays_as" in said, (field, said)
    shift = Shift.objects.filter(pk=till.shift.pk)
    assert "permission denied" in refused_by_the_database(lambda: gone(shift))


def test_the_database_closes_a_shift_over_what_the_ledger_says_and_nothing_else():
    """L12 in the database: not even this program can close a shift over another sum."""
    till, person = Till(), make_person(50_00)
    till.fee(person)

    said = refused_by_the_database(
        lambda: Shift.objects.filter(pk=till.shift.pk).update(
            closed_at=NOON, count={}, counted_fen=200_00, expected_fen=200_00, difference_fen=0
        )
    )

    assert "shift_expected_is_the_ledgers" in said


def test_the_database_takes_no_entry_for_a_shift_that_is_closed_or_not_there():
    till, person = Till(), make_person(50_00)
    till.close()
    account = person.fresh()

    def insert(shift_id):
        with connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen,
                    book_after_fen, unclaimed_after_fen, contra, contra_ref, source_key, occurred_at, posted_at, day,
                    mode)
                VALUES (%s, %s, 2, 'top_up', 0, 500, 5000, 500, 'drawer', %s, gen_random_uuid(), now(), now(),
                    (now() AT TIME ZONE 'Asia/Shanghai')::date, 'server')""",
                [account.pk * 2**32 + 2, account.pk, shift_id],
            )

    for shift_id in (till.shift.pk, 999_999):
        assert "which is not open" in refused_by_the_database(lambda s=shift_id: insert(s))


def test_the_supervisor_signs_and_nobody_signs_for_himself():
    """K07: two signatures, cashier and accepting supervisor."""
    till, boss = Till(role=OperatorRole.SUPERVISOR), person_of(OperatorRole.SUPERVISOR)
    third = person_of(OperatorRole.SUPERVISOR)

    def accept(person):
        return shifts.accept_shift(till.shift.pk, officer=officer_of(person), by=by(person))

    assert why_not(accept, boss) == "not_closed"
    till.close()
    assert why_not(accept, till.operator) == "same_person"
    assert why_not(accept, person_of(OperatorRole.CASHIER)) == "not_entitled"
    assert accept(boss).accepted_by_id == boss.pk
    assert accept(boss).accepted_at == NOON
    assert why_not(accept, third) == "accepted"
    assert "shift_stays_as_accepted" in refused_by_the_database(
        lambda: Shift.objects.filter(pk=till.shift.pk).update(accepted_by=third)
    )


def test_the_database_knows_that_nobody_accepts_his_own_shift():
    till = Till()
    till.close()

    assert "shift_accepted_by_another" in refused_by_the_database(
        lambda: Shift.objects.filter(pk=till.shift.pk).update(accepted_by=till.operator, accepted_at=NOON)
    )


def test_a_supervisor_of_another_campus_does_not_see_the_shift():
    till, boss = Till(), person_of(OperatorRole.SUPERVISOR)
    boss.campus_id = type(boss.campus).objects.create(code="fushan", name_zh="浮山", name_en="F").pk
    boss.save(update_fields=["campus"])
    till.close()

    assert why_not(shifts.accept_shift, till.shift.pk, officer=officer_of(boss), by=by(boss)) == "no_shift"
    assert selectors_cash.shift(till.shift.pk, campus_id=boss.campus_id) is None


# -------------------------------------------------------------------------------------------- fees and deposits


def test_a_fee_in_cash_leaves_the_book_alone_and_the_money_in_the_drawer():
    """Guide L31: 补卡时交纳工本费。 R010: two entries of one transaction, in from the drawer, out to the fee."""
    till, person = Till(), make_person(50_00)

    paid = till.fee(person, 20_00)

    entries = list(Entry.objects.filter(account=person.account).order_by("seq"))[1:]
    assert [(e.kind, e.contra, e.book_change_fen, e.unclaimed_change_fen, e.contra_ref) for e in entries] == [
        ("top_up", "drawer", 0, 20_00, till.shift.pk),
        ("fee", "fee", 0, -20_00, None),
    ]
    assert (person.book_fen, person.fresh().unclaimed_fen, till.expected_fen()) == (50_00, 0, 220_00)
    assert (paid.receipt.kind, paid.receipt.fen, paid.receipt.shift_id) == ("fee", 20_00, till.shift.pk)
    assert paid.receipt.number == f"{till.drawer.code}-000001"
    assert paid.receipt.reason == "补卡工本费"
    books_are_right()


def test_a_fee_in_cash_can_be_taken_whatever_state_the_account_is_in():
    """A holder who owes 0.01 and whose card is lost still gets his new card for cash."""
    till, person = Till(), make_person(2_00)
    Counter().tap(person, 2_00)
    Card.objects.filter(account=person.account).update(lost=True, lost_at=NOON)

    assert till.fee(person, 20_00).receipt.book_after_fen == 0


def test_a_fee_from_the_book_needs_no_shift_and_numbers_in_the_series_of_the_campus():
    till, person = Till(), make_person(50_00)
    Card.objects.filter(account=person.account).update(life="replaced")

    paid = till.fee(person, 20_00, paid_by=PaidBy.BOOK, shift_id=None)
    again = till.fee(person, 5_00, paid_by=PaidBy.BOOK, shift_id=None)

    assert (person.book_fen, till.expected_fen()) == (25_00, 200_00)
    campus, _ = make_campus()
    assert [paid.receipt.number, again.receipt.number] == [f"{campus.pk}B-000001", f"{campus.pk}B-000002"]
    assert (paid.receipt.book_before_fen, paid.receipt.book_after_fen) == (50_00, 30_00)
    books_are_right()


def test_a_fee_from_the_book_is_owed_by_the_live_card_until_its_next_tap():
    """Like a sale whose card was taken away too fast: book 30, card 50, the next tap brings the card to 30."""
    till, person = Till(), make_person(50_00)

    till.fee(person, 20_00, paid_by=PaidBy.BOOK, shift_id=None)
    assert (person.book_fen, person.card_fen) == (30_00, 50_00)
    books_are_right()
    Counter().tap(person, 1_00)

    assert (person.book_fen, person.card_fen) == (29_00, 29_00)
    books_are_right()


@pytest.mark.parametrize(("fen", "why"), [(50_00, ""), (50_01, "card_live")], ids=["gap 50.00", "gap 50.01"])
def test_a_fee_from_the_book_never_freezes_its_own_payer(fen, why):
    till, person = Till(), make_person(100_00)

    if why:
        assert why_not(till.fee, person, fen, paid_by=PaidBy.BOOK) == why
    else:
        till.fee(person, fen, paid_by=PaidBy.BOOK)
        assert not person.fresh().frozen_reasons


@pytest.mark.parametrize(
    ("fen", "changes", "why"),
    [
        (0, {}, "amount"),
        (-1, {}, "amount"),
        (1_000_01, {}, "amount"),
        (50_01, {"paid_by": PaidBy.BOOK}, "book_short"),
        (5_00, {"what": "  "}, "no_reason"),
        (5_00, {"shift_id": None}, "no_shift"),
        (5_00, {"shift_id": 999_999}, "no_shift"),
    ],
    ids=["0", "-0.01", "1000.01", "more than the book", "no words", "no shift", "unknown shift"],
)
def test_fees_that_are_not_taken(fen, changes, why):
    till, person = Till(), make_person(50_00)

    assert why_not(till.fee, person, fen, **changes) == why


def test_nobody_takes_cash_into_the_shift_of_another_nor_a_fee_from_himself():
    till, person = Till(), make_person(50_00)
    other = Till(holder=person.account.holder)

    assert why_not(other.fee, person, shift_id=till.shift.pk) == "no_shift"
    assert why_not(other.fee, person, own_holder_id=person.account.holder_id) == "own_account"


def test_an_ended_account_pays_nothing():
    till, person = Till(), make_person(0)
    Card.objects.filter(account=person.account).update(life="returned")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_account SET life = 'closing' WHERE id = %s; "
            "UPDATE accounts_account SET life = 'closed', closed_at = now() WHERE id = %s",
            [person.account.pk] * 2,
        )

    assert why_not(till.fee, person) == "account_ended"


def test_the_same_key_takes_a_fee_once_and_another_content_is_refused():
    till, person, key = Till(), make_person(50_00), uuid.uuid4()

    first, again = till.fee(person, key=key), till.fee(person, key=key)

    assert (first.receipt, first.replay, again.replay) == (again.receipt, False, True)
    assert Receipt.objects.count() == 1
    with pytest.raises(KeyReused):
        till.fee(person, 20_01, key=key)
    assert till.expected_fen() == 220_00


def test_a_deposit_comes_back_and_never_more_of_it():
    till, person = Till(), make_person(0)

    till.fee(person, 15_00, deposit=True, what="临时卡押金")
    assert (cash.deposit_fen(person.account.pk), till.expected_fen()) == (15_00, 215_00)
    assert why_not(till.pay_out, person, deposit_fen=15_01) == "deposit_short"
    back = till.pay_out(person, deposit_fen=15_00)

    assert (cash.deposit_fen(person.account.pk), till.expected_fen()) == (0, 200_00)
    assert (back.receipt.kind, back.receipt.fen) == ("deposit_back", 15_00)
    assert why_not(till.pay_out, person, deposit_fen=1) == "deposit_short"
    books_are_right()


def test_paying_out_empties_book_unclaimed_and_deposit_with_one_receipt():
    till, person = Till(), make_person(37_40)
    till.fee(person, 15_00, deposit=True, what="押金")
    Card.objects.filter(account=person.account).update(life="returned")

    out = till.pay_out(person, book_fen=37_40, deposit_fen=15_00)

    assert (person.book_fen, person.fresh().unclaimed_fen) == (0, 0)
    assert (out.receipt.kind, out.receipt.fen, out.receipt.book_after_fen) == ("payout", 52_40, 0)
    assert till.expected_fen() == 200_00 + 15_00 - 52_40
    books_are_right()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "amount"),
        ({"book_fen": -1, "unclaimed_fen": 2}, "amount"),
        ({"book_fen": 50_01}, "book_short"),
        ({"unclaimed_fen": 1}, "book_short"),
        ({"book_fen": 10_00, "shift_id": None}, "no_shift"),
        ({"book_fen": 10_00, "what": ""}, "no_reason"),
    ],
)
def test_pay_outs_that_are_not_made(changes, why):
    till, person = Till(), make_person(50_00)
    Card.objects.filter(account=person.account).update(life="returned")

    assert why_not(till.pay_out, person, **changes) == why


def test_money_on_a_live_card_and_more_than_the_drawer_holds_are_not_paid_out():
    till, person = Till(float_fen=20_00), make_person(50_00)

    assert why_not(till.pay_out, person, book_fen=10_00) == "card_live"
    Card.objects.filter(account=person.account).update(life="returned")
    assert why_not(till.pay_out, person, book_fen=20_01) == "drawer_short"
    assert till.pay_out(person, book_fen=20_00).receipt.fen == 20_00


def test_a_fee_paid_in_cash_that_is_taken_back_waits_as_unclaimed():
    till, person = Till(), make_person(50_00)
    till.fee(person, 20_00)
    fee = Entry.objects.get(account=person.account, kind="fee")

    order = corrections.ReverseOrder(uuid.uuid4(), person.account.pk, fee.pk, "卡仍可用")
    corrections.reverse(order, actor=till.by.actor, now=NOON, policy=Policy())

    assert (person.book_fen, person.fresh().unclaimed_fen) == (50_00, 20_00)
    assert Reversal.objects.filter(entry_id=fee.pk).exists()


# ------------------------------------------------------------------------------------------------------ receipts


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
