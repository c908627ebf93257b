"""One movement with everything around it: what took it back, what it looks like twice, what else its till did then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Value

from transactions.models import Contra, Entry, EntryKind, Merchant, Mode, Refund, Reversal, entry_id
from transactions.models_cash import Receipt
from transactions.selectors import is_late

TWIN_WITHIN = timedelta(seconds=60)
"""Two sales of one amount at one till, closer than this, look like one charged twice (screens.md 6.2)."""
_NEAR = 200
"""How far on the statement a twin is looked for: late uploads may stand a while after what they look like."""
SALES = (EntryKind.PURCHASE, EntryKind.OFFLINE_SALE)


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of a statement in full. Amounts in fen, signed as the holder gains."""

    id: int
    account_id: int
    seq: int
    kind: EntryKind
    mode: Mode
    book_change_fen: int
    unclaimed_change_fen: int
    book_after_fen: int
    unclaimed_after_fen: int
    occurred_at: datetime
    posted_at: datetime
    terminal_id: int | None
    merchant: Merchant | None
    purse_side: str
    purse_seq: int | None
    note: str
    takes_back: int | None
    """Which movement of the account this one took back, by its number."""
    corrects: int | None
    late: bool
    """Whether it had been levelled away before it came, so that it was deducted twice."""

    @property
    def fen(self) -> int:
        """What it comes to for the holder: on the book, or waiting to be claimed."""
        return self.book_change_fen or self.unclaimed_change_fen

    @property
    def is_sale(self) -> bool:
        """Whether it was bought at a till."""
        return self.kind in SALES


@dataclass(frozen=True, slots=True)
class Links:
    """What followed on a movement: other movements of the account by number, and the receipt that was given for it."""

    taken_back_by: int | None
    refunded_by: int | None
    receipt: str
    """Empty where there is none."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What a till sold shortly before or after, to whom: an account number and a line of its statement."""

    account_id: int
    seq: int
    fen: int
    occurred_at: datetime
    posted_at: datetime
    mode: Mode


def movement(account_id: int, seq: int) -> Movement | None:
    """One movement of an account, or None. At most two statements."""
    if not 0 < seq < 1 << 32:
        return None
    found = Entry.objects.filter(id=entry_id(account_id, seq)).first()
    return None if found is None else _movement(found)


def movements(account_id: int, seqs: list[int]) -> dict[int, Movement]:
    """Some movements of an account by number."""
    rows = Entry.objects.filter(id__in=[entry_id(account_id, seq) for seq in seqs])
    return {row.seq: _movement(row) for row in rows}


def links(found: Movement) -> Links:
    """What took it back or gave it back, and its receipt: one statement, for what is no sale two."""
    undone = Reversal.objects.filter(entry_id=found.id).values_list(Value("reversal"), "reversed_by")
    refunded = Refund.objects.filter(entry_id=found.id).values_list(Value("refund"), "refunded_by")
    followed = dict(undone.union(refunded))
    receipt = None
    if not found.is_sale:
        receipt = Receipt.objects.filter(account_id=found.account_id, entry_id=found.id).first()
    return Links(
        taken_back_by=_seq(followed.get("reversal")),
        refunded_by=_seq(followed.get("refund")),
        receipt=str(receipt) if receipt else "",
    )


def twin_of(found: Movement) -> Movement | None:
    """The nearest sale of this account that looks like the same one: same till, same amount, less than 60 s apart.

    One that was taken back already is no twin: that money is not missing.
    """
    if not found.is_sale or found.terminal_id is None:
        return None
    near = Entry.objects.filter(
        id__gt=entry_id(found.account_id, max(0, found.seq - _NEAR)),
        id__lt=entry_id(found.account_id, found.seq + _NEAR),
        kind__in=SALES,
        terminal_id=found.terminal_id,
        book_change_fen=found.book_change_fen,
        occurred_at__gt=found.occurred_at - TWIN_WITHIN,
        occurred_at__lt=found.occurred_at + TWIN_WITHIN,
    ).exclude(id=found.id)
    rows = list(near)
    gone = set(
        Reversal.objects.filter(entry_id__in=[row.id for row in rows]).values_list("entry_id", flat=True)
    )
    alike = [row for row in rows if row.id not in gone]
    if not alike:
        return None
    return _movement(min(alike, key=lambda row: (abs(row.occurred_at - found.occurred_at), row.seq)))


def neighbours(
    found: Movement, *, within: timedelta = timedelta(minutes=2), most: int = 12
) -> tuple[Neighbour, ...]:
    """What the same till posted around this sale, in order. The bounds on posting keep it to a few blocks."""
    if found.terminal_id is None:
        return ()
    rows = Entry.objects.filter(
        posted_at__gte=found.posted_at - within,
        posted_at__lte=found.posted_at + within,
        terminal_id=found.terminal_id,
        kind__in=SALES,
    ).order_by("posted_at", "id")
    near = sorted(rows[:200], key=lambda row: abs(row.posted_at - found.posted_at))[:most]
    return tuple(
        Neighbour(
            row.account_id, row.seq, row.book_change_fen, row.occurred_at, row.posted_at, Mode(row.mode)
        )
        for row in sorted(near, key=lambda row: (row.occurred_at, row.id))
    )


def _seq(row_id: int | None) -> int | None:
    return None if row_id is None else row_id & 0xFFFF_FFFF


def _movement(row: Entry) -> Movement:
    merchant = None
    if row.contra == Contra.MERCHANT and row.contra_ref is not None:
        merchant = Merchant.objects.select_related("campus").filter(pk=row.contra_ref).first()
    return Movement(
        id=row.id,
        account_id=row.account_id,
        seq=row.seq,
        kind=EntryKind(row.kind),
        mode=Mode(row.mode),
        book_change_fen=row.book_change_fen,
        unclaimed_change_fen=row.unclaimed_change_fen,
        book_after_fen=row.book_after_fen,
        unclaimed_after_fen=row.unclaimed_after_fen,
        occurred_at=row.occurred_at,
        posted_at=row.posted_at,
        terminal_id=row.terminal_id,
        merchant=merchant,
        purse_side=row.purse_side or "",
        purse_seq=row.purse_seq,
        note=row.note,
        takes_back=_seq(row.reverses),
        corrects=_seq(row.corrects),
        late=is_late(row),
    )
