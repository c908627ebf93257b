"""What levelling and corrections have in common: hold the account, look for the key, post one entry with its reason.

No card is on a reader and no till waits, so these take the account's lock at once.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError

from accounts.actors import Actor
from accounts.models import LIVE_CARD, Account, Card
from accounts.services import audit
from purse.evidence import OpenItems, open_items
from purse.policy import Policy
from purse.rules import freeze_reason
from transactions import ledger
from transactions.ledger import AccountFacts, CardChange, CardFacts, Change, NewAnswer, NewEntry
from transactions.models import Answer, entry_id
from transactions.selectors import traced_seqs
from transactions.services.orders import KeyReused


@dataclass(frozen=True, slots=True)
class Asked:
    """A correction as somebody asked for it: ``parts`` are everything that makes the same key the same order."""

    op: str
    key: uuid.UUID
    parts: tuple[object, ...]
    actor: Actor
    now: datetime
    reason: str

    @property
    def content(self) -> bytes:
        """SHA-256 of what is asked."""
        return hashlib.sha256("|".join(str(part) for part in (self.op, *self.parts)).encode()).digest()


@dataclass(frozen=True, slots=True)
class Held:
    """An account under its lock, with the card that the correction is about, if any."""

    account: AccountFacts
    card: CardFacts | None

    @property
    def live(self) -> bool:
        """Whether that card is the one which the book is compared with."""
        return self.card is not None and self.card.life in LIVE_CARD

    @property
    def card_fen(self) -> int | None:
        """What the live card held when it was last seen."""
        if self.card is None or not self.live:
            return None
        return self.card.load.shown.total_fen - self.card.spend.shown.total_fen

    def covered_seq(self) -> int:
        """Up to which spend sequence the sighting that the book goes by shows every offline sale."""
        if self.card is None:
            return 0
        return self.card.spend.covered_seq(traced_seqs([self.card.id]).get(self.card.id, 0))

    def may_hide_legs(self) -> bool:
        """Whether an open entry may be part of the offline spending that no reader has seen yet."""
        if self.card is None:
            return False
        return self.card.spend.may_hide_legs(traced_seqs([self.card.id]).get(self.card.id, 0))

    @property
    def sure_gap_fen(self) -> int:
        """What only records that are still out explain; less than the offline item while the card may hide legs."""
        items = self.items
        return items.offline_fen - items.torn_fen if self.may_hide_legs() else items.offline_fen

    @property
    def items(self) -> OpenItems:
        """Why live card and book differ; all zero without one."""
        if self.card is None or not self.live:
            return OpenItems(0, 0, 0, 0)
        return open_items(
            spend=self.card.spend,
            load=self.card.load,
            book_fen=self.account.book_fen,
            late_fen=self.card.late_fen,
        )


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction did. ``fen`` and ``unclaimed_fen`` are signed; ``replay``: it had been done before."""

    entry_id: int
    entry_seq: int
    fen: int
    unclaimed_fen: int
    book_fen: int
    replay: bool = False


def known(asked: Asked) -> Corrected | None:
    """The answer that this key got before. Raises ``KeyReused`` for another content under the same key."""
    answer = Answer.objects.filter(key=asked.key).first()
    if answer is None:
        return None
    if answer.op != asked.op or bytes(answer.asked) != asked.content:
        raise KeyReused(str(asked.key))
    return Corrected(**answer.reply, replay=True)


def hold(account_id: int, card_id: int | None = None) -> Held:
    """Lock the account until the transaction ends and read it, with this card or the live one.

    Raises ``Account.DoesNotExist``, and ``Card.DoesNotExist`` for a card of somebody else.
    """
    ledger.lock(account_id)
    if card_id is None:
        live = Card.objects.filter(account_id=account_id, life__in=LIVE_CARD)
        card_id = live.values_list("id", flat=True).first()
    if card_id is None:
        return Held(account_facts(Account.objects.get(id=account_id)), None)
    facts = ledger.read_by_card(card_id, uuid.uuid4())
    if facts.account is None or facts.account.id != account_id:
        raise Card.DoesNotExist(f"card {card_id} is none of account {account_id}")
    return Held(facts.account, facts.card)


@dataclass(frozen=True, slots=True)
class Move:
    """One entry and what goes with it. ``card`` is the card row afterwards, where it changes."""

    kind: str
    contra: str
    book_fen: int = 0
    unclaimed_fen: int = 0
    contra_ref: int | None = None
    card: CardChange | None = None
    purse_seq: int | None = None
    """Up to which spend sequence it stands in for records that are still out, or which number of a side it claims."""
    purse_side: str = "spend"
    reverses: int | None = None
    corrects: int | None = None
    spent_fen: int | None = None
    """The day's total afterwards, where it changes."""


def post(held: Held, move: Move, asked: Asked, *, policy: Policy) -> Corrected:
    """Post the entry, register the key, freeze if the rules now say so (S2), and tell the audit."""
    account, seq = held.account, held.account.entry_seq + 1
    done = Corrected(
        entry_id=entry_id(account.id, seq),
        entry_seq=seq,
        fen=move.book_fen,
        unclaimed_fen=move.unclaimed_fen,
        book_fen=account.book_fen + move.book_fen,
    )
    frozen = _frozen_after(held, done, policy)
    change = Change(
        before=account,
        book_fen=done.book_fen,
        unclaimed_fen=account.unclaimed_fen + move.unclaimed_fen,
        spent_on=account.spent_on,
        spent_fen=account.spent_fen if move.spent_fen is None else move.spent_fen,
        frozen_reasons=frozen,
        now=asked.now,
        entries=(_entry(held, move, asked, seq),),
        answer=NewAnswer(asked.key, asked.op, asked.content, _reply(done), entry_seq=seq),
        card=move.card,
        reverses=None if move.reverses is None else (move.reverses, done.entry_id),
    )
    if not ledger.write(change).moved:
        raise IntegrityError("the account changed under its own lock")
    _tell(held, done, frozen, asked)
    return done


def _entry(held: Held, move: Move, asked: Asked, seq: int) -> NewEntry:
    account = held.account
    return NewEntry(
        seq=seq,
        kind=move.kind,
        book_change_fen=move.book_fen,
        unclaimed_change_fen=move.unclaimed_fen,
        book_after_fen=account.book_fen + move.book_fen,
        unclaimed_after_fen=account.unclaimed_fen + move.unclaimed_fen,
        contra=move.contra,
        contra_ref=move.contra_ref,
        source_key=asked.key,
        occurred_at=asked.now,
        mode="server",
        card_id=held.card.id if held.card else None,
        purse_side=None if move.purse_seq is None else move.purse_side,
        purse_seq=move.purse_seq,
        reverses=move.reverses,
        corrects=move.corrects,
        note=asked.reason,
    )


def _frozen_after(held: Held, done: Corrected, policy: Policy) -> tuple[str, ...]:
    card_fen = done.book_fen if held.card_fen is None else held.card_fen
    wanted = freeze_reason(book_fen=done.book_fen, card_fen=card_fen, policy=policy)
    reasons = held.account.frozen_reasons
    return reasons if wanted is None or wanted in reasons else (*reasons, wanted.value)


def _tell(held: Held, done: Corrected, frozen: tuple[str, ...], asked: Asked) -> None:
    account = held.account
    before: dict[str, Any] = {"book_fen": account.book_fen, "unclaimed_fen": account.unclaimed_fen}
    after = {"book_fen": done.book_fen, "unclaimed_fen": account.unclaimed_fen + done.unclaimed_fen}
    deed = audit.Deed(
        f"account.{asked.op}", "account", account.id, before, {**after, "entry": done.entry_seq}, asked.reason
    )
    audit.record(deed, actor=asked.actor, now=asked.now)
    if frozen != account.frozen_reasons:
        freeze = audit.Deed(
            "account.freeze",
            "account",
            account.id,
            {"frozen_reasons": list(account.frozen_reasons)},
            {"frozen_reasons": list(frozen)},
            f"book {done.book_fen} card {held.card_fen}",
        )
        audit.record(freeze, actor=asked.actor, now=asked.now)


def _reply(done: Corrected) -> dict[str, Any]:
    return {
        "entry_id": done.entry_id,
        "entry_seq": done.entry_seq,
        "fen": done.fen,
        "unclaimed_fen": done.unclaimed_fen,
        "book_fen": done.book_fen,
    }


def account_facts(account: Account) -> AccountFacts:
    """A locked account as the ledger takes it."""
    return AccountFacts(
        id=account.id,
        number=account.number,
        life=account.life,
        frozen_reasons=tuple(account.frozen_reasons),
        limit_fen=account.daily_limit_fen,
        book_fen=account.book_fen,
        unclaimed_fen=account.unclaimed_fen,
        entry_seq=account.entry_seq,
        version=account.version,
        spent_on=account.spent_on,
        spent_fen=account.spent_fen,
    )
