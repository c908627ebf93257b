"""The end of records that their verdict left open: by what the card has shown since, or by a person.

A record is decided once. Whoever releases or dismisses has been asked for twice where the sum is large: that is for
``reconciliation.services.decisions``; these functions are called inside its transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Final

from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from purse.policy import Policy
from terminals.messages.records import Record, Result
from terminals.models import Settled, UploadDecision, UploadVerdict
from terminals.services import shelf
from terminals.services.postings import Judged, Poster
from terminals.services.registry import machine
from transactions.services.offline import BATCH, exactly_once

DOUBTFUL: Final = "doubtful"


class NotOpen(Exception):
    """A record that is not there, was posted at once, or was decided before. Nothing was done."""


@dataclass(frozen=True, slots=True)
class Released:
    """What became of one record: ``settled`` None when it cannot be posted and stays open; ``why`` as in verdicts."""

    record_id: int
    settled: Settled | None
    why: str


@transaction.atomic
def release(
    record_ids: Collection[int],
    *,
    charge: bool,
    actor: Actor,
    reason: str,
    policy: Policy,
    now: datetime,
) -> tuple[Released, ...]:
    """Post open records, as if they had just come from a terminal in good standing; each exactly once by its key.

    ``charge`` False: only what the evidence allows; what is doubtful or contradicts the card stays open. ``charge``
    True: the account is charged whatever the card says; where the card lacks the debit, the next online tap writes it.
    Raises ``NotOpen``. The audit tells of each record. Locks the terminal before the accounts, as an upload does: in a
    larger transaction call it before anything else that locks an account.
    """
    ended: list[Released] = []
    for terminal, verdicts in _by_terminal(_open(record_ids)):
        shelf.lock_terminal(terminal)
        ended += _post(verdicts, terminal, charge=charge, policy=policy, now=now)
    _decide(ended, actor=actor, reason=reason, now=now)
    for done in ended:
        _tell("upload.release", done, actor=actor, reason=reason, now=now)
    return tuple(ended)


@transaction.atomic
def dismiss(record_ids: Collection[int], *, actor: Actor, reason: str, now: datetime) -> None:
    """Leave open records out of the book for good. They stay on the shelf. Raises ``NotOpen``."""
    ended = [Released(verdict.record_id, Settled.DISMISSED, verdict.why) for verdict in _open(record_ids)]
    _decide(ended, actor=actor, reason=reason, now=now)
    for done in ended:
        _tell("upload.dismiss", done, actor=actor, reason=reason, now=now)


def reconsider(*, policy: Policy, now: datetime, terminal: int | None = None) -> int:
    """Ask again about every doubtful write (of one terminal): the card may have shown since how it was.

    Each is posted, or found not written, or stays open. Safe to repeat and to kill; returns how many came to an end.
    """
    waiting = UploadVerdict.objects.filter(result=Result.SUSPECT, why__startswith=DOUBTFUL, decision=None)
    if terminal is not None:
        waiting = waiting.filter(record__terminal_id=terminal)
    count = 0
    for owner, verdicts in _by_terminal(waiting):
        for start in range(0, len(verdicts), BATCH):
            batch = verdicts[start : start + BATCH]
            count += exactly_once(partial(_reconsider, batch, owner, policy=policy, now=now))
    return count


def _reconsider(verdicts: Sequence[UploadVerdict], terminal: int, *, policy: Policy, now: datetime) -> int:
    shelf.lock_terminal(terminal)
    decided = set(UploadDecision.objects.filter(verdict__in=verdicts).values_list("verdict_id", flat=True))
    left = [verdict for verdict in verdicts if verdict.record_id not in decided]
    ended = _post(left, terminal, charge=False, policy=policy, now=now)
    return _decide(ended, actor=Actor.system("upload"), reason="", now=now)


def _open(record_ids: Collection[int]) -> list[UploadVerdict]:
    found = list(
        UploadVerdict.objects.filter(
            record__in=record_ids, result__in=[Result.SUSPECT, Result.QUARANTINED], decision=None
        ).select_related("record")
    )
    if len(found) != len(set(record_ids)):
        raise NotOpen(str(sorted(set(record_ids) - {verdict.record_id for verdict in found})))
    return found


def _by_terminal(verdicts: Iterable[UploadVerdict]) -> list[tuple[int, list[UploadVerdict]]]:
    """The verdicts of each terminal, terminals in the order in which they are locked, records in their journal's."""
    ordered = sorted(
        verdicts, key=lambda each: (each.record.terminal_id, each.record.journal, each.record.seq)
    )
    return [(terminal, list(own)) for terminal, own in groupby(ordered, lambda each: each.record.terminal_id)]


def _post(
    verdicts: Sequence[UploadVerdict], terminal: int, *, charge: bool, policy: Policy, now: datetime
) -> list[Released]:
    records = [Record.parse(json.loads(verdict.record.raw)) for verdict in verdicts]
    judged = Poster(machine(terminal), policy, now)(records, charge=charge)
    return [
        Released(verdict.record_id, _settled(found), found[1])
        for verdict, found in zip(verdicts, judged, strict=True)
    ]


def _settled(judged: Judged) -> Settled | None:
    result, why = judged
    if result is Result.DUPLICATE:
        return Settled.DUPLICATE
    if result is Result.POSTED:
        return Settled.NOT_WRITTEN if why.startswith("not_written") else Settled.POSTED
    return None


def _decide(ended: Iterable[Released], *, actor: Actor, reason: str, now: datetime) -> int:
    rows = [
        UploadDecision(
            verdict_id=done.record_id,
            settled=done.settled,
            why=done.why,
            reason=reason,
            decided_by=actor.who,
            decided_at=now,
        )
        for done in ended
        if done.settled is not None
    ]
    UploadDecision.objects.bulk_create(rows)
    return len(rows)


def _tell(action: str, done: Released, *, actor: Actor, reason: str, now: datetime) -> None:
    after = {"settled": done.settled.value if done.settled else None, "why": done.why}
    audit.record(audit.Deed(action, "upload", done.record_id, {}, after, reason), actor=actor, now=now)
