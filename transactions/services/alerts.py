"""Looking through new movements for what holders asked to be told of. Cron does it each minute; no sale waits for it.

The mark of each account is the number of its last movement looked at. Movements of an account have no gaps and appear
in their order (L2), so nothing is missed however late a transaction commits; no mark over times or ids of all the
ledger could promise that. A batch tells and moves its marks in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.kinds import NoticeKind
from accounts.models import AccountLife, AlertChoice
from accounts.services.notices import Message, tell_once
from transactions.alerts import Finding, Line, Watch, findings
from transactions.models import Contra, Entry, EntryKind, Merchant, entry_id

BATCH: Final = 500
"""Accounts in one transaction."""
LINES: Final = 200
"""Movements of one account in one run; whoever has more is gone on with in the next."""
LATELY: Final = timedelta(days=2)
"""Where movements of the last minute are looked for first, so that the months before are not opened."""


def tell_of_movements(*, now: datetime) -> int:
    """Tell holders of their new movements. Returns how many messages that gave. Safe to repeat and to kill."""
    told, after = 0, 0
    while batch := _look(after, now=now):
        after, found = batch
        told += found
    return told


@transaction.atomic
def _look(after: int, *, now: datetime) -> tuple[int, int] | None:
    """The next accounts behind ``after`` with new movements: the last of them, and how many messages they gave."""
    rows = list(_moved().filter(pk__gt=after).order_by("pk")[:BATCH])
    if not rows:
        return None
    lines = _new_lines(rows, now=now)
    found: list[tuple[int, Finding, Entry]] = []
    for row in rows:
        own = lines[row.pk]
        if row.account.life == AccountLife.OPEN:
            watch = Watch(row.low_fen, row.spend_fen, row.waiting, row.low_told)
            told, row.low_told = findings(watch, map(_line, own.values()))
            found += [(row.pk, finding, own[finding.seq]) for finding in told]
        row.seen_seq = max(own)
    _tell(found, {row.pk: row for row in rows}, now=now)
    AlertChoice.objects.bulk_update(rows, ["seen_seq", "low_told"])
    return rows[-1].pk, len(found)


def _moved() -> QuerySet[AlertChoice]:
    """Who watches money and has new movements. Only choices are locked; one that its holder changes waits a minute."""
    watching = Q(low_fen__isnull=False) | Q(spend_fen__isnull=False) | Q(waiting=True)
    rows = AlertChoice.objects.filter(watching, account__entry_seq__gt=F("seen_seq"))
    return rows.select_related("account").select_for_update(of=("self",), skip_locked=True)


def _new_lines(rows: Sequence[AlertChoice], *, now: datetime) -> dict[int, dict[int, Entry]]:
    """The movements of each account behind its mark, by number, in their order. All of them are there, or it raises."""
    wanted = {
        entry_id(row.pk, seq)
        for row in rows
        for seq in range(row.seen_seq + 1, min(row.account.entry_seq, row.seen_seq + LINES) + 1)
    }
    found = _entries(wanted, since=now - LATELY)
    missing = wanted - found.keys()
    if missing:
        found |= _entries(missing)
    lines: dict[int, dict[int, Entry]] = {row.pk: {} for row in rows}
    for number in sorted(wanted):
        entry = found[number]
        lines[entry.account_id][entry.seq] = entry
    return lines


def _entries(ids: Iterable[int], since: datetime | None = None) -> dict[int, Entry]:
    """Movements by their key: the primary index of each month's partition, or of the latest ones only."""
    rows = Entry.objects.filter(id__in=list(ids))
    if since is not None:
        rows = rows.filter(posted_at__gte=since)
    return {row.id: row for row in rows}


def _line(entry: Entry) -> Line:
    return Line(
        seq=entry.seq,
        kind=EntryKind(entry.kind),
        book_change_fen=entry.book_change_fen,
        book_after_fen=entry.book_after_fen,
        unclaimed_change_fen=entry.unclaimed_change_fen,
        unclaimed_after_fen=entry.unclaimed_after_fen,
    )


def _tell(
    found: Sequence[tuple[int, Finding, Entry]], rows: Mapping[int, AlertChoice], *, now: datetime
) -> None:
    merchants = {
        entry.contra_ref
        for _account, finding, entry in found
        if finding.kind is NoticeKind.LARGE_SPEND and entry.contra == Contra.MERCHANT
    }
    places = Merchant.objects.in_bulk(merchants) if merchants else {}
    tell_once(
        (
            account_id,
            Message(finding.kind, f"entry:{finding.seq}", _facts(finding, entry, rows[account_id], places)),
            min(entry.posted_at, now),
        )
        for account_id, finding, entry in found
    )


def _facts(
    finding: Finding, entry: Entry, row: AlertChoice, places: Mapping[int, Merchant]
) -> dict[str, Any]:
    """What the message says: amounts in fen, the threshold of then, where and when."""
    if finding.kind is NoticeKind.LOW_BOOK:
        return {"fen": finding.fen, "below_fen": row.low_fen}
    if finding.kind is NoticeKind.MONEY_WAITING:
        return {"fen": finding.fen}
    facts = {"fen": finding.fen, "above_fen": row.spend_fen, "at": entry.occurred_at.isoformat()}
    place = places.get(entry.contra_ref or 0) if entry.contra == Contra.MERCHANT else None
    return facts | ({"place_zh": place.name_zh, "place_en": place.name_en} if place else {})
