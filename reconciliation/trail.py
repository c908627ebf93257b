"""Reading the movements of one account as its timeline needs them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from reconciliation.timeline import Movement
from transactions.models import Answer, Entry, EntryKind, Mode, entry_id
from transactions.selectors import LAST_SEQ

_COLUMNS = (
    "id", "seq", "kind", "mode", "book_change_fen", "unclaimed_change_fen", "book_after_fen", "occurred_at",
    "posted_at", "terminal_id", "card_id", "purse_side", "purse_seq", "corrects", "reverses", "note", "source_key",
    "contra", "contra_ref",
)  # fmt: skip


def movements_of(account_id: int, *, kinds: Collection[EntryKind] = (), after_seq: int = 0) -> list[Movement]:
    """The movements behind an entry number, of some kinds or of all, oldest first. One statement."""
    rows = Entry.objects.filter(
        id__gt=entry_id(account_id, after_seq), id__lte=entry_id(account_id, LAST_SEQ)
    )
    if kinds:
        rows = rows.filter(kind__in=list(kinds))
    return [_movement(row, {}) for row in rows.order_by("id").values(*_COLUMNS)]


def newest_movements(account_id: int, *, newest: int) -> list[Movement]:
    """The latest movements with the totals that were told to terminals, oldest first. Two statements."""
    rows = Entry.objects.filter(id__gt=entry_id(account_id, 0), id__lte=entry_id(account_id, LAST_SEQ))
    found = list(rows.order_by("-id").values(*_COLUMNS)[:newest])[::-1]
    told = _told(row["source_key"] for row in found if row["purse_side"] == "spend")
    return [_movement(row, told) for row in found]


def _told(keys: Iterable[UUID]) -> dict[UUID, dict[str, list[int]]]:
    rows = Answer.objects.filter(key__in=list(keys), told__isnull=False).values_list("key", "told")
    return {key: told for key, told in rows if told}


def _movement(row: dict[str, Any], told: dict[UUID, dict[str, list[int]]]) -> Movement:
    image = (told.get(row["source_key"]) or {}).get(row["purse_side"] or "")
    return Movement(
        id=row["id"],
        seq=row["seq"],
        kind=EntryKind(row["kind"]),
        mode=Mode(row["mode"]),
        book_change_fen=row["book_change_fen"],
        unclaimed_change_fen=row["unclaimed_change_fen"],
        book_after_fen=row["book_after_fen"],
        occurred_at=row["occurred_at"],
        posted_at=row["posted_at"],
        terminal_id=row["terminal_id"],
        card_id=row["card_id"],
        merchant_id=row["contra_ref"] if row["contra"] == "merchant" else None,
        side=row["purse_side"],
        purse_seq=row["purse_seq"],
        told_total_fen=image[1] if image and image[0] == row["purse_seq"] else None,
        corrects=row["corrects"],
        reverses=row["reverses"],
        note=row["note"],
    )
