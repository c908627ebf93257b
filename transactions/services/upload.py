"""Posting what tills sold without the network: whole batches, each record once by its key, at any age, in any order.

The accounts are locked, the rules are asked in Python for each record, and one statement writes everything. Nothing is
refused for the standing of card or account: the sale was made. What cannot be posted is left to a person.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from accounts.actors import Actor, Channel
from accounts.models import LIVE_CARD
from accounts.services import audit
from purse.doubt import Doubt, sales_of, settle
from purse.evidence import (
    Finding,
    Leg,
    SideMirror,
    open_items,
    prove,
    tell,
    with_told,
    written_offline,
)
from purse.policy import Policy
from purse.rules import FreezeReason, freeze_reason
from transactions.days import local_day
from transactions.ledger import AccountFacts, CardFacts
from transactions.ledger import upload as ledger
from transactions.ledger.statement import dump
from transactions.ledger.upload import Batch, HeldCard, KnownKey, Line
from transactions.models import CardFinding, OfflineTrace
from transactions.services.offline_sale import OfflineSale, Posted, Posting
from transactions.services.orders import TapReply, Till
from transactions.services.running import TOMBSTONE

OP: Final = "offline_sale"
SPENT_MAX_FEN: Final = 2**31 - 1
"""What the column of a day's total holds; any limit was passed long before."""


def post_batch(
    sales: Sequence[OfflineSale], *, till: Till, policy: Policy, now: datetime
) -> tuple[Posted, ...]:
    """Post one batch inside the caller's transaction (``offline.exactly_once``)."""
    if not sales:
        return ()
    held = ledger.hold(sale.uid.hex().upper() for sale in sales)
    known = ledger.known_keys(sale.key for sale in sales)
    return _Posting(held, known, till, policy, now).post(sales)


@dataclass(slots=True)
class _Account:
    """An account while the batch goes through it. Fulfils ``ledger.AccountAfter``."""

    facts: AccountFacts
    book_fen: int
    entry_seq: int
    spent_on: date | None
    spent_fen: int
    freezes: list[FreezeReason]
    changed: bool = False


@dataclass(slots=True)
class _Card:
    """A card while the batch goes over it. Fulfils ``ledger.CardAfter``."""

    facts: CardFacts
    account: _Account
    spend: SideMirror
    late_fen: int
    changed: bool = False

    @property
    def live(self) -> bool:
        return self.facts.life in LIVE_CARD

    def unexplained_fen(self) -> int | None:
        """What the card lacks and no record explains; None when it is not the card that the book is compared with."""
        if not self.live:
            return None
        items = open_items(
            spend=self.spend, load=self.facts.load, book_fen=self.account.book_fen, late_fen=self.late_fen
        )
        return items.offline_fen


class _Posting:
    """One batch on its way: what it found, and what it will write."""

    def __init__(
        self,
        held: Iterable[HeldCard],
        known: dict[uuid.UUID, KnownKey],
        till: Till,
        policy: Policy,
        now: datetime,
    ) -> None:
        self._till, self._policy, self._now, self._today = till, policy, now, local_day(now)
        self._known = dict(known)
        self._accounts: dict[int, _Account] = {}
        self._by_uid: dict[str, list[_Card]] = {}
        self._live: dict[int, _Card] = {}
        self._lines: list[Line] = []
        self._findings: list[CardFinding] = []
        for found in held:
            self._take(found)

    def post(self, sales: Sequence[OfflineSale]) -> tuple[Posted, ...]:
        """Decide about every record, the doubtful ones last, and write the whole batch."""
        answers = {
            place: self._certain(sale) for place, sale in enumerate(sales) if sale.certain or sale.charge
        }
        doubtful = [place for place in range(len(sales)) if place not in answers]
        if doubtful:
            claims = self._claims(sales[place] for place in doubtful)
            answers |= {place: self._doubtful(sales[place], claims) for place in doubtful}
        self._write()
        return tuple(answers[place] for place in range(len(sales)))

    # ------------------------------------------------------------------------------------------- one record

    def _certain(self, sale: OfflineSale) -> Posted:
        card = self._card_of(sale)
        known = self._known.get(sale.key)
        if known is not None:
            return self._again(sale, known, card)
        if card is None:
            return Posted(Posting.SUSPECT, "account" if self._by_uid.get(sale.uid.hex().upper()) else "card")
        if sale.charge:
            return self._book(sale, card, lacking=(card.unexplained_fen() or 0) < sale.fen)
        spend = prove(card.spend, sale.state)
        if isinstance(spend, Finding):
            self._findings.append(self._finding(sale, card, spend))
            return Posted(Posting.SUSPECT, spend.value)
        card.spend, card.changed = spend, True
        return self._book(sale, card)

    def _doubtful(self, sale: OfflineSale, claims: dict[int, list[ledger.Claim]]) -> Posted:
        card = self._card_of(sale)
        known = self._known.get(sale.key)
        if known is not None:
            return self._again(sale, known, None)
        if card is None:
            return Posted(Posting.SUSPECT, "doubtful")
        here = [(line.card_seq, True, line.fen) for line in self._lines if line.card_id == card.facts.id]
        before = [(claim.seq, claim.offline, claim.fen) for claim in claims.get(card.facts.id, ())]
        offline, online = sales_of([*before, *here])
        written = settle(
            card.spend,
            Doubt(
                state=sale.state,
                fen=sale.fen,
                offline=offline,
                online=online,
                unexplained_fen=card.unexplained_fen(),
                levelled=sale.card_seq_after <= card.facts.levelled_seq,
                traced=self._traced(sale, card),
            ),
        )
        if written is None:
            return Posted(Posting.SUSPECT, "doubtful")
        return self._book(sale, card) if written else Posted(Posting.NOT_WRITTEN, "not_written")

    def _traced(self, sale: OfflineSale, card: _Card) -> bool | None:
        """Whether the card told a reader that this very sale stands under its number, or that another one does."""
        told = OfflineTrace.objects.filter(
            card_id=card.facts.id, card_seq=sale.card_seq_after, terminal_id__isnull=False
        ).values_list("terminal_id", "journal_seq", "fen")
        return next((trace == (self._till.id, sale.journal_seq, sale.fen) for trace in told), None)

    def _again(self, sale: OfflineSale, known: KnownKey, card: _Card | None) -> Posted:
        """The key has an answer already. A purchase that this till wrote offline after all is on the card now."""
        if known.asked not in (sale.asked, TOMBSTONE):
            return Posted(Posting.SUSPECT, "key_reused")
        if known.refusal is not None:
            return Posted(Posting.SUSPECT, "key_refused")
        if known.taken_back:
            return Posted(Posting.SUSPECT, "taken_back")
        if card is not None and card.account.facts.id == known.account_id:
            leg = next((leg for leg in card.spend.legs if leg.entry == known.entry_seq), None)
            spend = prove(card.spend, sale.state) if leg else None
            if leg is not None and isinstance(spend, SideMirror):
                card.spend, card.changed = written_offline(spend, entry=leg.entry), True
        return Posted(Posting.DUPLICATE)

    def _book(self, sale: OfflineSale, card: _Card, *, lacking: bool = False) -> Posted:
        """Take the money from the book; say what else follows. ``lacking``: the card does not show it."""
        account, fen, words = card.account, sale.fen, []
        account.book_fen -= fen
        account.entry_seq += 1
        account.changed = True
        if local_day(sale.occurred_at) == self._today:
            before_fen = account.spent_fen if account.spent_on == self._today else 0
            account.spent_fen = min(before_fen + fen, SPENT_MAX_FEN)
            account.spent_on = self._today
        self._lines.append(
            Line(
                account_id=account.facts.id,
                seq=account.entry_seq,
                key=sale.key,
                fen=fen,
                book_after_fen=account.book_fen,
                unclaimed_fen=account.facts.unclaimed_fen,
                card_id=card.facts.id,
                card_seq=sale.card_seq_after,
                occurred_at=sale.occurred_at,
                journal_seq=sale.journal_seq,
                asked=sale.asked,
            )
        )
        self._known[sale.key] = KnownKey(sale.asked or TOMBSTONE, None, account.facts.id, account.entry_seq)
        if sale.card_seq_after <= card.facts.levelled_seq:
            card.late_fen, card.changed = card.late_fen + fen, True
            words.append("late")
            if self._policy.freeze_on_late_upload:
                _freeze(account, FreezeReason.LATE_UPLOAD)
        if lacking or not card.live:
            self._carry_over(sale, card)
        if not card.live:
            words.append("old_card")
        below = freeze_reason(book_fen=account.book_fen, card_fen=account.book_fen, policy=self._policy)
        if below is not None:
            _freeze(account, below)
        return Posted(Posting.POSTED, " ".join(words))

    def _carry_over(self, sale: OfflineSale, card: _Card) -> None:
        """The card in force lacks the debit: it was given what the book held before this record came. An open leg.

        The next online tap writes it, as it does a torn one (docs/decisions/0016). The leg brings an image that nobody
        is given: a write that is under way just now does not carry it, and its outcome must not say so.
        """
        live = self._live.get(card.account.facts.id)
        if live is None:
            return
        image = tell(live.spend, fen=sale.fen)
        leg = Leg(card.account.entry_seq, image.seq, sale.fen, self._till.id, sale.journal_seq)
        live.spend, live.changed = with_told(live.spend, image, leg), True

    # -------------------------------------------------------------------------------------------- the batch

    def _take(self, found: HeldCard) -> None:
        facts = found.account
        account = self._accounts.get(facts.id)
        if account is None:
            account = _Account(facts, facts.book_fen, facts.entry_seq, facts.spent_on, facts.spent_fen, [])
            self._accounts[facts.id] = account
        card = _Card(found.card, account, found.card.spend, found.card.late_fen)
        self._by_uid.setdefault(found.uid, []).append(card)
        if card.live:
            self._live[facts.id] = card

    def _card_of(self, sale: OfflineSale) -> _Card | None:
        """The card that the sale was made on: the chip as issued to that account, the one in force first."""
        cards = [
            card
            for card in self._by_uid.get(sale.uid.hex().upper(), ())
            if sale.account_no in (None, card.account.facts.number)
        ]
        return max(cards, key=lambda card: (card.live, card.facts.id), default=None)

    def _claims(self, sales: Iterable[OfflineSale]) -> dict[int, list[ledger.Claim]]:
        cards = [card for sale in sales if (card := self._card_of(sale)) is not None]
        return ledger.claims({card.account.facts.id for card in cards}) if cards else {}

    def _write(self) -> None:
        accounts = [account for account in self._accounts.values() if account.changed]
        cards = [card for found in self._by_uid.values() for card in found if card.changed]
        if accounts or cards:
            ledger.post(
                Batch(accounts, cards, self._lines, OP, _REPLY, self._till.id, self._till.merchant_id)
            )
        frozen = [account for account in accounts if account.freezes]
        if frozen:
            ledger.freeze({account.facts.id: _reasons(account) for account in frozen}, now=self._now)
            for account in frozen:
                self._tell(account)
        CardFinding.objects.bulk_create(self._findings, ignore_conflicts=True)

    def _tell(self, account: _Account) -> None:
        """A freeze goes into the audit in the same transaction."""
        deed = audit.Deed(
            action="account.freeze",
            object_kind="account",
            object_id=account.facts.id,
            before={"frozen_reasons": list(account.facts.frozen_reasons)},
            after={"frozen_reasons": list(_reasons(account))},
            reason=f"book {account.book_fen} after an upload",
        )
        till = self._till
        audit.record(
            deed, actor=Actor(f"terminal:{till.id}", "terminal", Channel.POS, till.place), now=self._now
        )

    def _finding(self, sale: OfflineSale, card: _Card, finding: Finding) -> CardFinding:
        """Evidence for a case: what the record says of the card contradicts what is proven of it."""
        spend, load, state = card.spend.floor, card.facts.load.shown, sale.state
        return CardFinding(
            account_id=card.account.facts.id,
            card_id=card.facts.id,
            kind=finding.value,
            sighting=f"{state.seq}/{state.total_fen}/{state.offline_fen} {load.seq}/{load.total_fen}",
            detail={
                "book_fen": card.account.book_fen,
                "card_fen": load.total_fen - state.total_fen,
                "spend_seq": state.seq,
                "spend_total_fen": state.total_fen,
                "load_seq": load.seq,
                "load_total_fen": load.total_fen,
                "proven_spend_seq": spend.seq,
                "proven_spend_total_fen": spend.total_fen,
                "uploaded_key": str(sale.key),
            },
            terminal_id=self._till.id,
            found_at=self._now,
        )


def _freeze(account: _Account, reason: FreezeReason) -> None:
    if reason not in account.facts.frozen_reasons and reason not in account.freezes:
        account.freezes.append(reason)


def _reasons(account: _Account) -> tuple[str, ...]:
    return (*account.facts.frozen_reasons, *(reason.value for reason in account.freezes))


def _reply_text() -> str:
    """The stored answer of a posted sale, with its amount and the book's for ``format`` to fill in."""
    text = dump(TapReply(refusal=None, fen=-1, book_fen=-2).to_json())
    return text.replace('"fen":-1', '"fen":%1$s').replace('"book":-2', '"book":%2$s')


_REPLY: Final = _reply_text()
