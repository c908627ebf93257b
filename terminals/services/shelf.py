"""The shelf that uploaded records stand on: put there once, found by number, judged once. Whole batches each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from terminals.messages.records import Record, Result
from terminals.messages.strictjson import dumps
from terminals.models import SecurityEventKind, Terminal

Place = tuple[str, int]
"""Journal and number in it."""

_KEEP = """
    INSERT INTO terminals_uploadedrecord (terminal_id, journal, seq, kind, prev_mac, mac, raw, received_at)
    SELECT %(terminal)s, r.*, %(now)s
    FROM unnest(%(journal)s::text[], %(seq)s::bigint[], %(kind)s::text[], %(prev_mac)s::text[], %(mac)s::text[],
        %(raw)s::text[]) AS r
    ON CONFLICT DO NOTHING
"""

_NEIGHBOURS = """
    SELECT r.journal, r.seq, r.id, r.mac, r.prev_mac, v.result, coalesce(v.why, ''), d.settled, f.seq
    FROM (
        SELECT DISTINCT asked.journal, asked.seq + step AS seq
        FROM unnest(%(journal)s::text[], %(seq)s::bigint[]) AS asked (journal, seq), generate_series(-1, 1) AS step
    ) AS wanted
    JOIN terminals_uploadedrecord r
        ON r.terminal_id = %(terminal)s AND r.journal = wanted.journal AND r.seq = wanted.seq
    LEFT JOIN terminals_uploadverdict v ON v.record_id = r.id
    LEFT JOIN terminals_uploaddecision d ON d.record_id = r.id
    LEFT JOIN (
        SELECT detail->>'journal' AS journal, min((detail->>'seq')::bigint) AS seq
        FROM terminals_securityevent WHERE terminal_id = %(terminal)s AND kind = %(fork)s GROUP BY 1
    ) AS f ON f.journal = r.journal
"""

_JUDGE = """
    INSERT INTO terminals_uploadverdict (record_id, result, why, decided_at)
    SELECT v.*, %(now)s FROM unnest(%(id)s::bigint[], %(result)s::text[], %(why)s::text[]) AS v
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as it stands on the shelf, with its verdict and its later decision, if any.

    ``forked_at``: the lowest number at which its journal was seen to go on in two ways.
    """

    id: int
    mac: str
    prev_mac: str
    result: str | None
    why: str
    settled: str | None
    forked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a terminal is revoked, and up to which epoch its keys are in two machines; 0 for none."""

    revoked: bool
    cloned_epoch: int


def keep(records: Sequence[Record], terminal: int, *, now: datetime) -> None:
    """Put the records there; those whose number is taken change nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            _KEEP,
            {
                "terminal": terminal,
                "now": now,
                **_places((record.journal, record.seq) for record in records),
                "kind": [record.kind.value for record in records],
                "prev_mac": [record.prev_mac for record in records],
                "mac": [record.mac for record in records],
                "raw": [dumps(record.to_json()).decode() for record in records],
            },
        )


def lock_terminal(terminal: int) -> Standing:
    """Hold the terminal until the transaction ends; returns how it stands."""
    held = Terminal.objects.select_for_update(no_key=True)
    revoked_at, cloned_epoch = held.values_list("revoked_at", "cloned_epoch").get(id=terminal)
    return Standing(revoked_at is not None, cloned_epoch)


def neighbours(records: Sequence[Record], terminal: int) -> dict[Place, Kept]:
    """What stands at the places of these records, and before and after each of them."""
    with connection.cursor() as cursor:
        places = _places((record.journal, record.seq) for record in records)
        fork = SecurityEventKind.FORK.value
        cursor.execute(_NEIGHBOURS, {"terminal": terminal, "fork": fork, **places})
        return {(row[0], row[1]): Kept(*row[2:]) for row in cursor.fetchall()}


def judge(verdicts: Mapping[int, tuple[Result, str]], *, now: datetime) -> None:
    """Put a verdict beside each record, by record id."""
    if not verdicts:
        return
    results = [result.value for result, _ in verdicts.values()]
    words = [why for _, why in verdicts.values()]
    with connection.cursor() as cursor:
        cursor.execute(_JUDGE, {"id": list(verdicts), "result": results, "why": words, "now": now})


def _places(places: Iterable[Place]) -> dict[str, list[object]]:
    found = list(places)
    return {"journal": [journal for journal, _ in found], "seq": [seq for _, seq in found]}
