"""Holding the connected database against the manifest of a backup: is it that very one, whole, and can it be read?

Changes nothing. For a copy that was just restored; of a database in use everything that happened since differs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection
from django.db.migrations.loader import MigrationLoader

from accounts import wiring
from accounts.keys import Secrets, UnknownKey
from accounts.models import Holder
from accounts.sealing import SealBroken
from accounts.services import holders
from banking.models import Binding
from banking.services import bindings
from ecard.ops import pgtools
from ecard.ops.facts import Facts, differences, gather
from ecard.ops.manifest import Manifest, strange_keys
from purse.policy import Policy
from reconciliation.digest import DayKeys
from reconciliation.services.verify import verify
from reconciliation.wiring import audit_key, day_keys
from terminals.api import wiring as door
from terminals.messages.signing import document_genuine
from terminals.models import UploadedRecord
from terminals.services.keyring import Keyring

SAMPLE: Final = 500
"""So many of the newest and of the oldest of each kind are opened; a wrong key shows at the first."""
_PEPPERS: Final = """
    SELECT split_part(pin_hash, '$', 2), count(*) FROM accounts_secret WHERE pin_hash IS NOT NULL GROUP BY 1 ORDER BY 1
"""
MIGRATE: Final = "is not in the backup: run migrate on the copy"


@dataclass(frozen=True, slots=True)
class Ring:
    """Every key that a comparison needs."""

    day_keys: DayKeys
    audit_key: bytes
    secrets: Secrets
    terminals: Keyring


@dataclass(slots=True)
class Report:
    """What was looked at, and what is not as it should be, a sentence each."""

    checked: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.found

    def to_json(self) -> dict[str, Any]:
        """``{"ok", "checked", "found"}``."""
        return {"ok": self.ok, "checked": dict(self.checked), "found": self.found}

    def lines(self) -> Iterator[str]:
        """The same for people; the last line is the verdict."""
        yield from (f"{name} {count}" for name, count in self.checked.items())
        yield from (f"WRONG {told}" for told in self.found)
        yield "ok" if self.ok else f"{len(self.found)} wrong"

    def add(self, other: Report) -> None:
        """Take in what another look has found."""
        self.checked += other.checked
        self.found += other.found


def compare_facts(manifest: Manifest, ring: Ring) -> Report:
    """Whether every key is here and the database says what the manifest says: rows, sums, days, seals."""
    report = Report()
    report.found += strange_keys(manifest.keys)
    report.found += strange_migrations(manifest.facts)
    with pgtools.owner() as wrapper, wrapper.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        now = gather(cursor, ring.day_keys, sealed_with=manifest.facts.open_days)
        cursor.execute("COMMIT")
    report.checked["tables"] = len(now.rows)
    report.checked["rows"] = sum(now.rows.values())
    report.checked["days"] = len(now.days) + len(now.open_days)
    report.checked["audit_seals"] = len(now.audit)
    report.found += differences(manifest.facts, now)
    return report


def check_promises(ring: Ring, *, policy: Policy) -> Report:
    """Whether every promise about the books holds, and everything sealed opens. Not to be called inside a transaction.

    One thing that is broken does not hide the next.
    """
    report = Report()
    verdict = verify(policy=policy, keys=ring.day_keys, audit_key=ring.audit_key)
    report.checked["promises"] = len(verdict.checked)
    for broken in verdict.broken:
        place = " ".join(str(part) for part in (broken.account, broken.entry) if part is not None)
        report.found.append(
            f"verify {broken.id} {place}: {broken.what}".replace("  ", " ").replace(" :", ":")
        )
    _open_fields(report, ring)
    return report


def ring_here() -> Ring:
    """The keys of this installation."""
    return Ring(day_keys(), audit_key(), wiring.secrets(), door.keyring())


def strange_migrations(facts: Facts) -> list[str]:
    """What keeps this program from working with such a database as it is."""
    loader = MigrationLoader(None)
    ours = {(app, name) for app, name in loader.disk_migrations}
    theirs = {(app, names) for app, each in facts.migrations.items() for names in each}
    newer = sorted(theirs - ours - {key for key in theirs if key[0] not in loader.migrated_apps})
    older = sorted(ours - theirs)
    told = [
        f"migration {app} {name} is unknown here: the backup is of a newer program" for app, name in newer
    ]
    return told + [f"migration {app} {name} {MIGRATE}" for app, name in older]


def is_older(facts: Facts) -> bool:
    """Whether ``migrate`` would bring such a database up to this program."""
    return any(told.endswith(MIGRATE) for told in strange_migrations(facts))


def _open_fields(report: Report, ring: Ring) -> None:
    kinds = (
        ("id_numbers", _id_numbers(ring.secrets)),
        ("bank_cards", _bank_cards(ring.secrets)),
        ("journal_records", _records(ring.terminals)),
        ("passwords", _passwords(ring.secrets)),
    )
    for name, told in kinds:
        wrong = 0
        report.checked[name] = 0
        for problem in told:
            report.checked[name] += 1
            wrong += bool(problem)
            if problem and wrong == 1:
                first = problem
        if wrong:
            report.found.append(f"{name}: {wrong} of {report.checked[name]} do not open, the first: {first}")


def _ends(rows: Any) -> Iterator[Any]:
    yield from rows.order_by("pk")[:SAMPLE]
    if rows.count() > SAMPLE:
        yield from rows.order_by("-pk")[:SAMPLE]


def _id_numbers(secrets: Secrets) -> Iterator[str]:
    """Sealed with the field key, found by the index key: both must be right."""
    for holder in _ends(Holder.objects.filter(id_number_sealed__isnull=False)):
        try:
            number = holders.id_number_of(holder, secrets) or ""
        except (SealBroken, UnknownKey) as error:
            yield str(error)
            continue
        found = holders.index_of(number, secrets) == bytes(holder.id_number_index)
        yield "" if found else f"holder {holder.uid}: the index key is another one"


def _bank_cards(secrets: Secrets) -> Iterator[str]:
    for binding in _ends(Binding.objects.exclude(number_sealed=b"")):
        try:
            number = bindings.bank_card_of(binding, secrets)
        except (SealBroken, UnknownKey) as error:
            yield str(error)
            continue
        found = bindings.index_of(number, secrets) == bytes(binding.number_index)
        yield "" if found else f"binding {binding.uid}: the index key is another one"


def _records(keyring: Keyring) -> Iterator[str]:
    """Every uploaded record is signed with a key that follows from the master of the terminals."""
    for record in _ends(UploadedRecord.objects.select_related("terminal")):
        signed = any(
            document_genuine(keys.jrnl, json.loads(record.raw))
            for epoch in range(record.terminal.epoch, 0, -1)
            for keys in keyring.candidates(record.terminal_id, epoch)
        )
        yield "" if signed else f"record {record}: no key of terminal {record.terminal_id} signed it"


def _passwords(secrets: Secrets) -> Iterator[str]:
    """Nobody can say whether a hash is right without the password, but it names the pepper that it needs."""
    with connection.cursor() as cursor:
        cursor.execute(_PEPPERS)
        rows = cursor.fetchall()
    for pepper, count in rows:
        known = pepper.isdigit() and int(pepper) in secrets.peppers
        yield from [("" if known else f"pepper {pepper} is not in the ring")] * count
