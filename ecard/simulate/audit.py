"""What every holder handed over against the books: one beep is one charge, no charge without a beep but a torn one.

The simulation heard the beeps itself, so this does not believe the server in anything; it only asks for its rows.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

from accounts.models import Account
from ecard.simulate.notes import Notes, Sale
from reconciliation import selectors
from reconciliation.models import Mismatch
from terminals.messages import strictjson
from terminals.messages.records import Result
from terminals.messages.wire import OperationKey
from terminals.models import UploadedRecord
from transactions.models import Entry, EntryKind

CHARGES = (EntryKind.PURCHASE, EntryKind.OFFLINE_SALE)
REVOKED_IN_S = 1.5
"""A revocation holds a second after its commit at the latest; the rest is for the tap that was under way."""
REFUSED_BEFORE = "key_refused"
HELD_BACK = frozenset({Result.SUSPECT.value, Result.QUARANTINED.value, Result.REFUSED.value})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an uploaded record, and why."""

    result: str
    why: str = ""


NOT_HERE = Verdict("never came")


@dataclass(slots=True)
class Charged:
    """What the books did under one operation key."""

    account: int
    fen: int
    times: int = 0
    taken_back: int = 0

    @property
    def net(self) -> int:
        """How often the holder has paid in the end."""
        return self.times - self.taken_back


@dataclass(slots=True)
class Audit:
    """What was compared, in numbers and in fen, and what does not hold."""

    counts: Counter[str] = field(default_factory=Counter)
    fen: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def compare(notes: Notes, *, honest: Iterable[int], shown_fen: dict[int, int]) -> Audit:
    """Hold everything noted against the books.

    ``honest`` are the accounts whose card was never copied; ``shown_fen`` what their cards hold, by account number.
    """
    audit, books, verdicts, honest = Audit(), _charges(), _verdicts(), set(honest)
    voids: dict[uuid.UUID, list[Sale]] = defaultdict(list)
    for sale in (*notes.sales.values(), *notes.again.values()):
        if sale.void_of is not None:
            voids[sale.void_of].append(sale)
    claims = list(_claims(notes, books))
    for key, sale, charged in claims:
        audit.counts["keys"] += 1
        if sale.void_of is None:
            sale.unheard = sale.till in notes.revoked_at_s
            problem = _judge(sale, charged, voids[key], _verdict(verdicts, key, sale), audit)
            if problem:
                audit.broken.append(f"{key} till {sale.till} account {sale.account} {sale.fen}: {problem}")
    for key in books.keys() - notes.sales.keys():
        audit.broken.append(f"{key} account {books[key].account}: charged, and nobody was at a till")
    audit.broken += notes.wrong
    audit.broken += _too_late(notes)
    audit.broken += _doubted(notes, verdicts, honest=honest)
    audit.broken += _cards(claims, audit, honest=honest, shown_fen=shown_fen)
    return audit


Claim = tuple[uuid.UUID, Sale, Charged]


def _claims(notes: Notes, books: dict[uuid.UUID, Charged]) -> Iterator[Claim]:
    """Every sale with what the books did for it. A key that a disk gave out twice can be charged for one of them."""
    later: dict[uuid.UUID, list[Sale]] = defaultdict(list)
    for (key, _), sale in notes.again.items():
        later[key].append(sale)
    for key, first in notes.sales.items():
        charged = books.get(key)
        claimants = [first, *later[key]]
        fitting = [
            sale
            for sale in claimants
            if charged and (charged.account, charged.fen) == (sale.account, sale.fen)
        ]
        winner = next((sale for sale in fitting if sale.beeps or sale.torn), (fitting or claimants)[0])
        for sale in claimants:
            theirs = charged if sale is winner and charged else Charged(sale.account, sale.fen)
            yield key, sale, theirs


def _verdict(verdicts: dict[uuid.UUID, Verdict], key: uuid.UUID, sale: Sale) -> Verdict:
    """What became of the record of a sale. The record of a number that was given out again is held as a fork."""
    return Verdict(Result.QUARANTINED.value, "fork") if sale.age else verdicts.get(key, NOT_HERE)


def _judge(sale: Sale, charged: Charged, voids: list[Sale], verdict: Verdict, audit: Audit) -> str:
    """What is wrong with one key, or nothing."""
    if charged.times and (charged.account, charged.fen) != (sale.account, sale.fen):
        return f"charged {charged.fen} to {charged.account}"
    if charged.times > 1 or charged.net < 0:
        return f"charged {charged.times} times, taken back {charged.taken_back} times"
    if not sale.beeps:
        return _without_beep(sale, charged, audit)
    audit.counts["beeps"] += 1
    if any(void.beeps for void in voids):
        audit.counts["voided"] += 1
        return "" if charged.net == 0 else "taken back with a beep, but charged"
    audit.fen["handed_over"] += sale.fen
    if voids and charged.taken_back:
        audit.counts["void_torn"] += 1
        audit.fen["handed_over"] -= sale.fen
        return ""
    if charged.net == 1:
        audit.fen["charged"] += sale.fen
        return ""
    return _not_charged(sale, verdict, audit)


def _without_beep(sale: Sale, charged: Charged, audit: Audit) -> str:
    if charged.net and not (sale.torn or sale.lost or sale.unheard or sale.age):
        return "charged without a beep"
    if charged.net:
        audit.counts["torn_charged"] += 1
        audit.fen["torn_charged"] += sale.fen
    else:
        audit.counts["no_beep_no_charge"] += 1
    return ""


def _not_charged(sale: Sale, verdict: Verdict, audit: Audit) -> str:
    """A beep that is not in the book is either lost with a disk, or kept where a person looks at it."""
    if not sale.offline:
        return "a beep online, and no charge"
    if sale.lost:
        why = "lost_with_a_disk"
    elif verdict.result in HELD_BACK:
        why = verdict.result
    else:
        return f"a beep offline, and no charge; its record: {verdict.result}"
    audit.counts[why] += 1
    audit.fen[why] += sale.fen
    return ""


def _doubted(notes: Notes, verdicts: dict[uuid.UUID, Verdict], *, honest: set[int]) -> Iterator[str]:
    """A sale with a beep, of a card that nobody copied, is no case for suspicion.

    But for one: the server refused it, its answer was lost, and the till sold without it under the same key.
    """
    for key, sale in notes.sales.items():
        verdict = verdicts.get(key, NOT_HERE)
        held = verdict.result == Result.SUSPECT.value and verdict.why != REFUSED_BEFORE
        twice = any(number == key for number, _ in notes.again)
        if held and not twice and sale.beeps and sale.account in honest:
            yield f"{key} till {sale.till} account {sale.account}: an honest sale is held: {verdict.why}"


def _too_late(notes: Notes) -> Iterator[str]:
    """Online, a lost card and a stolen till are refused as soon as the report was answered."""
    for key, sale in notes.sales.items():
        if not sale.beeps or sale.offline or sale.void_of is not None:
            continue
        if sale.began_s > notes.lost_at_s.get(sale.account, float("inf")):
            yield f"{key}: a lost card of account {sale.account} paid online"
        if sale.began_s > notes.revoked_at_s.get(sale.till, float("inf")) + REVOKED_IN_S:
            yield f"{key}: revoked till {sale.till} sold online"


def _cards(
    claims: Iterable[Claim], audit: Audit, *, honest: set[int], shown_fen: dict[int, int]
) -> Iterator[str]:
    """Card against book: what is missing in the book is what was sold offline and has not come, and nothing else."""
    missing: Counter[int] = Counter()
    doubtful: dict[int, list[int]] = defaultdict(list)
    for _, sale, charged in claims:
        if sale.offline and sale.void_of is None and not charged.times:
            if sale.beeps:
                missing[sale.account] += sale.fen
            elif sale.torn:
                doubtful[sale.account].append(sale.fen)
    levelled = _levelled()
    for account in Account.objects.filter(number__in=honest).order_by("number"):
        found = selectors.explain(account.pk)
        if found is None or account.number not in shown_fen:
            continue
        audit.counts["cards_compared"] += 1
        audit.counts["cards_differ"] += bool(found.difference_fen)
        items: Counter[Mismatch] = Counter()
        for item in found.items:
            items[item.mismatch] += item.fen
            audit.counts[f"item_{item.mismatch.value}"] += 1
        if found.card_fen != shown_fen[account.number]:
            yield (
                f"account {account.number}: card {shown_fen[account.number]}, the book has seen {found.card_fen}"
            )
        gap_fen = -items[Mismatch.OFFLINE_GAP] - items[Mismatch.EXCESS]
        wanted = missing[account.number] - levelled[account.pk] + items[Mismatch.DOUBLE]
        if gap_fen - wanted not in _sums(doubtful[account.number]):
            yield (
                f"account {account.number}: gap {gap_fen}, sold and not here {missing[account.number]}, levelled"
                f" {levelled[account.pk]}, late {items[Mismatch.DOUBLE]}, in doubt {doubtful[account.number]}"
            )


def _sums(amounts: list[int]) -> set[int]:
    """Every sum that some of the amounts can make; more than twelve torn sales of one card are not told apart."""
    few = amounts[:12]
    return {sum(chosen) for count in range(len(few) + 1) for chosen in combinations(few, count)}


def _charges() -> dict[uuid.UUID, Charged]:
    """Every purchase in the books by its operation key, with how often it was taken back."""
    found: dict[uuid.UUID, Charged] = {}
    by_entry: dict[int, uuid.UUID] = {}
    rows = Entry.objects.filter(kind__in=CHARGES).values_list(
        "id", "source_key", "account__number", "book_change_fen"
    )
    for entry, key, number, change_fen in rows:
        charged = found.setdefault(key, Charged(number, -change_fen))
        charged.times += 1
        by_entry[entry] = key
    for reversed_id in Entry.objects.filter(reverses__isnull=False).values_list("reverses", flat=True):
        if reversed_id in by_entry:
            found[by_entry[reversed_id]].taken_back += 1
    return found


def _verdicts() -> dict[uuid.UUID, Verdict]:
    """What became of every uploaded sale, by its operation key."""
    found = {}
    for record in UploadedRecord.objects.filter(kind="sale").select_related("verdict"):
        body = strictjson.loads(record.raw.encode())
        key = OperationKey(record.terminal_id, record.journal, body["key_seq"]).as_uuid()
        verdict = getattr(record, "verdict", None)
        found[key] = Verdict(verdict.result, verdict.why) if verdict else Verdict("not judged")
    return found


def _levelled() -> Counter[int]:
    """What levelling took out of each book, in fen; a refund of a late item gave it back."""
    sums: Counter[int] = Counter()
    for account, change_fen in Entry.objects.filter(
        kind__in=(EntryKind.LEVELLING, EntryKind.REFUND)
    ).values_list("account_id", "book_change_fen"):
        sums[account] -= change_fen
    return sums
