"""Taking in offline journals: keep each genuine record as it came, post it exactly once, say what became of it.

Records arrive at least once, in any order, at any age. Each stands for itself: one that is broken does not spoil its
neighbours. What is not genuine is kept too, as evidence, where it cannot take the place of the genuine record.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, Final

from django.db import DataError, IntegrityError, transaction

from purse.policy import Policy
from terminals.messages.records import Record, RecordAnswer, Result
from terminals.messages.signing import NO_RECORD_MAC, document_genuine
from terminals.messages.strictjson import WireError, dumps, loads
from terminals.models import SecurityEventKind, Settled, UploadedRecord
from terminals.services import events, registry, shelf
from terminals.services.keyring import Keyring
from terminals.services.postings import Judged, Poster
from terminals.services.registry import Machine
from terminals.services.releases import NotOpen, dismiss, reconsider, release
from terminals.services.shelf import Kept, Place
from transactions.services.offline import BATCH, exactly_once
from transactions.services.running import UNIQUE_VIOLATION, sqlstate

__all__ = ["NotOpen", "Post", "dismiss", "reconsider", "release", "resume", "take_in"]

EVIDENCE_CHARS: Final = 4_000
"""How much of a record that is not genuine goes into its event."""

_log = logging.getLogger("ecard.terminals")

OLDEST_EPOCH: Final = 1
"""Taken for the epoch of a record whose key nobody looked up."""

RESUMED_AFTER: Final = timedelta(minutes=10)
RESUMED_FOR: Final = timedelta(days=40)
"""Between these ages a record without a verdict is judged by the nightly run."""

Post = Callable[[Sequence[Record]], Sequence[Judged]]
"""Posts records to the book, each exactly once by its operation key; says what became of each and why."""


def take_in(
    records: Sequence[Any], machine: Machine, *, keyring: Keyring, post: Post, now: datetime
) -> tuple[RecordAnswer, ...]:
    """Keep, judge and post any number of records. One answer a record, in their order.

    Safe to repeat and to kill at any point: what was kept but not judged is judged when it comes again. Raises
    ``Busy``: what was answered before stays done, and the whole may be sent again.
    """
    answers: dict[int, RecordAnswer] = {}
    genuine: list[tuple[Record, int]] = []
    epochs: dict[str, int] = {}
    for place, raw in enumerate(records):
        judged = _examine(raw, machine, keyring)
        if isinstance(judged, RecordAnswer):
            answers[place] = judged
            _keep_evidence(raw, machine, judged.why, now=now)
        else:
            record, epochs[record.mac] = judged
            genuine.append((record, place))
    genuine.sort(key=lambda found: (found[0].journal, found[0].seq))
    for start in range(0, len(genuine), BATCH):
        batch = [record for record, _ in genuine[start : start + BATCH]]
        shelf.keep(batch, machine.id, now=now)
        settle = partial(_settle, batch, machine, epochs=epochs, now=now)
        try:
            told = exactly_once(partial(settle, post=post))
        except (DataError, IntegrityError):
            told = exactly_once(partial(settle, post=partial(_apart, post)))
        places = (place for _, place in genuine[start : start + BATCH])
        answers |= dict(zip(places, told, strict=True))
    return tuple(answers[place] for place in range(len(records)))


def resume(*, policy: Policy, now: datetime) -> int:
    """Judge what was kept, but whose judging was cut off, and that nobody has sent again since; returns how many.

    For the night: a till may be stolen or broken between the two. Safe to repeat and to kill. Raises ``Busy``.
    """
    left = UploadedRecord.objects.filter(
        verdict=None, received_at__gt=now - RESUMED_FOR, received_at__lte=now - RESUMED_AFTER
    ).order_by("terminal_id", "journal", "seq")
    count = 0
    for terminal, rows in groupby(left, lambda row: row.terminal_id):
        records = [Record.parse(loads(row.raw.encode())) for row in rows]
        machine = registry.machine(terminal)
        for start in range(0, len(records), BATCH):
            batch = records[start : start + BATCH]
            post = Poster(machine, policy, now)
            exactly_once(partial(_settle, batch, machine, epochs={}, post=post, now=now))
            count += len(batch)
    return count


def _examine(raw: Any, machine: Machine, keyring: Keyring) -> tuple[Record, int] | RecordAnswer:
    """The record and the epoch that signed it, if it is well-formed and of this terminal; else the refusal."""
    try:
        record = Record.parse(raw)
    except WireError as error:
        return RecordAnswer(_seq(raw), Result.REFUSED, f"{error.field}: {error.problem}"[:200])
    if record.terminal != machine.id:
        return RecordAnswer(record.seq, Result.REFUSED, "terminal: 不是本终端的记录")
    epoch = _signed_in(raw, machine, keyring)
    return (record, epoch) if epoch else RecordAnswer(record.seq, Result.REFUSED, "mac: 签名不符")


def _signed_in(raw: Mapping[str, Any], machine: Machine, keyring: Keyring) -> int:
    """The epoch whose key signed; 0 for none. Journals outlive an epoch, so the earlier ones are tried too."""
    genuine = (
        epoch
        for epoch in range(machine.epoch, 0, -1)
        for keys in keyring.candidates(machine.id, epoch)
        if document_genuine(keys.jrnl, raw)
    )
    return next(genuine, 0)


def _settle(
    records: Sequence[Record], machine: Machine, *, epochs: Mapping[str, int], post: Post, now: datetime
) -> list[RecordAnswer]:
    """Judge kept records of one terminal, post what is in order, and put the verdicts beside them.

    The row of the terminal is locked first, so two uploads of one journal go one after the other. ``epochs``: by MAC,
    the epoch that signed.
    """
    standing = shelf.lock_terminal(machine.id)
    kept = shelf.neighbours(records, machine.id)
    forks = _forks(records, kept)
    judged: dict[Place, Judged] = {}
    to_post: dict[Place, Record] = {}
    for record in records:
        place, row = (record.journal, record.seq), kept[record.journal, record.seq]
        if row.mac != record.mac or row.result is not None or place in to_post:
            continue
        if standing.revoked:
            judged[place] = Result.QUARANTINED, "terminal_revoked"
        elif epochs.get(record.mac, OLDEST_EPOCH) <= standing.cloned_epoch:
            judged[place] = Result.QUARANTINED, "cloned"
        elif record.seq >= forks.get(record.journal, record.seq + 1):
            judged[place] = Result.QUARANTINED, "fork"
        elif not _chained(record, kept):
            judged[place] = _broken(record, machine, now=now)
            forks[record.journal] = record.seq
        else:
            to_post[place] = record
    judged |= dict(zip(to_post, post(list(to_post.values())), strict=True))
    shelf.judge({kept[place].id: found for place, found in judged.items()}, now=now)
    answers: list[RecordAnswer] = []
    for record in records:
        place, row = (record.journal, record.seq), kept[record.journal, record.seq]
        if row.mac != record.mac:
            answers.append(_forked(record, machine, now=now))
        elif row.result is None:
            answers.append(RecordAnswer(record.seq, *judged[place]))
            kept[place] = replace(row, result=judged[place][0].value, why=judged[place][1])
        else:
            answers.append(_again(record.seq, row))
    return answers


def _apart(post: Post, records: Sequence[Record]) -> list[Judged]:
    """Post one by one, because the tables refuse the batch: what they refuse is for a person, the rest is posted.

    No rule lets such a record through today; but no record may ever keep a till from handing in the others.
    """
    judged: list[Judged] = []
    for record in records:
        try:
            with transaction.atomic():
                judged += post([record])
        except (DataError, IntegrityError) as error:
            if sqlstate(error) == UNIQUE_VIOLATION:
                raise  # the key is being answered in this moment: ask once more
            _log.exception("upload.impossible", extra={"terminal": record.terminal})
            judged.append((Result.SUSPECT, "impossible"))
    return judged


def _forks(records: Sequence[Record], kept: Mapping[Place, Kept]) -> dict[str, int]:
    """By journal the lowest number at which it was seen to go on in two ways, now or before.

    From there on nobody can say which of the two is genuine, so nothing of either is posted without a person (B8).
    """
    forks: dict[str, int] = {}
    for record in records:
        row = kept[record.journal, record.seq]
        for seq in (row.forked_at, record.seq if row.mac != record.mac else None):
            if seq is not None:
                forks[record.journal] = min(seq, forks.get(record.journal, seq))
    return forks


def _broken(record: Record, machine: Machine, *, now: datetime) -> Judged:
    detail = {"journal": record.journal, "seq": record.seq, "prev_mac": record.prev_mac}
    events.note(SecurityEventKind.FORK, machine.id, now=now, detail=detail, quiet=timedelta(0))
    return Result.QUARANTINED, "chain_broken"


def _forked(record: Record, machine: Machine, *, now: datetime) -> RecordAnswer:
    """The same number with two contents: a copied terminal, or a journal that was put back (B8)."""
    detail = {"journal": record.journal, "seq": record.seq, "raw": dumps(record.to_json()).decode()}
    events.note(SecurityEventKind.FORK, machine.id, now=now, detail=detail, quiet=timedelta(0))
    return RecordAnswer(record.seq, Result.QUARANTINED, "fork")


def _again(seq: int, row: Kept) -> RecordAnswer:
    """What is told of a record that was judged before: in the book now, by whatever way, or still open."""
    posted = row.result == Result.POSTED or row.settled in {Settled.POSTED, Settled.DUPLICATE}
    return RecordAnswer(seq, Result.DUPLICATE if posted else Result(row.result or Result.SUSPECT), row.why)


def _chained(record: Record, kept: Mapping[Place, Kept]) -> bool:
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
