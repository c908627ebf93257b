"""What a card on a desk's reader does to the book, and what the desk is told to write on it.

Online like a tap: the book first, the card second; every image is told and stays in doubt until its outcome or a later
write. A desk may load, may bring a card to its book against what the card shows, and makes blank chips into cards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from accounts.models import AccountLife
from purse.evidence import State
from purse.procedures import is_worn
from purse.rules import Refusal, refuse_standing, refuse_top_up
from transactions import ledger
from transactions.days import local_day
from transactions.ledger import TapFacts
from transactions.selectors_cash import untouched_top_up
from transactions.services.orders import BookContext, TapOrder, TapReply
from transactions.services.plan import Plan, Source
from transactions.services.replay import fresh
from transactions.services.running import Decision, reader, run
from transactions.services.sighting import Sighted, look

OP = "desk"


class DeskRefusal(StrEnum):
    """Why a desk does not do it, beyond ``purse.rules.Refusal``."""

    OFFLINE_OPEN = "offline_open"
    """The card was used offline and those records are not here; to lift it to its book would give that money away."""
    LATE_OPEN = "late_open"
    """The book was charged twice; refund first, then card and book are equal."""
    BOOK_NEGATIVE = "book_negative"
    NOTHING_TO_CLAIM = "nothing_to_claim"
    HAS_CARD = "has_card"
    """The account has a card in force; only one can be."""
    CHIP_IN_USE = "chip_in_use"
    """This chip is a card in force of some account."""
    SHIFT_CLOSED = "shift_closed"
    """Cash moves in an open shift only."""
    SPENT = "spent"
    """Of a top-up that is to be taken back something was spent, or may have been."""
    NOT_AGREED = "not_agreed"
    """The second person has not agreed to exactly this, or no more."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a card on the reader and its book say of each other, for a screen. Amounts in fen."""

    sighted: Sighted
    today: date

    @property
    def difference_fen(self) -> int:
        """Card minus book."""
        return self.sighted.card_fen - self.sighted.account.book_fen

    def to_json(self) -> dict[str, Any]:
        """Flat, by name; ``refusal`` is why the card may not be used, ``finding`` what no record explains."""
        seen = self.sighted
        account, card, purse, items = seen.account, seen.card, seen.purse, seen.items
        refusal = refuse_standing(seen.standing(self.today))
        return {
            "uid": purse.uid.hex(),
            "account_id": account.id,
            "number": account.number,
            "card_id": card.id,
            "issue_no": purse.ident.issue_no,
            "life": card.life,
            "lost": card.lost,
            "frozen_reasons": list(account.frozen_reasons),
            "expires_on": card.expires_on.isoformat() if card.expires_on else None,
            "book_fen": account.book_fen,
            "card_fen": seen.card_fen,
            "difference_fen": self.difference_fen,
            "unclaimed_fen": account.unclaimed_fen,
            "torn_fen": items.torn_fen,
            "unwritten_fen": items.unwritten_fen,
            "offline_fen": items.offline_fen,
            "late_fen": items.late_fen,
            "spend": _side(purse.spend),
            "load": _side(purse.load),
            "today_fen": purse.spent_on(self.today),
            "limit_fen": account.limit_fen,
            "card_limit_fen": purse.day_limit_fen,
            "in_doubt": card.spend.in_doubt or card.load.in_doubt,
            "finding": seen.finding.value if seen.finding else None,
            "refusal": refusal.value if refusal else None,
        }


@dataclass(frozen=True, slots=True)
class DeskReply:
    """The answer to a card that was shown. ``tap.writes`` is empty where nothing needs to be written."""

    tap: TapReply
    refusal: Refusal | DeskRefusal | None = None
    reading: Reading | None = None
    """None for a card that is not ours or cannot be read."""
    entry_seq: int | None = None


Act = Callable[[Plan, Sighted], "Refusal | DeskRefusal | None"]


def read_card(order: TapOrder, *, heal: bool, book: BookContext) -> DeskReply:
    """Look at a card: settles what the sighting proves, and with ``heal`` writes what the card lacks.

    Never refused for the card's standing: a desk looks at every card. Raises ``KeyReused`` and ``Busy``.
    """

    def act(plan: Plan, seen: Sighted) -> Refusal | DeskRefusal | None:
        if heal and _explained(seen):
            plan.bring(stop=_stops(seen, book))
        return None

    return _run(order, act, book)


def set_card(order: TapOrder, *, despite_finding: bool, book: BookContext) -> DeskReply:
    """Bring the card to its book, without an entry: the book is right and stays as it is.

    Refused while card and book differ by what is still to come (offline records) or to be refunded (late ones).
    """

    def act(plan: Plan, seen: Sighted) -> Refusal | DeskRefusal | None:
        refusal = _refuse_set(seen, despite_finding=despite_finding)
        if refusal is not None:
            return refusal
        if _explained(seen):
            plan.bring(stop=_stops(seen, book), excess_fen=max(0, -seen.items.offline_fen))
        else:
            plan.restate(stop=_stops(seen, book))
        return None

    return _run(order, act, book)


def load_card(order: TapOrder, fen: int, source: Source, *, book: BookContext) -> DeskReply:
    """Put ``fen`` that came in at this desk into the book, then onto the card. One entry for one key."""

    def act(plan: Plan, seen: Sighted) -> Refusal | DeskRefusal | None:
        refusal = _refuse_load(plan, seen, fen, book)
        if refusal is None:
            plan.top_up(fen, source)
            plan.heal()
        return refusal

    return _run(order, act, book)


def unload_card(order: TapOrder, top_up_id: int, source: Source, *, book: BookContext) -> DeskReply:
    """Take a whole top-up back from the book, then from the card; nothing may have moved the book since (K03)."""

    def act(plan: Plan, seen: Sighted) -> Refusal | DeskRefusal | None:
        if refusal := refuse_standing(seen.standing(local_day(book.now))):
            return refusal
        if is_worn(seen.card.spend):
            return Refusal.CARD_WORN
        entry = untouched_top_up(seen.account.id, top_up_id)
        if entry is None or seen.items.offline_fen or plan.healed_card_fen < entry.book_change_fen:
            return DeskRefusal.SPENT
        plan.take_back(entry.id, entry.book_change_fen, source)
        plan.heal()
        return None

    return _run(order, act, book)


def claim_card(order: TapOrder, *, book: BookContext) -> DeskReply:
    """Put unclaimed money into the book and onto the card, as far as the purse may be filled."""

    def act(plan: Plan, seen: Sighted) -> Refusal | DeskRefusal | None:
        refusal = _refuse_load(plan, seen, 0, book)
        fen = plan.claimable_fen()
        if refusal is None and not fen:
            return DeskRefusal.NOTHING_TO_CLAIM
        if refusal is None:
            plan.claim(fen)
            plan.heal()
        return refusal

    return _run(order, act, book)


def mark_card(order: TapOrder, *, on: bool, book: BookContext) -> DeskReply:
    """Set the stop mark that offline tills obey, or take it away from a card that is in order again."""

    def act(plan: Plan, seen: Sighted) -> Refusal | DeskRefusal | None:
        if not _explained(seen):
            return Refusal.CARD_SUSPECT
        if is_worn(seen.card.spend):
            return Refusal.CARD_WORN
        if on:
            plan.mark_stopped()
            return None
        refusal = refuse_standing(seen.standing(local_day(book.now)))
        if refusal is None:
            plan.heal()
        return refusal

    return _run(order, act, book)


# ------------------------------------------------------------------------------------------------------ inside


def _run(order: TapOrder, act: Act, book: BookContext) -> DeskReply:
    """Decide one shown card like a tap. The last decision's refusal and entry are the ones that were written."""
    book = replace(book, policy=replace(book.policy, claim_at_till=True))
    last: list[tuple[Refusal | DeskRefusal | None, int | None]] = []

    def decide(facts: TapFacts) -> Decision:
        sighted = look(facts, order.card, book.keys, book.policy)
        if isinstance(sighted, Refusal):
            last.append((sighted, None))
            return Decision(TapReply(refusal=sighted), None)
        plan = Plan(sighted, order, book)
        refusal = act(plan, sighted)
        reply = plan.reply(refusal if isinstance(refusal, Refusal) else None)
        change = plan.change(OP, reply)
        last.append((refusal, change.entries[-1].seq if change.entries else None))
        return Decision(reply, change, sighted=sighted)

    reply = run(order, book.now, read=reader(order), decide=decide)
    if reply.replay:
        return DeskReply(fresh(reply, order, book), reply.refusal, _reading(order, book))
    refusal, entry_seq = last[-1]
    return DeskReply(reply, refusal, _reading(order, book), entry_seq)


def _reading(order: TapOrder, book: BookContext) -> Reading | None:
    """The card against its book as it stands after the decision."""
    seen = look(ledger.read_by_uid(order.card.uid, order.key), order.card, book.keys, book.policy)
    return None if isinstance(seen, Refusal) else Reading(seen, local_day(book.now))


def _explained(seen: Sighted) -> bool:
    """Whether what the card shows was taken in: it may hold too much, but it is a state that this card can have."""
    card, purse = seen.card, seen.purse
    return card.spend.shown == purse.spend and card.load.shown == purse.load


def _refuse_set(seen: Sighted, *, despite_finding: bool) -> Refusal | DeskRefusal | None:
    if not seen.live:
        return Refusal.CARD_REPLACED
    if seen.account.life != AccountLife.OPEN:
        return Refusal.ACCOUNT_CLOSED
    if is_worn(seen.card.spend) or is_worn(seen.card.load):
        return Refusal.CARD_WORN
    if not _explained(seen):
        return None if despite_finding else Refusal.CARD_SUSPECT
    if seen.items.late_fen:
        return DeskRefusal.LATE_OPEN
    if seen.items.offline_fen > 0:
        return DeskRefusal.OFFLINE_OPEN
    if seen.items.offline_fen < 0 and seen.account.book_fen < 0:
        return DeskRefusal.BOOK_NEGATIVE
    return None


def _refuse_load(plan: Plan, seen: Sighted, fen: int, book: BookContext) -> Refusal | DeskRefusal | None:
    """Book and card must both have room: a card above its book is filled no further than the book would be."""
    if is_worn(seen.card.load):
        return Refusal.CARD_WORN
    return refuse_top_up(
        standing=seen.standing(local_day(book.now)),
        amount_fen=fen,
        book_fen=max(plan.book_fen, plan.healed_card_fen),
        policy=book.policy,
    )


def _stops(seen: Sighted, book: BookContext) -> bool:
    """Whether the card must carry the stop mark while its standing is what it is."""
    standing = replace(seen.standing(local_day(book.now)), suspect=False)
    return refuse_standing(standing) is not None


def _side(state: State) -> dict[str, Any]:
    return {
        "seq": state.seq,
        "total_fen": state.total_fen,
        "slot": state.slot,
        "offline_fen": state.offline_fen,
        "stop": state.stop,
    }
