"""Copies for a person and for auditors: complete, without secrets, signed, never without name and reason (A09)."""

from __future__ import annotations

import csv
import io
import json
import stat
import uuid
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts import wiring
from accounts.actors import Actor, Channel
from accounts.models import AuditEvent, Holder, Operator, Photo, Secret
from accounts.services import lostposts
from banking.services import bindings
from ecard.ops import export, ledger_copy, person
from reconciliation.wiring import audit_key
from tests.campus import Counter, make_person
from transactions.days import local_day

BANK_CARD = "6217001234567890123"


@pytest.fixture
def officer(db):
    return Operator.objects.create_user("clerk.li", "a long pass phrase", role="clerk")


@pytest.fixture
def holder(officer):
    """Somebody of whom there is something in many tables, and a neighbour."""
    till, made, other = Counter(), make_person(50_00), make_person(50_00)
    till.tap(made, 3_00)
    till.tap(other, 4_00)
    now = timezone.now()
    Holder.objects.filter(pk=made.account.holder_id).update(name="=王小明")
    Secret.objects.create(account=made.account, kind="query", pin_hash="pin2$1$hashofapin", changed_at=now)
    Operator.objects.filter(pk=officer.pk).update(holder=other.account.holder)
    Operator.objects.create_user("clerk.wang", "a long pass phrase", role="clerk", holder=made.account.holder)
    index = bindings.index_of(BANK_CARD, wiring.secrets())
    actor = Actor.operator(officer.pk, role="clerk", channel=Channel.COUNTER)
    row = bindings._new(
        made.account.pk, bindings.BankCard(BANK_CARD), index, wiring.secrets(), by=actor, now=now
    )
    row.save(force_insert=True)
    Photo.objects.create(
        holder=made.account.holder,
        image=b"a face",
        source_digest=b"d" * 32,
        taken_in_at=now,
        taken_in_by=officer,
    )
    search = lostposts.Search(
        uuid.uuid4(), made.account.pk, made.account.campus_id, "操场", local_day(now), "蓝色"
    )
    lostposts.post(search, actor=Actor.holder(made.account.holder.uid, channel=Channel.WEB), now=now)
    return made


def exported(holder, tmp_path, **changes):
    options = {"by": "clerk.li", "reason": "本人持身份证申请", **changes}
    call_command(
        "export_holder", "--account", str(holder.account.number), "--to", str(tmp_path), "--json", **options
    )


def archive_of(capsys):
    path = json.loads(capsys.readouterr().out)["path"]
    with zipfile.ZipFile(path) as archive:
        return path, {name: archive.read(name) for name in archive.namelist()}


def test_a_person_gets_all_that_is_kept_about_him_open_and_in_both_forms(holder, tmp_path, capsys):
    exported(holder, tmp_path)

    path, files = archive_of(capsys)
    me = json.loads(files["person.json"])
    assert (me["name"], me["school_no"], me["bank_cards"]) == (
        "=王小明",
        holder.account.holder.school_no,
        [BANK_CARD],
    )
    assert files["photo.jpg"] == b"a face"
    tables = {name.removeprefix("tables/").removesuffix(".json") for name in files if name.endswith(".json")}
    assert {
        "accounts_holder", "accounts_account", "accounts_card", "accounts_lostpost", "accounts_secret",
        "accounts_auditevent", "banking_binding", "transactions_entry", "transactions_answer",
    } <= tables  # fmt: skip
    entries = json.loads(files["tables/transactions_entry.json"])
    assert [entry["book_change_fen"] for entry in entries] == [50_00, -3_00]
    rows = list(csv.reader(io.StringIO(files["tables/transactions_entry.csv"].decode("utf-8-sig"))))
    assert len(rows) == 3
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600


def test_nothing_of_anybody_else_and_no_secret_is_in_it(holder, tmp_path, capsys):
    exported(holder, tmp_path)

    _, files = archive_of(capsys)
    text = b"".join(files.values())
    hashes = Operator.objects.exclude(password="").values_list("password", flat=True)
    for secret in ["pin2$1$hashofapin", "argon2", *hashes]:
        assert secret.encode() not in text
    accounts = {entry["account_id"] for entry in json.loads(files["tables/transactions_entry.json"])}
    assert accounts == {holder.account.pk}
    tables = [content.decode("utf-8-sig") for name, content in files.items() if name.endswith(".csv")]
    heads = {column for table in tables for column in table.splitlines()[0].split(",")}
    assert heads & (person.NEVER | {"id_number_sealed", "number_sealed", "number_index", "image"}) == set()


def test_a_name_that_looks_like_a_formula_is_none_in_a_spreadsheet(holder, tmp_path, capsys):
    exported(holder, tmp_path)

    assert "'=王小明" in archive_of(capsys)[1]["tables/accounts_holder.csv"].decode()


def test_every_table_that_names_an_account_or_a_holder_is_looked_at(db):
    """A table that is added later must not be forgotten: they are found by their columns, or named as children."""
    with connection.cursor() as cursor:
        cursor.execute(person._LINKS)
        found = {table for table, _ in cursor.fetchall()} | set(person.CHILDREN)
        cursor.execute(
            """
            SELECT DISTINCT c.conrelid::regclass::text FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
            WHERE c.contype = 'f' AND NOT t.relispartition AND c.confrelid IN ('accounts_account'::regclass,
                'accounts_holder'::regclass, 'accounts_card'::regclass)
            """
        )
        linked = {name for (name,) in cursor.fetchall()}

    assert linked - found == set()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reason": " "}, "say why"),
        ({"by": "nobody"}, "no operator nobody is in service"),
        ({"by": "gone"}, "no operator gone is in service"),
    ],
)
def test_nobody_gets_it_without_a_name_and_a_reason(holder, tmp_path, changes, told):
    Operator.objects.create_user("gone", role="clerk", is_active=False)
    with pytest.raises(CommandError, match=f"nothing was exported: {told}"):
        exported(holder, tmp_path, **changes)

    assert list(tmp_path.iterdir()) == []
    assert not AuditEvent.objects.filter(action="holder.export").exists()


def test_the_audit_says_who_took_a_copy_and_why_but_nothing_of_it(holder, tmp_path, officer):
    exported(holder, tmp_path)

    event = AuditEvent.objects.get(action="holder.export")
    assert (event.actor, event.reason) == (f"operator:{officer.pk}", "本人持身份证申请")
    assert (event.object_id, set(event.after)) == (str(holder.account.holder.uid), {"account", "rows"})


def test_an_export_that_fails_leaves_neither_file_nor_audit(holder, tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(person, "_put", broken)
    with pytest.raises(CommandError, match="disk full"):
        exported(holder, tmp_path)

    assert list(tmp_path.iterdir()) == []
    assert not AuditEvent.objects.filter(action="holder.export").exists()


def test_a_number_that_nobody_has_is_said_to_be_so(officer, tmp_path):
    with pytest.raises(CommandError, match="no account 99999"):
        call_command("export_holder", "--account", "99999", "--to", str(tmp_path), by="clerk.li", reason="x")


# ------------------------------------------------------------------------------------------------ the ledger


def ledger(tmp_path, first=None, last=None, **options):
    today = local_day(timezone.now())
    span = ["--from", str(first or today), "--to", str(last or today), "--into", str(tmp_path)]
    call_command("export_ledger", *span, "--json", by="clerk.li", reason="年度审计", **options)


@pytest.mark.django_db(transaction=True)
def test_an_auditor_gets_every_entry_of_the_days_and_a_signature_over_it(tmp_path, capsys):
    Operator.objects.create_user("clerk.li", role="auditor")
    till, made = Counter(), make_person(50_00)
    till.tap(made, 3_00)
    till.tap(made, 2_00)

    ledger(tmp_path)

    path, files = archive_of(capsys)
    rows = list(csv.DictReader(io.StringIO(files["entries.csv"].decode("utf-8-sig"))))
    assert [(row["account"], row["kind"], row["book_change_fen"]) for row in rows] == [
        (str(made.account.number), "opening", "5000"),
        (str(made.account.number), "purchase", "-300"),
        (str(made.account.number), "purchase", "-200"),
    ]
    body = export.check(path, key=audit_key())
    assert (body["entries"], {each["kind"]: each["book_fen"] for each in body["sums"]}) == (
        3, {"opening": 50_00, "purchase": -5_00},
    )  # fmt: skip
    assert AuditEvent.objects.get(action="ledger.export").after == {"entries": 3, "days": 0}
    assert made.account.holder.name not in str(files)


@pytest.mark.django_db(transaction=True)
def test_days_outside_are_not_in_it_and_a_span_turned_round_is_refused(tmp_path, capsys):
    Operator.objects.create_user("clerk.li", role="auditor")
    make_person(50_00)
    yesterday = local_day(timezone.now()) - timedelta(days=1)

    ledger(tmp_path, first=yesterday, last=yesterday)

    assert json.loads(capsys.readouterr().out)["entries"] == 0
    with pytest.raises(CommandError, match="is before"):
        ledger(tmp_path, first=yesterday, last=yesterday - timedelta(days=1))


@pytest.mark.django_db(transaction=True)
def test_a_copy_of_the_ledger_that_was_changed_is_not_genuine(tmp_path, capsys):
    Operator.objects.create_user("clerk.li", role="auditor")
    till, made = Counter(), make_person(50_00)
    till.tap(made, 3_00)
    ledger(tmp_path)
    path, files = archive_of(capsys)
    call_command("export_ledger", "--check", path)
    assert "entries 2" in capsys.readouterr().out

    for name, old, new in (
        ("entries.csv", b"-300", b"-100"),
        ("manifest.json", b'"book_fen": -300', b'"book_fen": -100'),
        ("manifest.json", b'"entries": 2', b'"entries": 1'),
    ):
        spoilt = tmp_path / "spoilt.zip"
        with zipfile.ZipFile(spoilt, "w") as archive:
            for each, content in files.items():
                archive.writestr(each, content.replace(old, new) if each == name else content)
        with pytest.raises(CommandError, match="changed"):
            call_command("export_ledger", "--check", str(spoilt))


@pytest.mark.parametrize(
    ("note", "shown"),
    [("=1+1", "'=1+1"), (" @x", "' @x"), ("-5", "'-5"), ("午餐 = 5", "午餐 = 5"), ("\tx", "'\tx")],
)
def test_a_note_that_a_spreadsheet_would_run_is_guarded(db, note, shown):
    guard = ledger_copy._ENTRIES.split("e.corrects,")[1].split("AS note")[0].replace("e.note", "n")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {guard} FROM (SELECT %s::text AS n) AS t".replace("%s", "$note$" + note + "$note$")
        )
        assert cursor.fetchone()[0] == shown
