"""The open items of one account, each with the entries and records it consists of (tap-protocol.md).

``card − book = Σ items`` always; ``selectors.explain`` gives the sum, this what stands behind each line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from purse.policy import Policy
from reconciliation import comparison, gaps
from reconciliation.gaps import LateItem, MissingRecord
from reconciliation.mismatch import Diagnosis, diagnose
from reconciliation.selectors import Explanation, explanation_of
from terminals.models import Terminal
from transactions.services.levelling import Hold, why_wait


@dataclass(frozen=True, slots=True)
class GapTerminal:
    """A terminal that can hold missing records. ``named``: the card's own ring says so."""

    id: int
    name_zh: str
    place: str
    heard_at: datetime | None
    silent_days: int | None
    """Whole 24 hours since the last signed contact; None when it was never heard."""
    named: bool


@dataclass(frozen=True, slots=True)
class OfflineGap:
    """The offline part: what is missing, who can bring it, and when it would be levelled.

    ``unknown_fen`` is what no ring accounts for. ``hold`` None: due now, the next run levels it. ``due_at``: when it is
    due if everybody stays silent; None where time alone does not help.
    """

    fen: int
    book_after_fen: int
    spend_seq: int
    levelled_seq: int
    since: datetime | None
    missing: tuple[MissingRecord, ...]
    unknown_fen: int
    terminals: tuple[GapTerminal, ...]
    hold: Hold | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountItems:
    """Everything that is open between book and card of one account, with its classification."""

    account_id: int
    explanation: Explanation
    gap: OfflineGap | None
    late: tuple[LateItem, ...]
    diagnoses: tuple[Diagnosis, ...]
    """TORN, OFFLINE_GAP, DOUBLE, TORN_LOAD, EXCESS, FORK, ROLLBACK, NEGATIVE, as they stand now."""


def account_items(account_id: int, *, now: datetime, policy: Policy) -> AccountItems | None:
    """The open items of one account as they stand at this moment; None for an unknown account."""
    found = next(iter(comparison.read([account_id])), None)
    if found is None:
        return None
    gap = gaps.read([found]).get(account_id)
    return AccountItems(
        account_id=account_id,
        explanation=explanation_of(found),
        gap=None
        if gap is None or found.card is None
        else _offline_gap(gap, found.book_fen, found.card.levelled_seq, now=now, policy=policy),
        late=tuple(gaps.late_items([account_id])) if found.items.late_fen else (),
        diagnoses=diagnose(found, now=now),
    )


def _offline_gap(
    gap: gaps.Gap, book_fen: int, levelled_seq: int, *, now: datetime, policy: Policy
) -> OfflineGap:
    since = gap.since or now
    hold = why_wait(gap.holders, gap_since=since, now=now, policy=policy)
    if gap.card_unseen:
        hold = Hold.CARD_UNSEEN
    heard = [holder.heard_at or since for holder in gap.holders]
    return OfflineGap(
        fen=gap.fen,
        book_after_fen=book_fen - gap.fen,
        spend_seq=gap.spend_seq,
        levelled_seq=levelled_seq,
        since=gap.since,
        missing=gap.missing,
        unknown_fen=gap.fen - gap.named_fen,
        terminals=_terminals(gap, now),
        hold=hold,
        due_at=max([since, *heard]) + policy.levelling_silence if heard else None,
    )


def _terminals(gap: gaps.Gap, now: datetime) -> tuple[GapTerminal, ...]:
    heard = {holder.terminal_id: holder.heard_at for holder in gap.holders}
    named = {record.terminal_id for record in gap.missing}
    words = {row.id: (row.name_zh, row.place) for row in Terminal.objects.filter(id__in=heard)}
    return tuple(
        GapTerminal(
            id=row_id,
            name_zh=words.get(row_id, ("", ""))[0],
            place=words.get(row_id, ("", ""))[1],
            heard_at=heard_at,
            silent_days=(now - heard_at).days if heard_at else None,
            named=row_id in named,
        )
        for row_id, heard_at in heard.items()
    )
