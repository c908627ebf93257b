"""What stands behind a gap: which records are missing, since when, and which terminals can still bring them.

The evidence is the ring that the card itself carries (docs/decisions/0010), noted when the card was first seen with
it. Where it does not account for the whole gap, every terminal counts that sells offline and has not said since that
it has nothing left. Nothing here decides; ``transactions.services.levelling`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection

from reconciliation.mismatch import Compared
from reconciliation.models import Case, CaseState, Mismatch
from terminals.selectors import RecordHolder, record_holders
from transactions.selectors import traced_seqs
from transactions.services.levelling import Holder

# A record is here when its own number was posted, or when the online order of the same key was: the till that lost the
# answer wrote the same sale offline. Entries of one account are one range of the primary key; LIMIT and OFFSET keep
# PostgreSQL from reading the whole ledger instead, because it cannot know that.
MISSING = """
    SELECT trace.card_id, trace.card_seq, trace.terminal_id, trace.journal_seq, trace.fen, trace.seen_at
    FROM transactions_offlinetrace trace
    JOIN accounts_card card ON card.id = trace.card_id
    LEFT JOIN LATERAL (
        SELECT e.id FROM transactions_entry e
        LEFT JOIN transactions_answer w ON w.key = e.source_key
        WHERE e.id BETWEEN card.account_id * 4294967296 AND card.account_id * 4294967296 + 4294967295
            AND e.card_id = card.id
            AND (e.kind = 'offline_sale' AND e.purse_seq = trace.card_seq
                OR e.kind = 'purchase' AND e.book_change_fen = -trace.fen AND w.terminal_id = trace.terminal_id
                    AND w.journal_seq = trace.journal_seq)
        LIMIT 1
    ) AS here ON true
    WHERE trace.card_id = ANY(%s) AND trace.card_seq > card.levelled_seq AND here.id IS NULL
    ORDER BY trace.card_id, trace.card_seq
"""
LATE = """
    SELECT e.account_id, e.id, e.seq, e.card_id, e.purse_seq, -e.book_change_fen, e.terminal_id, w.journal_seq,
        e.occurred_at, e.posted_at, levelled.by
    FROM unnest(%s::bigint[]) AS account (id)
    CROSS JOIN LATERAL (
        SELECT * FROM transactions_entry s
        WHERE s.id BETWEEN account.id * 4294967296 AND account.id * 4294967296 + 4294967295
            AND s.kind = 'offline_sale'
        OFFSET 0
    ) AS e
    CROSS JOIN LATERAL (
        SELECT min(l.seq) AS by FROM transactions_entry l
        WHERE l.id BETWEEN account.id * 4294967296 AND e.id AND l.kind IN ('levelling', 'adjustment')
            AND l.card_id = e.card_id AND l.purse_seq >= e.purse_seq
    ) AS levelled
    LEFT JOIN transactions_answer w ON w.key = e.source_key
    WHERE levelled.by IS NOT NULL
        AND NOT EXISTS (SELECT FROM transactions_refund r WHERE r.entry_id = e.id)
    ORDER BY e.id
"""


@dataclass(frozen=True, slots=True)
class MissingRecord:
    """An offline sale that the card tells of and nobody has brought. None: the ring did not say."""

    card_seq: int
    fen: int | None
    terminal_id: int | None
    journal_seq: int | None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Gap:
    """The offline part of one account's difference, and what can explain it.

    ``since`` is None until somebody has noted the gap: neither the card's ring nor a case tells of it yet.
    """

    account_id: int
    card_id: int
    entry_seq: int
    """The account's last entry when this was read."""
    spend_seq: int
    """Up to which number of the card it reaches (``SideMirror.covered_seq``)."""
    fen: int
    since: datetime | None
    missing: tuple[MissingRecord, ...]
    holders: tuple[Holder, ...]
    card_unseen: bool = False
    """An open entry may be part of it (``SideMirror.may_hide_legs``): not levelled before a reader saw the card."""

    @property
    def named_fen(self) -> int:
        """How much of it the card's ring accounts for."""
        return sum(record.fen or 0 for record in self.missing)

    @property
    def explained(self) -> bool:
        """Whether the ring accounts for all of it, so that no other terminal can hold anything."""
        return self.named_fen == self.fen and all(record.terminal_id for record in self.missing)


@dataclass(frozen=True, slots=True)
class LateItem:
    """A record that came after its amount had been levelled away, not refunded yet. ``fen`` > 0."""

    account_id: int
    entry_id: int
    entry_seq: int
    card_id: int | None
    purse_seq: int
    fen: int
    terminal_id: int | None
    journal_seq: int | None
    occurred_at: datetime
    posted_at: datetime
    levelled_by: int
    """Sequence in the account of the entry that had levelled it away."""


def read(compared: Iterable[Compared]) -> dict[int, Gap]:
    """The gap of each of these accounts that has one, by account. Four statements, however many accounts."""
    open_gaps = {found.account_id: found for found in compared if found.items.offline_fen > 0}
    if not open_gaps:
        return {}
    card_ids = [found.card.id for found in open_gaps.values() if found.card]
    missing, traced = _missing(card_ids), traced_seqs(card_ids)
    noted = _noted(open_gaps)
    terminals = record_holders()
    return {
        account_id: _gap(found, missing, traced, noted.get(account_id), terminals)
        for account_id, found in open_gaps.items()
    }


def late_items(account_ids: Sequence[int]) -> list[LateItem]:
    """Every late record of these accounts that was not refunded, in the order of posting."""
    with connection.cursor() as cursor:
        cursor.execute(LATE, [list(account_ids)])
        return [LateItem(*row) for row in cursor.fetchall()]


def _gap(
    found: Compared,
    missing: Mapping[int, tuple[MissingRecord, ...]],
    traced: Mapping[int, int],
    noted_at: datetime | None,
    terminals: Mapping[int, RecordHolder],
) -> Gap:
    card = found.card
    if card is None:
        raise LookupError("a gap without a card")
    records = missing.get(card.id, ())
    traced_seq = traced.get(card.id, 0)
    gap = Gap(
        account_id=found.account_id,
        card_id=card.id,
        entry_seq=found.entry_seq,
        spend_seq=card.spend.covered_seq(traced_seq),
        fen=found.items.offline_fen,
        since=None,
        missing=records,
        holders=(),
        card_unseen=card.spend.may_hide_legs(traced_seq),
    )
    times = [record.seen_at for record in records]
    if not gap.explained and noted_at is not None:
        times.append(noted_at)
    since = min(times, default=None)
    named = {record.terminal_id for record in records if record.terminal_id is not None}
    others = () if gap.explained else _others(terminals, since)
    ids = sorted(named.union(others))
    holders = tuple(
        Holder(row_id, terminals[row_id].heard_at if row_id in terminals else None) for row_id in ids
    )
    return replace(gap, since=since, holders=holders)


def _others(terminals: Mapping[int, RecordHolder], since: datetime | None) -> Iterable[int]:
    """Terminals that sell offline and have not said, since the gap was seen, that they have nothing left."""
    for terminal in terminals.values():
        told = terminal.clear_at is not None and since is not None and terminal.clear_at >= since
        if terminal.sells_offline and not told:
            yield terminal.terminal_id


def _missing(card_ids: Sequence[int]) -> dict[int, tuple[MissingRecord, ...]]:
    found: dict[int, tuple[MissingRecord, ...]] = {}
    with connection.cursor() as cursor:
        cursor.execute(MISSING, [list(card_ids)])
        for card_id, *record in cursor.fetchall():
            row = MissingRecord(record[0], record[3], record[1], record[2], record[4])
            found[card_id] = (*found.get(card_id, ()), row)
    return found


def _noted(account_ids: Iterable[int]) -> dict[int, datetime]:
    """When a comparison first found each gap."""
    cases = Case.objects.filter(
        account_id__in=list(account_ids), mismatch=Mismatch.OFFLINE_GAP, state=CaseState.OPEN
    )
    return dict(cases.values_list("account_id", "opened_at"))
