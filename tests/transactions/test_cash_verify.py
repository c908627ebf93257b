"""`verify` finds every change of cash behind the books' back (L12, R013, L9)."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from ecard.database import as_owner
from purse.policy import Policy
from reconciliation.services.verify import check_all
from tests import faults
from tests.campus import make_person
from tests.terminals.conftest import server  # noqa: F401 - a fixture
from tests.transactions.cashier import Cashier, agree

pytestmark = pytest.mark.django_db(transaction=True)

TOP_UP = "(SELECT min(id) FROM transactions_receipt WHERE kind = 'top_up')"
VOID = "(SELECT min(id) FROM transactions_receipt WHERE kind = 'void')"
CORRUPTIONS = {
    "what a shift should hold": ("L12", "UPDATE transactions_shift SET expected_fen = expected_fen + 1"),
    "what was counted": ("L12", "UPDATE transactions_shift SET counted_fen = counted_fen - 10"),
    "the float": ("L12", "UPDATE transactions_shift SET float_fen = float_fen + 100"),
    "a difference nobody has": ("L12", "UPDATE transactions_shift SET difference_fen = difference_fen + 1"),
    "cash of another shift": (
        "L12",
        "UPDATE transactions_entry SET contra_ref = contra_ref + 1 WHERE contra = 'drawer' AND kind = 'top_up'",
    ),
    "a receipt gone": ("L12", f"DELETE FROM transactions_receipt WHERE id = {VOID}"),
    "a receipt's amount": ("L12", f"UPDATE transactions_receipt SET fen = fen + 1 WHERE id = {VOID}"),
    "a receipt's entry": (
        "L12",
        f"UPDATE transactions_receipt SET entry_id = entry_id + 1 WHERE id = {TOP_UP}",
    ),
    "a receipt's account": (
        "L12",
        f"UPDATE transactions_receipt SET account_id = account_id + 1 WHERE id = {TOP_UP}",
    ),
    "a number left out": ("L12", f"UPDATE transactions_receipt SET no = no + 1 WHERE id = {VOID}"),
    "the last number": ("L12", "UPDATE transactions_receiptseries SET last_no = last_no + 1"),
    "confirmed before it was shown": (
        "R013",
        "UPDATE transactions_topupslip SET shown_at = confirmed_at + interval '1 second'",
    ),
    "never shown": ("R013", "UPDATE transactions_topupslip SET shown_at = NULL"),
    "another amount than shown": ("R013", "UPDATE transactions_topupslip SET fen = fen + 1"),
    "a void that nobody agreed to": ("L9", "DELETE FROM accounts_requestruling"),
    "a void that was never carried out": ("L9", "DELETE FROM accounts_requestresult"),
    "a void of one's own": (
        "L9",
        "UPDATE accounts_requestruling SET checker_id = (SELECT min(maker_id) FROM accounts_request)",
    ),
    "a void of another amount": ("L9", "UPDATE accounts_request SET amount_fen = amount_fen + 1"),
}
NO_CHECKS = """
    DO $$ DECLARE found record; BEGIN
        FOR found IN SELECT conrelid::regclass AS name, conname FROM pg_constraint WHERE contype = 'c'
            AND (conrelid::regclass::text LIKE 'transactions_%' OR conrelid::regclass::text LIKE 'accounts_request%')
        LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.name, found.conname); END LOOP;
    END $$
"""
"""The tables' own CHECKs would let few of these happen; here they do happen."""


def broken() -> set[str]:
    with transaction.atomic(), connection.cursor() as cursor:
        return {each.id for each in check_all(cursor, Policy()).broken if (each.id, each.entry) != ("L6", 1)}


def test_every_change_of_cash_behind_the_books_is_found(server):  # noqa: F811 - the fixture
    till = Cashier(server)
    receipt = till.top_up(make_person(28_40))
    spoilt = make_person(10_00)
    taken_back = till.top_up(spoilt)
    request = till.propose(taken_back)
    agree(request, till.now)
    till.desk.do(till.unload(taken_back, request).pk, spoilt.plastic)
    till.close()
    assert receipt.no == 1
    missed = []

    with as_owner():
        assert broken() == set()
        for name, (wanted, corrupt) in CORRUPTIONS.items():
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL session_replication_role = replica")
                    cursor.execute(NO_CHECKS)
                    cursor.execute(corrupt)
                    assert cursor.rowcount > 0, name
                if wanted not in (found := broken()):
                    missed.append((name, wanted, found))
                transaction.set_rollback(True)

    faults.report("VERIFY-cash", len(CORRUPTIONS), len(missed))
    assert missed == []
