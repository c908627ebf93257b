"""Taking in offline journals: keep each genuine record as it came, post it exactly once, say what became of it.

Records arrive at least once, in any order, at any age. Each stands for itself: one that is broken does not spoil its
neighbours. What is not genuine is kept too, as evidence, where it cannot take the place of the genuine record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q

from terminals.messages.records import Record, RecordAnswer, Result, Sale
from terminals.messages.signing import NO_RECORD_MAC, document_genuine
from terminals.messages.strictjson import WireError, dumps
from terminals.models import SecurityEventKind, UploadedRecord, UploadVerdict
from terminals.services import events
from terminals.services.keyring import Keyring
from terminals.services.registry import Machine

EVIDENCE_CHARS: Final = 4_000
"""How much of a record that is not genuine goes into its event."""

Post = Callable[[Sale, Record], tuple[Result, str]]
"""Posts one sale to the book, exactly once by its operation key, and says what became of it and why."""


def take_in(
    records: Sequence[Any], machine: Machine, *, keyring: Keyring, post: Post, now: datetime
) -> tuple[RecordAnswer, ...]:
    """Keep, judge and post a batch. One answer a record, in the order of the batch.

    Safe to repeat and to kill at any point: what was kept but not judged is judged when it comes again.
    """
    answers: dict[int, RecordAnswer] = {}
    genuine: dict[int, Record] = {}
    for place, raw in enumerate(records):
        judged = _examine(raw, machine, keyring)
        if isinstance(judged, Record):
            genuine[place] = judged
        else:
            answers[place] = judged
            _keep_evidence(raw, machine, judged.why, now=now)
    kept = _keep(list(genuine.values()), machine, now=now)
    verdicts: list[UploadVerdict] = []
    try:
        for place in sorted(genuine, key=lambda place: (genuine[place].journal, genuine[place].seq)):
            record = genuine[place]
            answers[place], verdict = _settle(record, kept, machine, post=post, now=now)
            verdicts += [verdict] if verdict else []
    finally:
        UploadVerdict.objects.bulk_create(verdicts, ignore_conflicts=True)
    return tuple(answers[place] for place in range(len(records)))


def _examine(raw: Any, machine: Machine, keyring: Keyring) -> Record | RecordAnswer:
    """The record if it is well-formed, of this terminal and signed by it; else the refusal."""
    try:
        record = Record.parse(raw)
    except WireError as error:
        return RecordAnswer(_seq(raw), Result.REFUSED, f"{error.field}: {error.problem}"[:200])
    if record.terminal != machine.id:
        return RecordAnswer(record.seq, Result.REFUSED, "terminal: 不是本终端的记录")
    if not _signed(raw, machine, keyring):
        return RecordAnswer(record.seq, Result.REFUSED, "mac: 签名不符")
    return record


def _signed(raw: Mapping[str, Any], machine: Machine, keyring: Keyring) -> bool:
    """Journals outlive the keys of an epoch, so the present epoch is tried first and then every earlier one."""
    return any(
        document_genuine(keys.jrnl, raw)
        for epoch in range(machine.epoch, 0, -1)
        for keys in keyring.candidates(machine.id, epoch)
    )


def _keep(
    records: Sequence[Record], machine: Machine, *, now: datetime
) -> dict[tuple[str, int], UploadedRecord]:
    """Add what is not here yet; return what stands here now for each (journal, seq) of the batch and its neighbours."""
    rows = [
        UploadedRecord(
            terminal_id=machine.id,
            journal=record.journal,
            seq=record.seq,
            kind=record.kind.value,
            prev_mac=record.prev_mac,
            mac=record.mac,
            raw=dumps(record.to_json()).decode(),
            received_at=now,
        )
        for record in records
    ]
    UploadedRecord.objects.bulk_create(rows, ignore_conflicts=True)
    wanted: dict[str, set[int]] = {}
    for record in records:
        wanted.setdefault(record.journal, set()).update((record.seq - 1, record.seq, record.seq + 1))
    query = Q(pk__in=[])
    for journal, seqs in wanted.items():
        query |= Q(journal=journal, seq__in=seqs)
    found = UploadedRecord.objects.filter(query, terminal_id=machine.id).select_related("verdict")
    return {(row.journal, row.seq): row for row in found}


def _settle(
    record: Record,
    kept: Mapping[tuple[str, int], UploadedRecord],
    machine: Machine,
    *,
    post: Post,
    now: datetime,
) -> tuple[RecordAnswer, UploadVerdict | None]:
    """The answer to a kept record, and its verdict if it has none yet."""
    row = kept[record.journal, record.seq]
    if row.mac != record.mac:
        # The same number with two contents: a copied terminal, or a journal that was put back (B8).
        detail = {"journal": record.journal, "seq": record.seq, "raw": dumps(record.to_json()).decode()}
        events.note(SecurityEventKind.FORK, machine.id, now=now, detail=detail, quiet=timedelta(0))
        return RecordAnswer(record.seq, Result.QUARANTINED, "fork"), None
    verdict = getattr(row, "verdict", None)
    if verdict is not None:
        again = Result.DUPLICATE if verdict.result == Result.POSTED else Result(verdict.result)
        return RecordAnswer(record.seq, again, verdict.why), None
    result, why = _judge(record, kept, machine, post=post, now=now)
    verdict = UploadVerdict(record_id=row.id, result=result.value, why=why, decided_at=now)
    return RecordAnswer(record.seq, result, why), verdict


def _judge(
    record: Record,
    kept: Mapping[tuple[str, int], UploadedRecord],
    machine: Machine,
    *,
    post: Post,
    now: datetime,
) -> tuple[Result, str]:
    if machine.revoked:
        return Result.QUARANTINED, "terminal_revoked"
    if not _chained(record, kept):
        detail = {"journal": record.journal, "seq": record.seq, "prev_mac": record.prev_mac}
        events.note(SecurityEventKind.FORK, machine.id, now=now, detail=detail)
        return Result.QUARANTINED, "chain_broken"
    return post(record.sale, record) if record.sale else (Result.POSTED, "")


def _chained(record: Record, kept: Mapping[tuple[str, int], UploadedRecord]) -> bool:
    """Whether the record fits the neighbours that are here. Those that are missing may still come."""
    before, after = kept.get((record.journal, record.seq - 1)), kept.get((record.journal, record.seq + 1))
    if record.seq == 1 and record.prev_mac != NO_RECORD_MAC:
        return False
    return (before is None or before.mac == record.prev_mac) and (
        after is None or after.prev_mac == record.mac
    )


def _keep_evidence(raw: Any, machine: Machine, why: str, *, now: datetime) -> None:
    try:
        text = dumps({"record": raw}).decode()
    except (ValueError, RecursionError):
        text = repr(raw)[:EVIDENCE_CHARS]
    detail = {"why": why, "raw": text[:EVIDENCE_CHARS]}
    events.note(SecurityEventKind.BROKEN_RECORD, machine.id, now=now, detail=detail, quiet=timedelta(0))


def _seq(raw: Any) -> int | None:
    seq = raw.get("seq") if isinstance(raw, Mapping) else None
    return seq if isinstance(seq, int) and not isinstance(seq, bool) else None
