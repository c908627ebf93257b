"""A backup is whole or not there, is found when it was cut or changed, and comes back as it was (A07; E13, C4)."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts import wiring
from accounts.jobs import JobState, jobs
from accounts.models import Account, AuditEvent, JobRun
from ecard.ops import backup as making
from ecard.ops import compare, drill, manifest
from ecard.ops.manifest import BadBackup
from ecard.ops.sealedfile import CHUNK, Sealer, Unreadable, new_pair, opened, private_key, public_key
from ecard.ops.waking import wake
from ecard.pgprograms import Binaries
from purse.rules import Refusal
from reconciliation.services.verify import verify
from reconciliation.wiring import audit_key, day_keys
from terminals.models import EnrolmentCode, UploadVerdict
from tests import faults
from tests.conftest import _empty_tables
from tests.house import restored
from tests.house.restored import behind, books
from transactions.models import CardFinding

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def past(django_db_setup, django_db_blocker, tmp_path_factory):
    """A backup, what happened after it, and a server on which the backup was restored."""
    with django_db_blocker.unblock():
        with restored.past(tmp_path_factory.mktemp("past")) as made:
            _empty_tables(None)
            connection.close()
            django_db_blocker.restore()
            try:
                yield made
            finally:
                django_db_blocker.unblock()
        connection.close()


def looked_at(past):
    """Everything that is found wrong with the database that we are connected to."""
    ring = compare.ring_here()
    found = compare.compare_facts(past.backup.manifest, ring)
    found.add(compare.check_promises(ring, policy=wiring.widest_policy()))
    return found


# ------------------------------------------------------------------------------------------------ what there is


def test_what_was_restored_is_what_was_backed_up(past):
    with past.again():
        report = looked_at(past)
        assert books() == past.books

    assert report.found == []
    least = {
        "id_numbers": 4,
        "bank_cards": 1,
        "journal_records": 2,
        "days": 2,
        "audit_seals": 1,
        "promises": 20,
        "tables": 80,
    }
    assert {name: report.checked[name] for name in least if report.checked[name] < least[name]} == {}


def test_only_its_owner_may_read_it_and_nothing_in_it_can_be_read(past):
    """E13: who takes the backup has neither names nor keys."""
    modes = {stat.S_IMODE(path.stat().st_mode) for path in past.folder.iterdir()}
    assert (stat.S_IMODE(past.folder.stat().st_mode), modes) == (0o700, {0o600})
    sealed = (past.folder / "database.dump.sealed").read_bytes()
    text = (past.folder / manifest.NAME).read_text()
    assert b"PGDMP" not in sealed
    assert b"accounts_holder" not in sealed
    keys = [
        settings.AUDIT_KEY,
        settings.INDEX_KEY,
        *settings.FIELD_KEYS.values(),
        *settings.CARD_MASTER.values(),
    ]
    assert not [key for key in keys if key.hex() in text]
    assert set(json.loads(text)["keys"]) == {
        "PIN_PEPPERS", "FIELD_KEYS", "TERMINAL_MASTER", "CARD_MASTER", "DAY_KEYS", "INDEX_KEY", "AUDIT_KEY",
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------ what is found

TAMPERED = {
    "rows that were changed": {
        "verify L8": "UPDATE transactions_entry SET note = 'x' WHERE id = (SELECT min(id) FROM transactions_entry)",
        "entries of the open day": "UPDATE transactions_entry SET note = 'x' WHERE kind = 'purchase'",
        "sum book_fen": "UPDATE accounts_account SET book_fen = book_fen + 1 WHERE number = 20001",
        "digest of day": """UPDATE reconciliation_dayclose SET digest = sha256(digest)
            WHERE day = (SELECT max(day) FROM reconciliation_dayclose)""",
        "verify S6": "UPDATE accounts_auditevent SET reason = 'x'",
        "id_numbers: 1 of": """UPDATE accounts_holder h SET id_number_sealed = o.id_number_sealed
            FROM accounts_holder o WHERE (h.id, o.id) = (SELECT min(id), max(id) FROM accounts_holder)""",
        "bank_cards: 1 of 1": "UPDATE banking_binding SET number_index = '\\x00'",
        "journal_records: 2 of": """UPDATE terminals_uploadedrecord
            SET raw = replace(raw, '"fen":100', '"fen":101') WHERE kind = 'sale'""",
        "passwords: 1 of": """UPDATE accounts_secret SET pin_hash = 'pin2$99$x', is_default = false
            WHERE id = (SELECT min(id) FROM accounts_secret)""",
    },
    "rows that are gone, and sums that still come out right": {
        "table transactions_entry": "DELETE FROM transactions_entry WHERE kind = 'purchase'",
        "verify L3": """UPDATE accounts_account
            SET book_fen = book_fen + CASE number WHEN 20002 THEN 1 ELSE -1 END WHERE number IN (20002, 20003)""",
        "audit seal up to row": "DELETE FROM accounts_auditseal",
        "id_numbers: 1 of": """UPDATE accounts_holder SET id_number_index = sha256(id_number_index)
            WHERE id = (SELECT max(id) FROM accounts_holder)""",
    },
}


@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_was_changed_in_a_copy_is_found(past, what):
    with past.again():
        for change in TAMPERED[what].values():
            assert behind(change) > 0
        report = looked_at(past)

    missed = [told for told in TAMPERED[what] if not any(told in line for line in report.found)]
    faults.report("BACKUP", len(TAMPERED[what]), len(missed))
    assert missed == [], report.found


@pytest.fixture
def copied(past, tmp_path):
    """The backup's files, to be spoilt."""
    shutil.copytree(past.folder, tmp_path / "backup")
    return tmp_path / "backup"


def refused(copied, past, key=None):
    """Why it is not restored; None when it would be."""
    try:
        found = manifest.read(copied, key=audit_key())
        backup = drill.Backup(copied, found, key or past.backup.private)
        drill.check_parts(backup)
        for part in found.parts:
            with (copied / part.name).open("rb") as file:
                for _ in drill._plain(file, backup.private):
                    pass
    except (BadBackup, drill.Unreadable) as problem:
        return str(problem)
    return None


def test_a_backup_that_was_cut_or_changed_anywhere_is_refused(copied, past):
    """The manifest and the dump, cut at 12 places and changed at 60 each."""
    assert refused(copied, past) is None
    missed = cases = 0
    for path in sorted(copied.iterdir()):
        whole = path.read_bytes()
        cuts = [whole[: len(whole) * part // 12] for part in range(12)]
        places = [len(whole) * part // 60 for part in range(60)]
        changes = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places]
        for spoilt in cuts + changes:
            path.write_bytes(spoilt)
            missed += refused(copied, past) is None and not _says_the_same(spoilt, whole)
            cases += 1
        path.write_bytes(whole)
    faults.report("BACKUP", cases, missed)
    assert missed == 0


def _says_the_same(spoilt, whole):
    """A change of the white space between two words of the manifest is none."""
    try:
        return json.loads(spoilt) == json.loads(whole)
    except ValueError:
        return False


def test_a_changed_dump_with_a_manifest_to_match_is_refused(copied, past):
    body = json.loads((copied / manifest.NAME).read_text())
    [part] = body["parts"]
    (copied / part["name"]).write_bytes(b"another")
    part["size"] = 7
    part["sha256"] = "0" * 64
    (copied / manifest.NAME).write_text(json.dumps(body))

    assert "changed, or AUDIT_KEY" in refused(copied, past)


def test_a_plain_dump_that_was_changed_is_refused_by_its_digest_alone(past, tmp_path):
    """No cipher tells of a change there."""
    (tmp_path / making.DUMP).write_bytes(b"PGDMP plain")
    digest = making.sha256_of(tmp_path / making.DUMP)
    part = manifest.Part(making.DUMP, 11, digest, 11, digest, sealed=False)
    backup = drill.Backup(tmp_path, replace(past.backup.manifest, parts=(part,)), None)
    drill.check_parts(backup)

    (tmp_path / making.DUMP).write_bytes(b"PGDMP plaim")
    with pytest.raises(BadBackup, match="was changed: SHA-256"):
        drill.check_parts(backup)
    (tmp_path / making.DUMP).unlink()
    with pytest.raises(BadBackup, match="is missing"):
        drill.check_parts(backup)


def test_a_sealed_dump_does_not_open_for_somebody_else(copied, past):
    assert "sealed for another key" in refused(copied, past, key=private_key(new_pair()[0]))
    with pytest.raises(BadBackup, match="--identity"):
        drill.check_parts(replace(past.backup, private=None))


@pytest.mark.parametrize(
    ("name", "ring", "told"),
    [
        ("FIELD_KEYS", {2: b"f" * 32}, "key FIELD_KEYS 1 is missing"),
        ("FIELD_KEYS", {1: b"f" * 32}, "key FIELD_KEYS 1 is another one"),
        ("CARD_MASTER", {1: b"f" * 32}, "key CARD_MASTER 1 is another one"),
        ("INDEX_KEY", b"f" * 32, "key INDEX_KEY 0 is another one"),
    ],
)
def test_a_key_that_the_backup_needs_and_that_is_not_here_is_named(past, settings, name, ring, told):
    assert list(manifest.strange_keys(past.backup.manifest.keys)) == []
    setattr(settings, name, ring)

    assert list(manifest.strange_keys(past.backup.manifest.keys)) == [told]


def test_a_backup_of_an_older_or_newer_program_is_known_as_such(past):
    facts = past.backup.manifest.facts
    older = {**facts.migrations, "banking": facts.migrations["banking"][:-1]}
    newer = {**facts.migrations, "banking": [*facts.migrations["banking"], "0999_tomorrow"]}

    assert compare.strange_migrations(facts) == []
    assert compare.is_older(replace(facts, migrations=older))
    told = compare.strange_migrations(replace(facts, migrations=newer))
    assert told == ["migration banking 0999_tomorrow is unknown here: the backup is of a newer program"]
    assert not compare.is_older(replace(facts, migrations=newer))


# ------------------------------------------------------------------------------------------------ for real


def test_it_is_restored_to_an_empty_database_and_to_no_other(past):
    command = ["restore", "--from", str(past.folder), "--identity", str(past.identity)]
    with past.again(empty=True):
        out = StringIO()
        call_command(*command, stdout=out)

        assert out.getvalue().splitlines()[-1] == f"restored to {past.backup.manifest.made_at}"
        assert books() == past.books
        assert AuditEvent.objects.get(action="database.restore").after["made_at"]
        with pytest.raises(CommandError, match=r"nothing was restored: .* tables and sequences"):
            call_command(*command)
        assert books() == past.books


def test_nobody_stays_signed_in_and_no_code_stays_good_in_a_database_that_went_back(past):
    with past.again():
        Session.objects.create(session_key="x", session_data="x", expire_date=timezone.now())
        EnrolmentCode.objects.update(used_at=None)
        woken = wake(made_at="then", now=timezone.now())

        assert (woken["sessions"], woken["enrolment_codes"], Session.objects.count()) == (1, 1, 0)
        assert not EnrolmentCode.objects.filter(withdrawn_at__isnull=True).exists()


def test_tills_hand_in_again_what_the_restored_server_has_lost_and_nothing_is_charged_twice(past):
    """C4, RESTORE: sales went on after the backup; what was sold offline comes back by itself, each once."""
    with past.again():
        assert (past.books[20002], past.later[20002]) == (books()[20002], past.books[20002] - 4_00)
        past.campus.start()
        try:
            for _ in range(3):
                past.campus.parts.background.greet()
            after = books()
            dubious = past.campus.look("20003")
        finally:
            past.campus.close()

        assert after[20002] == past.later[20002]
        assert after[20001] == past.later[20001]
        # What was sold online after the backup is on the card only, in a state that this server never told anybody:
        # it is refused, and a person decides (docs/operations.md). Nobody pays twice.
        assert after[20003] == past.later[20003] + 3_00
        assert dubious.refusal is Refusal.CARD_SUSPECT
        assert [finding.kind for finding in CardFinding.objects.all()] == ["excess"]
        results = set(UploadVerdict.objects.values_list("result", flat=True))
        assert results == {"posted"}
        verdict = verify(policy=wiring.widest_policy(), keys=day_keys(), audit_key=audit_key())
        assert verdict.broken == []
        faults.report("RESTORE", 2, after[20002] != past.later[20002])


# ------------------------------------------------------------------------------------------------ making one


@pytest.mark.parametrize("place", ["static", "var/static", ".", "tests/../templates", "var/backups"])
def test_no_backup_goes_where_the_web_server_could_hand_it_out(place):
    with pytest.raises(making.NotSafe, match="is inside"):
        making.refuse_unsafe(settings.BASE_DIR / place)


@pytest.mark.parametrize("mode", [0o701, 0o704, 0o770])
def test_no_backup_goes_where_others_may_enter(tmp_path, mode):
    tmp_path.chmod(0o750)
    making.refuse_unsafe(tmp_path)
    tmp_path.chmod(mode)
    with pytest.raises(making.NotSafe, match="chmod 700"):
        making.refuse_unsafe(tmp_path)


def test_without_a_recipient_there_is_no_backup_unless_somebody_says_so(tmp_path, settings):
    settings.BACKUP_RECIPIENT = ""
    with pytest.raises(CommandError, match="--plain"):
        call_command("backup", "--to", str(tmp_path))
    settings.BACKUP_RECIPIENT = "x25519:abc"
    with pytest.raises(CommandError, match="64 hexadecimal digits"):
        call_command("backup", "--to", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def quick(monkeypatch):
    """A dump that takes no time."""

    def dump(order, draft, major, snapshot, say):
        making.private_file(draft / making.DUMP).close()
        return manifest.Part(making.DUMP, 0, "", 0, "", sealed=False)

    monkeypatch.setattr(making, "_dump", dump)


def order(folder, keep=None):
    return making.Order(folder, None, day_keys(), audit_key(), keep)


def make(folder, *, keep=None, ago=timedelta()):
    return making.back_up(order(folder, keep), now=timezone.now() - ago, say=lambda text: None)


def test_the_oldest_go_when_there_are_enough_and_nothing_else_does(quick, tmp_path):
    folder = tmp_path / "backups"
    for days in (3, 2, 1):
        make(folder, ago=timedelta(days=days))
    (folder / "ecard-notes.txt").touch()
    (folder / "ecard-20200101T000000Z").mkdir()  # unfinished: it has no manifest
    oldest = making.backups(folder)[:2]

    made = make(folder, keep=2)

    assert (made.dropped, len(making.backups(folder)), made.path) == (
        tuple(oldest),
        2,
        making.backups(folder)[-1],
    )
    assert {"ecard-notes.txt", "ecard-20200101T000000Z"} < {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("step", ["gather", "_dump", "papers.write", "_to_disk", "Path.rename"])
def test_a_run_that_is_cut_off_leaves_no_backup_and_no_rubbish(quick, tmp_path, monkeypatch, step):
    folder = tmp_path / "backups"
    with monkeypatch.context() as patch:
        patch.setattr(f"ecard.ops.backup.{step}", _cut)
        with pytest.raises(_Cut):
            make(folder)
    there = making.backups(folder)
    made = make(folder)

    left = {path.name for path in folder.iterdir()} - {made.path.name, ".ecard-backup.lock"}
    faults.report("BACKUP", 1, there != [] or left != set())
    assert (there, left) == ([], set())


class _Cut(BaseException):
    """The power."""


def _cut(*args, **kwargs):
    raise _Cut


def test_two_at_once_to_one_place_are_one(quick, tmp_path, monkeypatch):
    folder = tmp_path / "backups"
    refused, gather = [], making.gather

    def meanwhile(cursor, keys):
        with pytest.raises(making.AlreadyRunning):
            making.back_up(order(folder), now=timezone.now(), say=print)
        refused.append(1)
        return gather(cursor, keys)

    monkeypatch.setattr(making, "gather", meanwhile)
    make(folder)

    assert (refused, len(making.backups(folder))) == ([1], 1)


def test_a_dump_that_fails_is_no_backup_and_a_failed_job(tmp_path, monkeypatch):
    false = tmp_path / "bin"
    false.mkdir()
    (false / "pg_dump").write_text("#!/bin/sh\necho the disk is on fire >&2\nhead -c 100 /dev/zero\nexit 3\n")
    (false / "pg_dump").chmod(0o755)
    monkeypatch.setattr("ecard.ops.pgtools.programs", lambda major: Binaries(false, major))

    with pytest.raises(CommandError, match="no backup was made: the disk is on fire"):
        call_command("backup", "--to", str(tmp_path / "backups"), "--plain")

    assert making.backups(tmp_path / "backups") == []
    assert JobRun.objects.get().result == "failed"


def test_a_key_pair_is_made_once_and_never_written_over(tmp_path, capsys):
    call_command("backup_key", "--to", str(tmp_path / "key"))
    public = capsys.readouterr().out.strip().removeprefix("BACKUP_RECIPIENT=")
    private = private_key((tmp_path / "key").read_text())
    kept = io.BytesIO()
    sealer = Sealer(kept, public_key(public))
    sealer.write(b"x" * (CHUNK * 2 + 1))
    sealer.close()
    kept.seek(0)

    assert b"".join(opened(kept, private)) == b"x" * (CHUNK * 2 + 1)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with pytest.raises(CommandError, match="File exists"):
        call_command("backup_key", "--to", str(tmp_path / "key"))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_a_sealed_file_that_lacks_its_end_does_not_open(size):
    private, public = new_pair()
    kept = io.BytesIO()
    sealer = Sealer(kept, public_key(public))
    sealer.write(b"x" * size)
    sealer.close()
    whole = kept.getvalue()

    assert b"".join(opened(io.BytesIO(whole), private_key(private))) == b"x" * size
    for cut in {1, 16, CHUNK + 16, len(whole) - 10}:
        if cut < len(whole):
            with pytest.raises(Unreadable):
                list(opened(io.BytesIO(whole[:-cut]), private_key(private)))


# ------------------------------------------------------------------------------------------------ the drill


def test_a_drill_says_what_it_looked_at_leaves_nothing_behind_and_is_a_job(past, tmp_path):
    command = ["restore_drill", "--from", str(past.folder.parent), "--identity", str(past.identity)]
    out = StringIO()

    call_command(*command, "--scratch", str(tmp_path / "s"), "--json", stdout=out)

    told = json.loads(out.getvalue())
    assert (told["ok"], told["found"], told["checked"]["id_numbers"]) == (True, [], 4)
    assert list((tmp_path / "s").iterdir()) == []
    run = JobRun.objects.get()
    assert (run.job, run.result, run.counts["found"]) == ("restore_drill", "ok", 0)
    row = next(row for row in jobs(now=timezone.now()) if row.job.name == "restore_drill")
    assert row.state is JobState.GOOD
    assert not Account.objects.exists()


def test_a_drill_that_cannot_begin_is_a_failed_job(past, tmp_path):
    with pytest.raises(CommandError, match="--identity"):
        call_command("restore_drill", "--from", str(past.folder), "--scratch", str(tmp_path))

    assert JobRun.objects.get().result == "failed"


KILLED_IN = {"the restore": "drill.restore_into", "the look": "drill.look", "the start": "localdb.hold"}


@pytest.mark.long
@pytest.mark.parametrize("where", KILLED_IN)
def test_a_drill_that_is_killed_leaves_the_live_database_alone_and_no_server_for_ever(past, tmp_path, where):
    """kill -9 at its worst moment: the keeper of the scratch server sees that nobody holds it any more."""
    scratch, before = tmp_path / "s", books()
    script = f"""
import os, signal, sys
import django
django.setup()
from ecard import localdb
from ecard.ops import drill
real = {KILLED_IN[where]}
def die(*args, **kwargs):
    result = real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
{KILLED_IN[where]} = die
from django.core.management import call_command
call_command("restore_drill", "--from", sys.argv[1], "--identity", sys.argv[2], "--scratch", sys.argv[3], "--elsewhere")
"""
    names = [str(past.folder), str(past.identity), str(scratch)]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "ecard.settings"}
    done = subprocess.run(
        [sys.executable, "-c", script, *names], cwd=settings.BASE_DIR, env=environment, check=False
    )

    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 60
    while any(scratch.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    faults.report("BACKUP", 1, any(scratch.iterdir()) or books() != before)
    assert (list(scratch.iterdir()), books()) == ([], before)


@pytest.mark.long
def test_a_backup_that_is_killed_again_and_again_never_shows_half_of_one(past, tmp_path, settings):
    folder = tmp_path / "backups"
    command = [sys.executable, "manage.py", "backup", "--to", str(folder), "--plain"]
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}"
    login = f"postgresql://{settings.DATABASE_OWNER['USER']}@/{database['NAME']}?host={database['HOST']}"
    environment = {**os.environ, "DATABASE_URL": url, "DATABASE_OWNER_URL": login}
    for tenth in range(5, 35, 3):
        process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(tenth / 10)
        process.kill()
        process.wait()
        whole = [
            drill.Backup(path, manifest.read(path, key=audit_key()), None) for path in making.backups(folder)
        ]
        for each in whole:
            drill.check_parts(each)
        faults.report("BACKUP", 1, 0)
    assert subprocess.run(command, cwd=settings.BASE_DIR, env=environment, check=False).returncode == 0
    assert {path.name[:6] for path in folder.iterdir()} <= {"ecard-", ".ecard"}
    assert not list(folder.glob(".ecard-draft-*"))
