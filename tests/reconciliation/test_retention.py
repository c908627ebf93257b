"""What was kept long enough goes, and nothing else does (A09; PIPL art. 19, security.md section 6)."""

from __future__ import annotations

import os
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import translation

from accounts.checks.masks import mask_name
from accounts.models import (
    Account,
    AlertContact,
    AuditEvent,
    Card,
    Holder,
    JobRun,
    LoginRecord,
    Operator,
    Photo,
    RosterFile,
    RosterMember,
)
from accounts.services import accounts
from accounts.services.accounts import Order, open_account
from banking.models import Binding
from banking.services import bindings
from purse.policy import Policy
from reconciliation import retention
from reconciliation.services.retention import retain
from tests.accounts.conftest import BY, CLERK, NOW, SECRETS, World
from transactions.models import Entry

YEAR = timedelta(days=365)
NUMBER = "6217001234567890123"


@pytest.fixture
def world(db):
    return World()


@pytest.fixture
def exports(tmp_path):
    return tmp_path / "exports"


def somebody(world, *, closed_ago=None):
    """A person with everything that can be known of one; closed so long ago, or not."""
    account = world.account(card=False)
    holder = account.holder
    Holder.objects.filter(pk=holder.pk).update(unit="海洋学院")
    AlertContact.objects.create(
        account=account, way="mail", sealed=b"someone@example.edu.cn", confirmed_at=NOW
    )
    card = bindings.BankCard(NUMBER)
    index = bindings.index_of(card.number, SECRETS)
    bindings._new(account.pk, card, index, SECRETS, by=CLERK, now=NOW - YEAR).save(force_insert=True)
    if closed_ago is not None:
        Account.objects.filter(pk=account.pk).update(life="closing")
        Account.objects.filter(pk=account.pk).update(life="closed", closed_at=NOW - closed_ago)
    account.refresh_from_db()
    return account


def known_of(account):
    """Everything by which somebody could tell who it was."""
    holder = Holder.objects.get(pk=account.holder_id)
    texts = [holder.name, holder.unit, holder.id_number_sealed, holder.id_number_index]
    texts += AlertContact.objects.filter(account=account).values_list("sealed", flat=True)
    for row in Binding.objects.filter(account=account):
        texts += [row.number_sealed, row.number_index, row.first_four, row.last_four]
    return [text for text in texts if text]


@pytest.mark.parametrize(
    ("closed_ago", "erased"), [(YEAR, True), (YEAR - timedelta(seconds=1), False), (None, False)]
)
def test_a_person_is_forgotten_a_year_after_the_account_was_closed(world, exports, closed_ago, erased):
    account = somebody(world, closed_ago=closed_ago)

    gone = retain(now=NOW, exports=exports)

    assert (gone["holders"], gone["bank_cards"]) == ((1, 1) if erased else (0, 0))
    assert (known_of(account) == []) == erased
    assert Account.objects.get(pk=account.pk).holder.uid == account.holder.uid


@pytest.mark.parametrize(
    ("left_ago", "erased"), [(YEAR, True), (YEAR - timedelta(seconds=1), False), (None, False)]
)
def test_somebody_who_never_had_an_account_goes_a_year_after_leaving_the_roster(
    world, exports, left_ago, erased
):
    person, officer = world.person(), Operator.objects.create_user("clerk", role="clerk")
    file = RosterFile.objects.create(
        id=uuid.uuid4(), name="x", digest=b"d" * 32, scope="students", state="applied", uploaded_by=officer,
        uploaded_at=NOW - YEAR * 2, ended_by=officer, ended_at=NOW - YEAR * 2,
    )  # fmt: skip
    RosterMember.objects.create(
        holder=person, group="一班", file=file, listed_at=NOW - YEAR * 2, left_at=left_ago and NOW - left_ago
    )

    assert retain(now=NOW, exports=exports)["holders"] == erased
    person.refresh_from_db()
    assert (person.name == "", RosterMember.objects.get().group == "") == (erased, erased)


def test_whoever_looks_at_an_erased_account_sees_that_nobody_is_known(world, exports):
    account = somebody(world, closed_ago=YEAR)
    retain(now=NOW, exports=exports)
    person = Holder.objects.get(pk=account.holder_id)

    assert (mask_name(person.name), str(person)[:1]) == ("", "X")


def test_a_binding_that_was_left_open_ends_with_the_person(world, exports):
    account = somebody(world, closed_ago=YEAR * 2)
    assert Binding.objects.get().state == "confirmed"

    retain(now=NOW, exports=exports)

    row = Binding.objects.get()
    assert (row.state, row.account_id, row.erased_at, bytes(row.number_sealed)) == (
        "ended",
        account.pk,
        NOW,
        b"",
    )


def test_the_photo_goes_too_and_the_audit_says_that_somebody_was_erased_not_who(world, exports):
    account = somebody(world, closed_ago=YEAR)
    operator = Operator.objects.create_user("clerk", role="clerk")
    name, school_no = account.holder.name, account.holder.school_no
    Photo.objects.create(
        holder=account.holder,
        image=b"jpeg",
        source_digest=b"d" * 32,
        taken_in_at=NOW,
        taken_in_by=operator,
    )

    retain(now=NOW, exports=exports)

    event = AuditEvent.objects.get(action="holder.erase")
    assert (event.object_id, event.actor) == (str(account.holder.uid), "system:retention")
    assert not Photo.objects.exists()
    told = str(list(AuditEvent.objects.filter(action="holder.erase").values()))
    assert name not in told
    assert school_no not in told


def test_twice_is_once(world, exports):
    somebody(world, closed_ago=YEAR)
    retain(now=NOW, exports=exports)
    events = AuditEvent.objects.count()

    again = retain(now=NOW + timedelta(days=1), exports=exports)

    assert (again["holders"], again["bank_cards"], AuditEvent.objects.count()) == (0, 0, events)


def test_a_dry_run_tells_the_same_and_changes_nothing(world, exports):
    account = somebody(world, closed_ago=YEAR)
    LoginRecord.objects.create(
        at=NOW - timedelta(days=91),
        subject="x",
        budget="remote",
        channel="web",
        source="web:1",
        succeeded=False,
    )
    exports.mkdir()
    old = exports / "ecard-holder-1.zip"
    old.write_bytes(b"x")
    os.utime(old, ((NOW - timedelta(days=8)).timestamp(),) * 2)
    known = known_of(account)

    would = retain(now=NOW, exports=exports, dry_run=True)
    assert (known_of(account), LoginRecord.objects.count(), old.exists()) == (known, 1, True)
    did = retain(now=NOW, exports=exports)

    assert would == did
    assert (did["holders"], did["logins"], did["exports"], old.exists()) == (1, 1, 1, False)


@pytest.mark.parametrize(("ago", "kept"), [(timedelta(days=90), 1), (timedelta(days=90, seconds=1), 0)])
def test_login_records_are_kept_for_90_days(world, exports, ago, kept):
    LoginRecord.objects.create(
        at=NOW - ago, subject="x", budget="remote", channel="web", source="web:1", succeeded=False
    )

    retain(now=NOW, exports=exports)

    assert LoginRecord.objects.count() == kept


def test_sessions_of_browsers_go_when_they_have_run_out(world, exports):
    Session.objects.create(session_key="old", session_data="x", expire_date=NOW - timedelta(seconds=1))
    Session.objects.create(session_key="new", session_data="x", expire_date=NOW)

    assert retain(now=NOW, exports=exports)["web_sessions"] == 1
    assert Session.objects.get().session_key == "new"


def test_only_exports_of_ours_and_only_old_ones_go(world, exports):
    exports.mkdir()
    for name, days in (("ecard-a.zip", 8), ("ecard-b.zip", 6), ("somebody-elses.txt", 99)):
        (exports / name).write_bytes(b"x")
        os.utime(exports / name, ((NOW - timedelta(days=days)).timestamp(),) * 2)

    assert retain(now=NOW, exports=exports)["exports"] == 1
    assert sorted(path.name for path in exports.iterdir()) == ["ecard-b.zip", "somebody-elses.txt"]


def test_a_number_is_not_given_to_somebody_else_within_five_years(world, monkeypatch):
    """Reading A17; the person may be forgotten meanwhile, the number is not free for that."""
    account = somebody(world, closed_ago=YEAR)
    monkeypatch.setattr(accounts, "NUMBERS", range(account.number, account.number + 1))
    holder = world.person()

    with pytest.raises(accounts.NumbersExhausted):
        open_account(Order(holder.pk, account.kind, world.campus), by=BY, policy=Policy(), secrets=SECRETS)


@pytest.mark.parametrize(
    "change",
    [
        "first_four = '9999'",
        "number_index = 'other'",
        "erased_at = now()",
        "number_index = '', number_sealed = '', first_four = '', last_four = '', erased_at = NULL",
    ],
)
def test_the_database_lets_a_bank_card_be_forgotten_whole_or_not_at_all(world, change):
    somebody(world)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE banking_binding SET {change}")


def test_a_binding_in_use_is_not_forgotten(world):
    somebody(world)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE banking_binding SET number_index = '', number_sealed = '', first_four = '', last_four = '',"
            " erased_at = now()"
        )


def test_every_table_has_its_line_and_no_money_ever_goes(db):
    """A new table belongs into reconciliation/retention.py: how long is it kept, and why?"""
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relispartition")
        tables -= {name for (name,) in cursor.fetchall()}

    assert {table for table in tables if retention.period_of(table) is None} == set()
    for model in (Entry, Account, Card):
        assert retention.period_of(model._meta.db_table).fate is retention.Fate.KEPT


def test_the_command_wants_to_be_told_which_and_notes_its_run(db, tmp_path, monkeypatch):
    monkeypatch.setattr("reconciliation.management.commands.retention.exports_folder", lambda: tmp_path)

    with pytest.raises(CommandError, match="one of the arguments"):
        call_command("retention")
    call_command("retention", "--dry-run", stdout=StringIO())
    assert not JobRun.objects.exists()
    call_command("retention", "--apply", stdout=StringIO())
    assert JobRun.objects.get().result == "ok"


def test_the_document_has_the_same_table():
    """docs/retention.md is what people are told; it is written from the English words of the table."""
    told = (settings.BASE_DIR / "docs" / "retention.md").read_text()
    with translation.override("en"):
        rows = [f"| {period.kept} | {period.fate.value} | {period.why} |" for period in retention.PERIODS]

    assert [row for row in rows if row not in told] == []
    assert [
        table for period in retention.PERIODS for table in period.tables if f"`{table}`" not in told
    ] == []
