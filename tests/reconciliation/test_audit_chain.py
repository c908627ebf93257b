"""S6, security.md section 6: the audit is append-only, and whoever gets round that is found by the chain of seals."""

from __future__ import annotations

import json
import threading
import time
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from accounts.actors import Actor
from accounts.models import AuditEvent, AuditSeal
from accounts.services import audit
from ecard.database import as_owner
from purse.policy import Policy
from reconciliation.services.seal_audit import seal_audit
from reconciliation.services.verify import verify
from tests import faults
from tests.reconciliation.books import NOW

KEY, OTHER = b"a" * 32, b"b" * 32
pytestmark = pytest.mark.django_db(transaction=True)


def deeds(number: int) -> None:
    for each in range(number):
        deed = audit.Deed("card.report_lost", "card", each, {"lost": False}, {"lost": True}, "丢了")
        audit.record(deed, actor=Actor.system("test"), now=NOW)


def found(key: bytes | None = KEY) -> list[str]:
    verdict = verify(policy=Policy(), audit_key=key)
    return [each.what for each in verdict.broken if each.id == "S6"]


def by_the_owner(statement: str) -> None:
    """What a database administrator can do: the triggers do not hold him."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET session_replication_role = origin")


def test_every_row_is_under_one_seal_and_the_seals_are_a_chain():
    deeds(3)
    first = seal_audit(key=KEY)
    assert seal_audit(key=KEY) is None
    deeds(2)
    second = seal_audit(key=KEY)

    assert (first.events, second.events) == (3, 2)
    assert bytes(second.previous) == bytes(first.digest)
    assert second.last_id == AuditEvent.objects.latest("id").pk
    assert found() == []


def test_nothing_to_seal_makes_no_seal():
    assert seal_audit(key=KEY) is None
    assert found() == []


CHANGES = {
    "at": "at + interval '1 second'",
    "actor": "'operator:1'",
    "role": "'x'",
    "channel": "'web'",
    "place": "'x'",
    "action": "'card.lift_loss'",
    "object_kind": "'x'",
    "object_id": "'99'",
    "before": "'{}'",
    "after": "'{}'",
    "reason": "''",
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_row_is_named(column):
    deeds(9)
    seal_audit(key=KEY)
    row = AuditEvent.objects.order_by("id")[4].pk

    by_the_owner(f"UPDATE accounts_auditevent SET {column} = {CHANGES[column]} WHERE id = {row}")

    assert found() == [f"audit seal {AuditSeal.objects.get().pk}: changed, row {row}"]
    faults.report("AUDIT_EDIT", 1, 0)


def test_a_row_taken_away_and_a_row_put_in_are_named():
    deeds(5)
    seal_audit(key=KEY)
    rows = list(AuditEvent.objects.order_by("id").values_list("id", flat=True))
    number = AuditSeal.objects.get().pk

    by_the_owner(f"DELETE FROM accounts_auditevent WHERE id = {rows[2]}")
    assert found() == [f"audit seal {number}: gone, after row {rows[1]}"]
    columns = "at, actor, role, channel, place, action, object_kind, object_id, before, after, reason"
    by_the_owner(
        f"INSERT INTO accounts_auditevent (id, {columns})"
        f" SELECT {rows[2]}, {columns} FROM accounts_auditevent WHERE id = {rows[0]}"
    )
    assert found() == [f"audit seal {number}: changed, row {rows[2]}"]
    faults.report("AUDIT_EDIT", 2, 0)


def test_a_seal_cut_out_or_made_with_another_key_is_named():
    for _ in range(3):
        deeds(2)
        seal_audit(key=KEY)
    seals = list(AuditSeal.objects.order_by("id").values_list("id", flat=True))

    assert found(OTHER) == [f"audit seal {each} was made with another key" for each in seals]
    by_the_owner(f"DELETE FROM accounts_auditseal WHERE id = {seals[1]}")
    assert f"audit seal {seals[2]} does not rest on the seal before" in found()
    assert found(None) == [f"audit seal {seals[2]} does not rest on the seal before"]


@pytest.mark.parametrize(
    "deed", ["UPDATE accounts_auditseal SET events = 1", "DELETE FROM accounts_auditseal"]
)
def test_the_application_changes_no_seal(deed):
    deeds(1)
    seal_audit(key=KEY)
    with pytest.raises(Exception, match="permission denied"), connection.cursor() as cursor:
        cursor.execute(deed)


def test_a_deed_under_way_is_waited_for():
    """Its row has a smaller number than those committed meanwhile; sealed without it, it would look planted."""
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            deeds(1)
            begun.set()
            go_on.wait(10)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    begun.wait(10)
    deeds(1)
    threading.Timer(0.5, go_on.set).start()

    started = time.monotonic()
    sealed = seal_audit(key=KEY)
    thread.join(10)

    assert time.monotonic() - started > 0.2
    assert sealed.events == 2
    assert found() == []


def test_close_day_seals_and_tells_the_head_that_is_kept_elsewhere():
    deeds(4)
    out = StringIO()

    call_command("close_day", "--json", stdout=out)

    head = AuditSeal.objects.get()
    assert json.loads(out.getvalue())["audit"] == {
        "events": head.events,
        "last_id": head.last_id,
        "digest": bytes(head.digest).hex(),
    }
    call_command("verify", stdout=StringIO())
