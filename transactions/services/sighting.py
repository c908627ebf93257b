"""Looking at a card: its signed content against what the book knows, before anything is decided."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from accounts.models import LIVE_CARD, AccountLife, CardLife
from purse.evidence import Finding, OpenItems, RingEntry, SideMirror, observe, offline_sales, open_items
from purse.keys import KeyBundle
from purse.policy import Policy
from purse.procedures import CardDamaged, ForeignCard, Purse, RawCard, decode
from purse.rules import FreezeReason, Refusal, Standing, freeze_reason
from transactions.ledger import AccountFacts, CardFacts, TapFacts


@dataclass(frozen=True, slots=True)
class Sighted:
    """A card of ours on a reader, compared with its book. Amounts in fen."""

    account: AccountFacts
    card: CardFacts
    """With the mirrors as this sighting left them."""
    purse: Purse
    items: OpenItems
    finding: Finding | None
    freeze: FreezeReason | None
    """A freeze that this sighting calls for and the account does not have yet."""
    traces: tuple[RingEntry, ...] = ()
    """Offline sales that the card shows to a reader for the first time; terminal 0 where its ring does not say."""

    @property
    def live(self) -> bool:
        """Whether this is the account's card in force, the one that the book is compared with."""
        return self.card.life in LIVE_CARD

    @property
    def first_use(self) -> bool:
        """Whether the card was issued and never seen since: this tap takes it into use (requirements 3.1)."""
        return self.card.life == CardLife.ISSUED and self.finding is None

    @property
    def noteworthy(self) -> bool:
        """Whether more than money and mirror changes, so that it must be told in the audit."""
        return self.freeze is not None or self.finding is not None or self.first_use or bool(self.traces)

    @property
    def card_fen(self) -> int:
        """What the card shows now."""
        return self.purse.card_fen

    def standing(self, today: date) -> Standing:
        """The flags that ``purse.rules`` decides by."""
        return Standing(
            account_open=self.account.life == AccountLife.OPEN,
            account_frozen=bool(self.account.frozen_reasons) or self.freeze is not None,
            card_usable=self.live,
            card_lost=self.card.lost,
            card_expired=self.card.expires_on is not None and self.card.expires_on < today,
            suspect=self.finding is not None,
        )


def look(facts: TapFacts, raw: RawCard, keys: KeyBundle, policy: Policy) -> Sighted | Refusal:
    """Decode the card and compare it with its book. A refusal when it is not a readable card of ours."""
    if facts.account is None or facts.card is None:
        return Refusal.FOREIGN_CARD
    try:
        purse = decode(raw, keys)
    except ForeignCard:
        return Refusal.FOREIGN_CARD
    except CardDamaged:
        return Refusal.UNREADABLE
    if purse.ident.account_no != facts.account.number:
        return Refusal.FOREIGN_CARD
    return compare(facts.account, facts.card, purse, policy)


def compare(account: AccountFacts, card: CardFacts, purse: Purse, policy: Policy) -> Sighted:
    """Take in what the card shows, on both sides, and say what follows for the account."""
    spend, load = observe(card.spend, purse.spend, purse.ring), observe(card.load, purse.load)
    finding, known = _finding(spend, load), card.spend
    if finding is None and isinstance(spend, SideMirror) and isinstance(load, SideMirror):
        card = replace(card, spend=spend, load=load)
    items = open_items(spend=card.spend, load=card.load, book_fen=account.book_fen, late_fen=card.late_fen)
    if card.life not in LIVE_CARD:
        return Sighted(account, card, purse, items, finding, None)
    if finding is None and items.offline_fen < 0:
        finding = Finding.EXCESS
    wanted = freeze_reason(book_fen=account.book_fen, card_fen=purse.card_fen, policy=policy)
    freeze = wanted if wanted is not None and wanted not in account.frozen_reasons else None
    traces = _traces(known, purse) if finding is None else ()
    return Sighted(account, card, purse, items, finding, freeze, traces)


def _finding(spend: SideMirror | Finding, load: SideMirror | Finding) -> Finding | None:
    for side in (spend, load):
        if isinstance(side, Finding):
            return side
    return None


def _traces(known: SideMirror, purse: Purse) -> tuple[RingEntry, ...]:
    """What the card tells of offline sales that no reader has shown the book before (docs/decisions/0010)."""
    seen = purse.spend
    if seen.offline_fen == 0 or (seen.seq == known.shown.seq and known.in_doubt):
        return ()
    sales = tuple(offline_sales(seen, purse.ring))
    if sales and sales[0].card_seq == seen.seq:
        return sales
    return (RingEntry(seen.seq, 0, 0, 0), *sales)
