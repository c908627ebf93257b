"""`verify` passes over books that are right, and names every single field that somebody changed behind them (C8)."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from accounts.actors import Actor
from accounts.models import Attempt, LoginRecord, OperatorRole
from accounts.services import standing
from accounts.services.rows import By, change_card, lock_by_card
from ecard.database import as_owner
from purse.policy import Policy
from purse.rules import FreezeReason
from reconciliation.models import Case, Decision
from reconciliation.services.reconcile import RunOrder, reconcile
from reconciliation.services.verify import check_all, verify
from tests.faults import report
from tests.reconciliation.books import NOW, Book
from tests.reconciliation.desk import Form, approve, operator

pytestmark = pytest.mark.django_db(transaction=True)


def fill():
    """Books with everything that may be open, and nothing that may not."""
    with transaction.atomic():
        level = Book.open(30_00)
        level.pay(3_00)
        level.subsidy(100_00)
        torn = Book.open(50_00)
        torn.pay(1_30, torn=True)
        torn.pay(2_00, torn=True)
        torn.top_up(10_00, written=False)
        offline = Book.open(20_00)
        offline.pay_offline(4_00)
        late = Book.open(64_60)
        late.pay_offline(23_40)
        late.level(23_40)
        late.upload(23_40, late=True)
        refunded = Book.open(30_00)
        refunded.pay_offline(4_00)
        refunded.level(4_00)
        refunded.upload(4_00, late=True)
        back = Book.open(40_00)
        back.take_back(back.pay(5_00))
        bank = Book.open()
        bank.bank_load(500_00)
        lost = Book.open(10_00)
        by = By(Actor.system("test"), NOW)
        _, card = lock_by_card(lost.card.id)
        change_card(card, "card.report_lost", {"lost": True, "lost_at": NOW}, by=by)
        standing.freeze(torn.account.id, [FreezeReason.BY_HAND], by=by)
    reconcile(RunOrder(now=NOW))
    decide(refunded)
    guess(level)
    return {
        "refunded": refunded,
        "level": level,
        "torn": torn,
        "offline": offline,
        "late": late,
        "back": back,
        "lost": lost,
        "bank": bank,
    }


def decide(book):
    """One supervisor asks for a refund, another agrees; both are in the tables."""
    case = Case.objects.get(account=book.account, mismatch="DOUBLE", state="open")
    form = Form(case, "refund")
    form.send(operator("li", OperatorRole.CLERK))
    approve(Decision.objects.get(case=case), operator("wu", OperatorRole.SUPERVISOR))


def guess(book):
    """The holder keyed his consumption password wrong once, at a till."""
    Attempt.objects.create(
        subject=f"account:{book.account.id}", budget="consumption", failures=1, since_at=NOW, last_at=NOW
    )
    LoginRecord.objects.create(
        at=NOW,
        subject="x",
        account=book.account,
        budget="consumption",
        channel="pos",
        source="pos:7",
        succeeded=False,
    )


def test_books_with_every_open_item_are_right():
    fill()

    verdict = verify(policy=Policy())

    assert verdict.broken == []
    assert set(verdict.checked) == {
        *("L1", "L2", "L3", "L4", "L5", "L6", "L7", "L8", "L9", "L10"),
        *("C1", "C2", "C3", "C4", "C5", "C6", "M1", "M3", "M5", "S1", "S2", "S3", "S4", "S5", "S6"),
        *("L12", "R013"),
    }
    del verdict.checked["L8"], verdict.checked["S4"]  # no day is closed here, no loss taken back
    del verdict.checked["L12"], verdict.checked["R013"]  # no cash: tests/transactions/test_cash.py
    assert min(verdict.checked.values()) > 0


def test_empty_books_are_right():
    assert verify(policy=Policy()).ok


ENTRY = "UPDATE transactions_entry SET {} WHERE account_id = {} AND seq = {}"
ACCOUNT = "UPDATE accounts_account SET {} WHERE id = {}"
CARD = "UPDATE accounts_card SET {} WHERE id = {}"
ANSWER = "UPDATE transactions_answer SET {} WHERE account_id = {} AND entry_seq = {}"


def _entry(change, book, seq=2, before=""):
    return lambda books: before + ENTRY.format(change, books[book].account.id, seq)


def _account(change, book, before=""):
    return lambda books: before + ACCOUNT.format(change, books[book].account.id)


def _card(change, book, before=""):
    return lambda books: before + CARD.format(change, books[book].card.id)


def _answer(change, book, seq=2):
    return lambda books: ANSWER.format(change, books[book].account.id, seq)


CORRUPTIONS = {
    # the ledger
    "an amount": ("L3", _entry("book_change_fen = book_change_fen - 1", "level")),
    "an amount and its book": ("L3", _entry("book_change_fen = -301, book_after_fen = 2699", "level")),
    "a book after": ("L3", _entry("book_after_fen = book_after_fen + 1", "level")),
    "an unclaimed amount": ("L3", _entry("unclaimed_change_fen = unclaimed_change_fen + 1", "level", 3)),
    "an unclaimed after": ("L3", _entry("unclaimed_after_fen = unclaimed_after_fen + 1", "level", 3)),
    "the book of an account": ("L3", _account("book_fen = book_fen + 1", "level")),
    "the unclaimed money of an account": ("L3", _account("unclaimed_fen = unclaimed_fen - 1", "level")),
    "the entry count of an account": ("L3", _account("entry_seq = entry_seq + 1", "level")),
    "money from nowhere": ("L4", _account("book_fen = book_fen + 1", "offline")),
    "a number on the statement": ("L3", _entry("seq = 9", "level", 3)),
    "an entry of another account": ("L3", _entry("account_id = account_id + 1", "level", 3)),
    "an entry gone": (
        "L3",
        lambda books: (
            f"DELETE FROM transactions_entry WHERE account_id = {books['level'].account.id} AND seq = 2"
        ),
    ),
    "an entry gone from the end": (
        "L3",
        lambda books: (
            f"DELETE FROM transactions_entry WHERE account_id = {books['level'].account.id} AND seq = 3"
        ),
    ),
    "the other side": ("L2", _entry("contra = 'none'", "level", 2)),
    "a merchant that does not exist": ("L2", _entry("contra_ref = 99", "level")),
    "the key of an entry": ("L6", _entry("source_key = gen_random_uuid()", "level")),
    "an answer's entry": ("L6", _answer("entry_seq = 1", "level")),
    "an answer's account": ("L6", _answer("account_id = account_id + 1", "level")),
    "an answer forgotten": ("L6", _answer("entry_seq = NULL", "level")),
    "the ledger day": ("L7", _entry("day = day - 1", "level", 2)),
    "the kind of a late sale": (
        "L10",
        lambda books: ENTRY.format("kind = 'purchase', book_after_fen = -1", books["late"].account.id, 3),
    ),
    "a levelling upward": ("C6", _entry("book_change_fen = 2340", "late")),
    "a bank load too small": ("M1", _entry("book_change_fen = 99", "bank", 1)),
    "a bank load too large": ("M1", _entry("book_change_fen = 50001", "bank", 1)),
    # corrections
    "a reversal's amount": ("L5", _entry("book_change_fen = 501", "back", 3)),
    "a reversal's target": ("L5", _entry("reverses = reverses - 1", "back", 3)),
    "a reversal without its register": ("L5", lambda books: "DELETE FROM transactions_reversal"),
    "a reversal of a reversal": ("L5", _entry("reverses = id - 1", "back", 2)),
    "a correction larger than its entry": (
        "L5",
        _entry("corrects = account_id * 4294967296 + 2", "back", 1),
    ),
    # levelling, what came late, refunds
    "a levelling without its number": ("C6", _entry("purse_side = NULL, purse_seq = NULL", "late")),
    "a levelling against the bank": ("C6", _entry("contra = 'bank'", "late")),
    "a levelling before its time": (
        "C6",
        lambda books: (
            "UPDATE transactions_offlinetrace SET seen_at = seen_at + interval '1 day 1 second'"
            f" WHERE card_id = {books['late'].card.id}"
        ),
    ),
    "how far a card was levelled": ("C6", _card("levelled_seq = levelled_seq + 1", "late")),
    "a late amount": ("C2", _card("late_fen = late_fen - 1", "late")),
    "a late amount that nobody brought": (
        "C2",
        _card("late_fen = 1, load_total_fen = load_total_fen + 1", "level"),
    ),
    "the number of a late record": ("C2", _entry("purse_seq = purse_seq + 1", "late", 3)),
    "a refund of another entry": ("L5", _entry("corrects = corrects - 1", "refunded", 4)),
    "a refund's amount": ("L5", _entry("book_change_fen = 399", "refunded", 4)),
    "a refund without its register": ("L5", lambda books: "DELETE FROM transactions_refund"),
    "a refund of another kind": ("L5", _entry("kind = 'subsidy'", "refunded", 4)),
    "a book below zero and not frozen": ("S2", _account("book_fen = -1", "level")),
    # what people decided
    "a ruling of one's own": (
        "L9",
        lambda books: (
            "UPDATE reconciliation_ruling SET checker_id = (SELECT maker_id FROM reconciliation_decision)"
        ),
    ),
    "a ruling on another content": (
        "L9",
        lambda books: "UPDATE reconciliation_ruling SET content_hash = sha256('x')",
    ),
    "a ruling gone": ("L9", lambda books: "DELETE FROM reconciliation_ruling"),
    "a ruling after the deed": (
        "L9",
        lambda books: "UPDATE reconciliation_ruling SET ruled_at = ruled_at + interval '1 second'",
    ),
    "a refusal carried out": (
        "L9",
        lambda books: "UPDATE reconciliation_ruling SET verdict = 'refused', reason = 'x'",
    ),
    "a decision's content": (
        "L9",
        lambda books: "UPDATE reconciliation_decision SET content = content || '{\"book_fen\": 1}'",
    ),
    "a decision's amount": (
        "L9",
        lambda books: "UPDATE reconciliation_decision SET amount_fen = amount_fen + 1",
    ),
    "a refund that nobody decided": ("L9", lambda books: "DELETE FROM reconciliation_decisionresult"),
    "a result of another entry": (
        "L9",
        lambda books: (
            "UPDATE reconciliation_decisionresult SET numbers = jsonb_set(numbers, '{entries,0}', '1')"
        ),
    ),
    # the card
    "a leg's amount": ("C2", _card("legs = jsonb_set(legs, '{spend,0,2}', '131')", "torn")),
    "a leg's entry": ("C2", _card("legs = jsonb_set(legs, '{spend,0,0}', '1')", "torn")),
    "a leg's sequence": ("C2", _card("legs = jsonb_set(legs, '{spend,0,1}', '8')", "torn")),
    "a leg's terminal": ("C2", _card("legs = jsonb_set(legs, '{spend,0,3}', '8')", "torn")),
    "a leg shown too early": ("C2", _card("legs = jsonb_set(legs, '{spend,0,5}', 'true')", "torn")),
    "a leg twice": ("C2", _card("legs = jsonb_set(legs, '{spend,1}', legs #> '{spend,0}')", "torn")),
    "a leg gone": ("C2", _card("legs = legs - 'spend'", "torn")),
    "a late amount gone": ("C2", _card("late_fen = 0", "late")),
    "a floor": ("C3", _card("images = jsonb_set(images, '{load,floor,1}', '999999')", "torn")),
    "a told image": ("C3", _card("images = jsonb_set(images, '{spend,told,1,0}', '1')", "torn")),
    "what a card has loaded": ("C2", _card("load_total_fen = load_total_fen + 1", "level")),
    "what a card has spent": ("C3", _card("spend_total_fen = spend_total_fen + 1", "level")),
    "a card beyond the maximum": ("C5", _card("load_total_fen = 10000001", "level")),
    "more spent than loaded": ("C5", _card("spend_total_fen = 10000001", "level")),
    "more spent offline than at all": ("C5", _card("offline_spent_fen = 9999999", "level")),
    "an image told under two keys": (
        "C4",
        lambda books: (
            f"UPDATE transactions_answer SET told = jsonb_set(told, '{{spend,0}}', '1')"
            f" WHERE account_id = {books['torn'].account.id} AND entry_seq = 3"
        ),
    ),
    "an image of another number than its entry": (
        "C4",
        lambda books: (
            f"UPDATE transactions_answer SET told = jsonb_set(told, '{{spend,0}}', '9')"
            f" WHERE account_id = {books['torn'].account.id} AND entry_seq = 3"
        ),
    ),
    "a sequence used twice": ("C1", _entry("purse_seq = 1", "torn", 3)),
    "a second live card": (
        "C1",
        _card("account_id = account_id + 1, issue_no = 2", "level", "DROP INDEX card_one_live_per_account;"),
    ),
    "a UID on two cards": (
        "C1",
        lambda books: (
            "DROP INDEX card_uid_unique_live;"
            + CARD.format(f"uid = '{books['torn'].card.uid}'", books["level"].card.id)
        ),
    ),
    # flags
    "a freeze taken away": ("S2", _account("frozen_reasons = '{}', frozen_at = NULL", "torn")),
    "a freeze that nobody decided": (
        "S2",
        _account("frozen_reasons = '{by_hand}', frozen_at = now()", "level"),
    ),
    "another reason": ("S2", _account("frozen_reasons = '{book_negative}'", "torn")),
    "a reason twice": ("S1", _account("frozen_reasons = '{by_hand,by_hand}'", "torn")),
    "a freeze without its time": ("S1", _account("frozen_at = NULL", "torn")),
    "a loss taken back": ("S6", _card("lost = false, lost_at = NULL", "lost")),
    "a loss that nobody reported": ("S6", _card("lost = true, lost_at = now()", "level")),
    "the audit of a loss": ("S6", lambda books: "DELETE FROM accounts_auditevent WHERE object_kind = 'card'"),
    "a purchase while frozen": (
        "S3",
        _entry("occurred_at = now() + interval '3 minutes'", "torn", 3),
    ),
    "a purchase with a lost card": (
        "S3",
        lambda books: (
            "UPDATE transactions_entry SET occurred_at = now() + interval '3 minutes', kind = 'top_up',"
            f" card_id = {books['lost'].card.id} WHERE account_id = {books['lost'].account.id}"
        ),
    ),
    "a loss taken back by telephone": (
        "S4",
        lambda books: (
            "INSERT INTO accounts_auditevent (at, actor, role, channel, place, action, object_kind, object_id,"
            " before, after, reason) VALUES (now(), 'holder:1', 'holder', 'phone', '', 'card.lift_loss', 'card',"
            " '0', '{}', '{}', '')"
        ),
    ),
    "an unfreeze at a kiosk": (
        "S4",
        lambda books: (
            "INSERT INTO accounts_auditevent (at, actor, role, channel, place, action, object_kind, object_id,"
            " before, after, reason) VALUES (now(), 'holder:1', 'holder', 'load_kiosk', '', 'account.unfreeze',"
            " 'account', '0', '{}', '{}', '')"
        ),
    ),
    "a consumption password over the web": (
        "S5",
        lambda books: "UPDATE accounts_loginrecord SET channel = 'web'",
    ),
    "one guess too many": ("M5", lambda books: "UPDATE accounts_attempt SET failures = 7"),
    "a limit": (
        "M3",
        _account("daily_limit_fen = 60001", "level"),
    ),
    # the locks
    "a trigger off": (
        "L5",
        lambda books: "ALTER TABLE accounts_account DISABLE TRIGGER account_book_is_backed",
    ),
    "a trigger of a partition gone": (
        "L5",
        lambda books: "DROP TRIGGER entry_no_truncate ON transactions_entry_rest",
    ),
    "a partition without its guard": (
        "L5",
        lambda books: (
            "CREATE TABLE transactions_entry_209901 PARTITION OF transactions_entry"
            " FOR VALUES FROM ('2099-01-01') TO ('2099-02-01')"
        ),
    ),
    "the right to change the ledger": ("L5", lambda books: "GRANT UPDATE ON transactions_entry TO ecard_app"),
    "the right to empty the audit": (
        "L5",
        lambda books: "GRANT TRUNCATE ON accounts_auditevent TO ecard_app",
    ),
    "a float for money": (
        "L1",
        lambda books: "ALTER TABLE accounts_card ADD COLUMN bonus_fen double precision",
    ),
}


def test_every_single_field_changed_behind_the_books_is_found():
    books = fill()
    missed = []

    with as_owner():
        assert broken_ids() == set()
        for name, (wanted, corrupt) in CORRUPTIONS.items():
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL session_replication_role = replica")
                    cursor.execute(corrupt(books))
                if wanted not in (found := broken_ids()):
                    missed.append((name, wanted, found))
                transaction.set_rollback(True)

    report("VERIFY", len(CORRUPTIONS), len(missed))
    assert len(CORRUPTIONS) >= 50
    assert missed == []


def broken_ids():
    with connection.cursor() as cursor, transaction.atomic():
        return {broken.id for broken in check_all(cursor, Policy()).broken}


def test_a_broken_promise_names_the_account_and_the_entry():
    books = fill()
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(ENTRY.format("book_after_fen = 2701", books["level"].account.id, 2))

    verdict = verify(policy=Policy())

    number = books["level"].account.number
    assert [(broken.id, broken.account, broken.entry) for broken in verdict.broken] == [
        ("L3", number, 2),
        ("L3", number, 3),
    ]


def test_the_command_exits_with_1_and_a_list():
    books = fill()
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(ACCOUNT.format("book_fen = book_fen + 1", books["level"].account.id))
    lines, one_object = StringIO(), StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("verify", stdout=lines)
    with pytest.raises(SystemExit):
        call_command("verify", "--json", stdout=one_object)

    told = json.loads(one_object.getvalue())
    assert ended.value.code == 1
    assert f"BROKEN L3 {books['level'].account.number} 3: book 2701" in lines.getvalue()
    assert told["ok"] is False
    assert {"id", "account", "entry", "what"} == set(told["broken"][0])


def test_the_command_says_ok_when_all_is_well():
    out = StringIO()

    call_command("verify", "--json", stdout=out)

    assert json.loads(out.getvalue())["ok"] is True
    assert json.loads(out.getvalue())["broken"] == []


def test_verify_reads_one_snapshot_while_tills_work():
    """Whatever is sold between two checks, all of them look at the books of one moment."""
    book = Book.open(100_00)
    sold = []

    def sell(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "transactions_entry" in sql and len(sold) < 3:
            from threading import Thread

            def pay():
                book.pay(1_00)
                connection.close()

            thread = Thread(target=pay)
            thread.start()
            thread.join()
            sold.append(1)
        return result

    with connection.execute_wrapper(sell):
        verdict = verify(policy=Policy())

    assert len(sold) == 3
    assert verdict.broken == []
    assert verdict.checked["L2"] == verdict.checked["L7"] == 1
    assert book.fresh().book_fen == 97_00
