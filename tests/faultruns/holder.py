"""The truth about one holder, kept in plain sets beside the real book: which sales are really on the card.

Every image that ever went to the card is noted with the sales that it carries. So at any moment the open items that
the book tells can be compared with what is true, and the images it composes with what they ought to contain.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field

from django.db import connection

from purse.evidence import OpenItems, open_items
from purse.keys import OFFLINE_TILL
from purse.procedures import CardDamaged, ForeignCard, Purse, RawCard, decode
from tests.campus import KEYS, Counter, Person, make_person
from transactions import ledger
from transactions.ledger import TapFacts
from transactions.services.offline import OfflineSale
from transactions.services.orders import TapOrder

OPENING_FEN = 200_00
_BOOK = (
    "SELECT a.book_fen, a.unclaimed_fen, a.entry_seq, count(e), max(e.seq), sum(e.book_change_fen),"
    " sum(e.unclaimed_change_fen) FROM accounts_account a JOIN transactions_entry e ON e.account_id = a.id"
    " WHERE a.id = %s GROUP BY a.id"
)
_numbers = itertools.count(1)


@dataclass
class Sold:
    """A purchase that the book accepted."""

    number: int
    order: TapOrder
    till: Counter
    entry_seq: int
    gone: bool = False
    """Taken back, in whatever way."""
    offline: bool = False
    """Written offline under the same key when the answer was lost; a till does not take such a sale back online."""


@dataclass
class Waiting:
    """An offline sale whose record lies in its till, perhaps besides being here already."""

    number: int
    record: OfflineSale
    till: Counter
    here: bool = False


@dataclass
class Holder:
    """One person, and what is true of him."""

    person: Person = field(default_factory=lambda: make_person(OPENING_FEN, limit_fen=600_00))
    money_fen: int = OPENING_FEN
    """What book and unclaimed money must come to."""
    fen: dict[int, int] = field(default_factory=dict)
    posted: set[int] = field(default_factory=set)
    """Sales in the book that the SPEND side of the card has, or will be given."""
    carries: dict[tuple[int, int], frozenset[int]] = field(default_factory=lambda: {(0, 0): frozenset()})
    in_a_row: dict[tuple[int, int], int] = field(default_factory=lambda: {(0, 0): 0})
    sales: list[Sold] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    levelled_fen: int = 0
    levelled: set[int] = field(default_factory=set)
    """Sales that were on the card, and not in the book, when it was levelled."""
    came_late_fen: int = 0
    late: list[int] = field(default_factory=list)
    """Entries that were charged twice and not refunded, by ledger id."""
    late_fen: int = 0
    unsure: set[int] = field(default_factory=set)
    """Sold offline under the key of a lost answer, and the record is not here: the book may not know of the writing."""
    dead: bool = False
    """Both slots of a side are unreadable."""

    def new(self, fen: int) -> int:
        """A number for a sale."""
        number = next(_numbers)
        self.fen[number] = fen
        return number

    def sum(self, numbers: set[int] | frozenset[int]) -> int:
        """What these sales come to."""
        return sum(self.fen[number] for number in numbers)

    def look(self, raw: RawCard) -> Purse | None:
        """What stands on the card; None when nothing can be read any more."""
        try:
            return decode(raw, KEYS.only(OFFLINE_TILL))
        except (CardDamaged, ForeignCard):
            self.dead = True
            return None

    def facts(self) -> TapFacts:
        """What the book knows."""
        return ledger.read_by_uid(self.person.plastic.uid, uuid.uuid4())

    def items(self, facts: TapFacts | None = None) -> OpenItems:
        """What the book says of the difference."""
        facts = facts or self.facts()
        assert facts.account is not None
        assert facts.card is not None
        return open_items(
            spend=facts.card.spend,
            load=facts.card.load,
            book_fen=facts.account.book_fen,
            late_fen=facts.card.late_fen,
        )

    def told(self, seen: Purse) -> None:
        """An image went out for what ``seen`` showed: it carries that, and everything in the book, each sale once."""
        facts = self.facts()
        assert facts.card is not None
        image = facts.card.spend.told[-1]
        carried = self.carries[seen.spend.seq, seen.spend.total_fen] | self.posted
        assert self.sum(carried) == image.total_fen, "an image does not carry each sale once"
        self.carries[image.seq, image.total_fen] = carried
        self.in_a_row[image.seq, image.total_fen] = 0

    def check(self) -> None:
        """The book against the truth."""
        with connection.cursor() as cursor:
            cursor.execute(_BOOK, [self.person.account.id])
            book_fen, unclaimed_fen, seq, count, last, book_sum, unclaimed_sum = cursor.fetchone()
        assert book_fen + unclaimed_fen == self.money_fen, "money came or went"
        assert (seq, seq) == (count, last), "a gap in the entries"
        assert (book_fen, unclaimed_fen) == (book_sum, unclaimed_sum), (
            "the book is not the sum of its entries"
        )
        facts = self.facts()
        assert facts.card is not None
        shown = self.carries[facts.card.spend.shown.seq, facts.card.spend.shown.total_fen]
        items = self.items(facts)
        torn_fen = self.sum(self.posted - shown)
        offline_fen = self.sum(shown - self.posted) - (self.levelled_fen - self.came_late_fen)
        assert items.late_fen == self.late_fen
        assert items.offline_fen >= 0, f"more on an honest card than any record explains: {items}"
        assert items.offline_fen - items.torn_fen == offline_fen - torn_fen, (
            f"{items} but {offline_fen} {torn_fen}"
        )
        if not self.unsure:
            assert (items.torn_fen, items.offline_fen) == (torn_fen, offline_fen), f"{items}: {torn_fen} torn"
