"""What can be done about a difference: the arithmetic of each remedy, and why one is not offered.

A plan is made from the facts of this moment and says everything that will change. Made again before anything is
posted, it must come out the same; so what a person saw, what a second one approved and what is posted are one thing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from accounts.models import Account
from reconciliation import comparison
from reconciliation.mismatch import CardSide, Compared
from reconciliation.models import DecisionAction
from reconciliation.timeline import LEVELLED_BY, late_entries
from reconciliation.trail import movements_of
from transactions.models import Entry, EntryKind, Refund, Reversal, entry_id


class Obstacle(StrEnum):
    """Why something is not done. Nothing was written; screens have a sentence for each."""

    NOT_ENTITLED = "not_entitled"
    OTHER_CAMPUS = "other_campus"
    OWN_ACCOUNT = "own_account"
    CODE_TOO_OLD = "code_too_old"
    SAME_PERSON = "same_person"
    NOT_CHIEF = "not_chief"
    CASE_CLOSED = "case_closed"
    NOT_OPEN = "not_open"
    """Somebody ruled on it or carried it out before."""
    WAITING = "waiting"
    """Another decision about this account is not finished."""
    CHANGED = "changed"
    """Card, book or items are not what was shown when it was decided."""
    WITHDRAWN = "withdrawn"
    CHECKER_GONE = "checker_gone"
    """Whoever approved was let out or moved since."""
    NO_REASON = "no_reason"
    NO_CARD = "no_card"
    NOTHING_TO_DO = "nothing_to_do"
    CARD_ABOVE_BOOK = "card_above_book"
    OFFLINE_OPEN = "offline_open"
    LATE_OPEN = "late_open"
    BOOK_NEGATIVE = "book_negative"
    BOOK_BELOW_ZERO = "book_below_zero"
    CARD_SUSPECT = "card_suspect"
    CARD_NOT_HERE = "card_not_here"
    NOT_EQUAL = "not_equal"
    NOT_FROZEN = "not_frozen"
    NOTHING_LATE = "nothing_late"
    NOT_REVERSIBLE = "not_reversible"
    REVERSED = "reversed"
    ACCOUNT_ENDED = "account_ended"
    NOT_A_DESK = "not_a_desk"
    DESK_BUSY = "desk_busy"
    KEY_REUSED = "key_reused"
    NOT_ASSIGNABLE = "not_assignable"


class Refused(Exception):
    """It is not done; ``obstacle`` says why."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle.value)
        self.obstacle = obstacle


@dataclass(frozen=True, slots=True)
class Target:
    """Of which account, and of which entry where one is to be taken back (its number on the statement)."""

    account_id: int
    entry_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One remedy, worked out. ``content`` is everything that a person must see; amounts in fen."""

    action: DecisionAction
    target: Target
    amount_fen: int
    content: Mapping[str, Any]
    needs_card: bool = False
    suspect: bool = False
    """Something on this card is unexplained: never the decision of one person."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content in one canonical form."""
        return digest_of(self.content)


@dataclass(frozen=True, slots=True)
class LateItem:
    """One record that was deducted twice and not given back yet."""

    entry_id: int
    seq: int
    fen: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that plans are made from."""

    account: Account
    found: Compared
    late: tuple[LateItem, ...] = ()

    @property
    def card(self) -> CardSide | None:
        """The live card."""
        return self.found.card

    def content(self, action: DecisionAction, **more: Any) -> dict[str, Any]:
        """What every plan says: the state that it starts from."""
        card = self.card
        return {
            "action": action.value,
            "account": self.account.number,
            "book_fen": self.found.book_fen,
            "card_fen": card.card_fen if card else None,
            "spend_seq": card.spend.shown.seq if card else None,
            "load_seq": card.load.shown.seq if card else None,
            "findings": [finding.id for finding in self.found.findings],
        } | more


def digest_of(content: Mapping[str, Any]) -> bytes:
    """SHA-256 of the canonical JSON: keys sorted, no spaces, UTF-8."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


def facts_of(account_id: int) -> Facts:
    """Read what stands now. Under the account's lock these facts stay as they are."""
    account = Account.objects.get(pk=account_id)
    return Facts(account, comparison.read([account_id])[0], late_items(account_id))


def late_items(account_id: int) -> tuple[LateItem, ...]:
    """The records of this account that were deducted twice and not refunded, oldest first."""
    levelled = list(movements_of(account_id, kinds=LEVELLED_BY))
    if not levelled:
        return ()
    first = min(each.seq for each in levelled)
    sales = movements_of(account_id, kinds=(EntryKind.OFFLINE_SALE,), after_seq=first)
    late = late_entries([*levelled, *sales])
    refunded = set(Refund.objects.filter(entry_id__in=late).values_list("entry_id", flat=True))
    return tuple(
        LateItem(each.id, each.seq, -each.book_change_fen)
        for each in sorted(late.values(), key=lambda each: each.seq)
        if each.id not in refunded
    )


def make(action: DecisionAction, target: Target, facts: Facts | None = None) -> Plan:
    """Work the remedy out. Raises ``Refused`` where it is not possible or would do harm."""
    facts = facts or facts_of(target.account_id)
    return _PLANNERS[action](facts, target)


# ------------------------------------------------------------------------------------------------- plans


def _set_to_card(facts: Facts, target: Target) -> Plan:
    """Lower the book by exactly what only offline use explains; a torn surplus is never given away."""
    found, offline_fen = facts.found, facts.found.items.offline_fen
    _require_card(facts)
    _require_no_finding(facts)
    if offline_fen <= 0:
        above = facts.card is not None and facts.card.card_fen > found.book_fen
        raise Refused(Obstacle.CARD_ABOVE_BOOK if above else Obstacle.NOTHING_TO_DO)
    if found.book_fen - offline_fen < 0:
        raise Refused(Obstacle.BOOK_BELOW_ZERO)
    content = facts.content(
        DecisionAction.SET_TO_CARD,
        offline_fen=offline_fen,
        book_after_fen=found.book_fen - offline_fen,
        card_after_fen=facts.card.card_fen if facts.card else None,
    )
    return Plan(DecisionAction.SET_TO_CARD, target, offline_fen, content)


def _set_to_book(facts: Facts, target: Target) -> Plan:
    """Write on the card what it lacks. Never what was spent offline: that would hand it out a second time."""
    found, items = facts.found, facts.found.items
    _require_card(facts)
    if found.book_fen < 0:
        raise Refused(Obstacle.BOOK_NEGATIVE)
    if items.late_fen:
        raise Refused(Obstacle.LATE_OPEN)
    if items.offline_fen > 0:
        raise Refused(Obstacle.OFFLINE_OPEN)
    assert facts.card is not None
    fen = found.book_fen - facts.card.card_fen
    if fen == 0 and not (items.torn_fen or items.unwritten_fen):
        raise Refused(Obstacle.NOTHING_TO_DO)
    content = facts.content(
        DecisionAction.SET_TO_BOOK,
        torn_fen=items.torn_fen,
        unwritten_fen=items.unwritten_fen,
        surplus_fen=max(0, -items.offline_fen),
        book_after_fen=found.book_fen,
        card_after_fen=found.book_fen,
    )
    suspect = bool(found.findings) or items.offline_fen < 0
    return Plan(DecisionAction.SET_TO_BOOK, target, abs(fen), content, needs_card=True, suspect=suspect)


def _refund(facts: Facts, target: Target) -> Plan:
    """Give back exactly the late items, each once for ever."""
    items = tuple(_within(facts.late, facts.found.items.late_fen))
    if not items:
        raise Refused(Obstacle.NOTHING_LATE)
    fen = sum(item.fen for item in items)
    content = facts.content(
        DecisionAction.REFUND,
        late=[{"seq": item.seq, "fen": item.fen} for item in items],
        book_after_fen=facts.found.book_fen + fen,
        card_after_fen=facts.card.card_fen if facts.card else None,
    )
    return Plan(DecisionAction.REFUND, target, fen, content)


def _within(items: Iterable[LateItem], late_fen: int) -> Iterable[LateItem]:
    """The late items as far as the card's late sum still carries them."""
    for item in items:
        if item.fen <= late_fen:
            late_fen -= item.fen
            yield item


def _reverse(facts: Facts, target: Target) -> Plan:
    """Take one sale back, as money to be claimed: the card has taken the sale, or may still take it."""
    entry = None
    if target.entry_seq is not None:
        entry = Entry.objects.filter(id=entry_id(target.account_id, target.entry_seq)).first()
    if entry is None or entry.kind not in REVERSIBLE:
        raise Refused(Obstacle.NOT_REVERSIBLE)
    if Reversal.objects.filter(entry_id=entry.id).exists():
        raise Refused(Obstacle.REVERSED)
    if facts.late and entry.id in {item.entry_id for item in facts.late}:
        raise Refused(Obstacle.NOT_REVERSIBLE)  # that is a refund
    fen = -entry.book_change_fen
    content = facts.content(
        DecisionAction.REVERSE,
        entry_seq=entry.seq,
        fen=fen,
        book_after_fen=facts.found.book_fen,
        unclaimed_change_fen=fen,
        card_after_fen=facts.card.card_fen if facts.card else None,
    )
    return Plan(DecisionAction.REVERSE, target, fen, content)


def _unfreeze(facts: Facts, target: Target) -> Plan:
    """Only with nothing open, the book not below zero, and card and book equal (requirements 3.1)."""
    found = facts.found
    if not found.frozen_reasons:
        raise Refused(Obstacle.NOT_FROZEN)
    if found.book_fen < 0:
        raise Refused(Obstacle.BOOK_NEGATIVE)
    _require_no_finding(facts)
    items = found.items
    differs = facts.card is not None and facts.card.card_fen != found.book_fen
    if differs or items.torn_fen or items.unwritten_fen or items.offline_fen or items.late_fen:
        raise Refused(Obstacle.NOT_EQUAL)
    content = facts.content(
        DecisionAction.UNFREEZE,
        reasons=sorted(found.frozen_reasons),
        book_after_fen=found.book_fen,
        card_after_fen=facts.card.card_fen if facts.card else None,
    )
    return Plan(DecisionAction.UNFREEZE, target, 0, content, needs_card=facts.card is not None)


REVERSIBLE = frozenset({EntryKind.PURCHASE, EntryKind.OFFLINE_SALE, EntryKind.FEE})
"""Sales; what came from a person's correction is put right by another correction."""


def _require_card(facts: Facts) -> None:
    if facts.card is None:
        raise Refused(Obstacle.NO_CARD)


def _require_no_finding(facts: Facts) -> None:
    if facts.found.findings:
        raise Refused(Obstacle.CARD_SUSPECT)


_PLANNERS: dict[DecisionAction, Callable[[Facts, Target], Plan]] = {
    DecisionAction.SET_TO_CARD: _set_to_card,
    DecisionAction.SET_TO_BOOK: _set_to_book,
    DecisionAction.REFUND: _refund,
    DecisionAction.REVERSE: _reverse,
    DecisionAction.UNFREEZE: _unfreeze,
}
