"""Chips as cards: the signed first content of a blank one, and a new last day on one in force.

Both are blocks that a desk writes; the book has no answer under their keys, because no money moves with them.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from accounts.models import LIVE_CARD, AccountLife, Card
from purse.evidence import SideMirror, State
from purse.keys import KeyBundle
from purse.procedures import Personalisation, RawCard, first_content, renewed_ident
from purse.rules import Refusal
from transactions import ledger
from transactions.days import local_day
from transactions.ledger import AccountFacts, CardChange, CardFacts, Change
from transactions.services.desk import DeskRefusal
from transactions.services.orders import BookContext
from transactions.services.sighting import look

_NO_KEY = uuid.UUID(int=0)
UNSEEN = 100
"""How many offline sales of a chip's former life may have gone unseen at most, and some more."""
FIRST_SEQ_MAX = 60_000
"""A chip that begins above this would be worn before its holder leaves the university."""


@dataclass(frozen=True, slots=True)
class ChipContent:
    """The first content of a chip, signed block by block, and the money it starts with."""

    blocks: tuple[tuple[int, bytes], ...]
    load_fen: int
    first_seq: int


def prepare_chip(
    card: Card, uid: bytes, *, school_number_mac: bytes, keys: KeyBundle, book: BookContext
) -> ChipContent | Refusal | DeskRefusal:
    """Sign the first content of a chip for a BLANK card row; it starts with what the book holds.

    Nothing is in force before ``chip_written``, so this may be repeated, also with another chip. Raises ``Busy``.
    """
    facts = _facts(card)
    if refusal := _refuse_chip(facts, card, uid):
        return refusal
    account, first_seq = facts[0], _first_seq(uid)
    if first_seq > FIRST_SEQ_MAX:
        return Refusal.CARD_WORN
    who = replace(
        _who(card, book),
        school_number_mac=school_number_mac[:8],
        day_limit_fen=account.limit_fen,
        load_total_fen=account.book_fen,
        first_seq=first_seq,
    )
    blocks = first_content(uid, who, keys)
    return ChipContent(tuple(sorted(blocks.items())), account.book_fen, first_seq)


def renew_chip(
    card: Card, uid: bytes, raw: RawCard | None, *, book: BookContext
) -> ChipContent | Refusal | DeskRefusal:
    """Sign the identity block of a card in force anew, with the last day that the book has.

    ``raw`` None: an earlier write of that block was torn, so nothing of it can be checked; the UID must be the card's.
    """
    if card.life not in LIVE_CARD or card.uid != uid.hex().upper():
        return Refusal.CARD_REPLACED
    if raw is not None:
        seen = look(ledger.read_by_uid(uid, _NO_KEY), raw, book.keys, book.policy)
        if isinstance(seen, Refusal):
            return seen
        if seen.finding is not None:
            return Refusal.CARD_SUSPECT
    blocks = renewed_ident(uid, _who(card, book), book.keys)
    return ChipContent(tuple(blocks.items()), 0, 0)


def chip_written(card_id: int, load_fen: int, first_seq: int, *, book: BookContext) -> bool:
    """The chip holds its first content: note what it holds. False when the book has moved since; prepare it again.

    The caller's transaction also issues the card, and holds the account's lock.
    """
    facts = ledger.read_by_card(card_id, _NO_KEY)
    if facts.account is None or facts.card is None or facts.account.book_fen != load_fen:
        return False
    spend, load = State(first_seq, 0, 0), State(first_seq, load_fen, 0)
    card = CardChange(card_id, SideMirror(spend, spend), SideMirror(load, load), 0)
    return ledger.write(_unchanged(facts.account, card, book)).moved


def _who(card: Card, book: BookContext) -> Personalisation:
    """Whose card it is, without its money."""
    return Personalisation(
        account_no=card.account.number,
        card_type={"formal": 1, "named": 2}[card.kind],
        issue_no=card.issue_no,
        campus=card.account.campus_id,
        expires_on=card.expires_on,
        school_number_mac=b"",
        day_limit_fen=0,
        day_on=local_day(book.now),
    )


def _facts(card: Card) -> tuple[AccountFacts, CardFacts]:
    facts = ledger.read_by_card(card.pk, _NO_KEY)
    if facts.account is None or facts.card is None:
        raise Card.DoesNotExist(str(card.pk))
    return facts.account, facts.card


def _refuse_chip(
    facts: tuple[AccountFacts, CardFacts], card: Card, uid: bytes
) -> Refusal | DeskRefusal | None:
    account = facts[0]
    if account.life not in {AccountLife.PENDING, AccountLife.OPEN}:
        return Refusal.ACCOUNT_CLOSED
    live = Card.objects.filter(life__in=LIVE_CARD)
    if live.filter(account_id=card.account_id).exists():
        return DeskRefusal.HAS_CARD
    if live.filter(uid=uid.hex().upper()).exists():
        return DeskRefusal.CHIP_IN_USE
    if account.book_fen < 0:
        return DeskRefusal.BOOK_NEGATIVE
    return None


def _first_seq(uid: bytes) -> int:
    """Above every number that this chip can have shown in a former life, offline sales that nobody saw included."""
    lives = Card.objects.filter(uid=uid.hex().upper()).values_list("pk", flat=True)
    former = [card for pk in lives if (card := ledger.read_by_card(pk, _NO_KEY).card) is not None]
    return max((max(card.spend.next_seq, card.load.next_seq) + UNSEEN for card in former), default=0)


def _unchanged(account: AccountFacts, card: CardChange, book: BookContext) -> Change:
    """A change of the card's mirror alone."""
    return Change(
        before=account,
        book_fen=account.book_fen,
        unclaimed_fen=account.unclaimed_fen,
        spent_on=account.spent_on,
        spent_fen=account.spent_fen,
        frozen_reasons=account.frozen_reasons,
        now=book.now,
        card=card,
    )
