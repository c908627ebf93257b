"""Building one tap's effect step by step: entries for the book, images for the card, one change for the ledger.

Nothing here decides whether; the services decide, and then say *what* in the words below.
"""

from __future__ import annotations

from dataclasses import dataclass

from purse.evidence import Leg, Side, SideMirror, State, tell, with_told
from purse.procedures import Day, is_worn, load_image, spend_image
from purse.rules import Refusal
from transactions.days import local_day
from transactions.ledger import CardChange, Change, NewAnswer, NewEntry
from transactions.models import Contra, EntryKind, Mode, entry_id
from transactions.services.orders import BookContext, TapOrder, TapReply, TellWrite
from transactions.services.sighting import Sighted


@dataclass(frozen=True, slots=True)
class Source:
    """Where money comes from or goes to; ``contra_ref`` says which merchant, drawer or bank file."""

    kind: EntryKind
    contra: Contra
    contra_ref: int | None = None
    note: str = ""


class Plan:
    """The effect of one tap on one account, growing until ``change`` is called."""

    def __init__(self, sighted: Sighted, order: TapOrder, book: BookContext) -> None:
        self._seen = sighted
        self._order = order
        self._book = book
        self.book_fen = sighted.account.book_fen
        self.unclaimed_fen = sighted.account.unclaimed_fen
        self._spend = sighted.card.spend
        self._load = sighted.card.load
        self._entries: list[NewEntry] = []
        self._today = local_day(book.now)
        self.spent_book_fen = sighted.account.spent_on_day(self._today)
        torn_fen = min(self._spend.missing_fen, self.spent_book_fen)  # of today, as far as one can tell
        self._spent_card_fen = sighted.purse.spent_on(self._today) + torn_fen
        self.writes: dict[Side, TellWrite] = {}
        self.claimed_fen = 0
        self.healed_fen = 0
        self._reverses: tuple[int, int] | None = None

    @property
    def spent_today_fen(self) -> int:
        """What book or card know of today, whichever is more (A13)."""
        return max(self.spent_book_fen, self._spent_card_fen)

    @property
    def healed_card_fen(self) -> int:
        """What the card will hold once what it lacks is written; credits count only where this till may write them."""
        unwritten = self._load.missing_fen if self.may_load else 0
        return self._seen.card_fen - self._spend.missing_fen + unwritten

    @property
    def may_load(self) -> bool:
        """Whether money may be put on the card at this till, in this tap."""
        allowed = self._order.till.may_claim and self._book.policy.claim_at_till
        return allowed and not is_worn(self._seen.card.load)

    def claimable_fen(self) -> int:
        """Unclaimed money that can ride on this tap, as far as the purse may be filled."""
        if not self.may_load:
            return 0
        room = self._book.policy.max_book_fen - max(self.book_fen, self.healed_card_fen)
        return max(0, min(self.unclaimed_fen, room))

    def claim(self, fen: int) -> None:
        """Move unclaimed money into the book and onto the card."""
        self.claimed_fen = fen
        self._post(Source(EntryKind.CLAIM, Contra.NONE), fen, -fen, Side.LOAD)

    def purchase(self) -> None:
        """Take the ordered amount from the book, for the till's merchant; the card follows."""
        fen = self._order.fen
        self._heal_count()
        self.spent_book_fen += fen  # its own entries only: what the card knows besides comes with its record
        self._spent_card_fen += fen
        merchant = Source(EntryKind.PURCHASE, Contra.MERCHANT, self._order.till.merchant_id)
        self._post(merchant, -fen, 0, Side.SPEND)

    def give_back(self, purchase_id: int, fen: int, *, merchant_id: int | None) -> None:
        """Undo a purchase of today: onto the card where this till may load, else into unclaimed money."""
        self.spent_book_fen = max(0, self.spent_book_fen - fen)
        self._spent_card_fen = max(0, self._spent_card_fen - fen)
        self._tell_spend(0)  # the card's own day total goes down too (M2)
        book, unclaimed, side = (fen, 0, Side.LOAD) if self.may_load else (0, fen, None)
        merchant = Source(EntryKind.VOID, Contra.MERCHANT, merchant_id)
        self._post(merchant, book, unclaimed, side, reverses=purchase_id)
        self._reverses = purchase_id, entry_id(self._seen.account.id, self._entries[-1].seq)

    def heal(self) -> None:
        """Write what the card lacks, and again what it may not keep, taking nothing: a refused tap heals too."""
        self._heal_count()
        if Side.SPEND not in self.writes and (_ails(self._spend) or self._seen.purse.spend.stop):
            self._tell_spend(0)  # also takes an old stop mark away
        if Side.LOAD not in self.writes and _ails(self._load) and self.may_load:
            self._tell_load(0)

    def mark_stopped(self) -> None:
        """Have the card carry the stop mark, so that offline tills refuse it too (R047)."""
        if _ails(self._spend) or not self._seen.purse.spend.stop:
            self._heal_count()
            self._tell_spend(0, stop=True)

    def bring(self, *, stop: bool, excess_fen: int = 0) -> None:
        """Write both sides so that the card holds what its book says, with or without the stop mark.

        ``excess_fen``: what the card shows beyond every record; it is counted as spent, without an entry, because the
        book never had it. Only a desk does this.
        """
        self._heal_count()
        if excess_fen or _ails(self._spend) or self._seen.purse.spend.stop != stop:
            self._tell_spend(excess_fen, stop=stop)
        if _ails(self._load) and self.may_load:
            self._tell_load(0)

    def restate(self, *, stop: bool) -> None:
        """Write both sides anew, above everything that was ever told, proven or seen, so that card = book.

        For a card whose content no record explains (a restored dump, one number twice), after people decided that it
        may go on. What the book knows of it stays as it is until one of these images is seen or reported.
        """
        spends, loads = (
            _totals(self._spend, self._seen.purse.spend),
            _totals(self._load, self._seen.purse.load),
        )
        load_fen = max(*loads, self.book_fen + max(spends))
        spend_fen = load_fen - self.book_fen
        self._restate_load(load_fen)
        self._restate_spend(spend_fen, stop=stop)

    def top_up(self, fen: int, source: Source) -> None:
        """Put money that came in at this desk into the book; the card's LOAD side follows."""
        self._post(source, fen, 0, Side.LOAD)

    def take_back(self, top_up_id: int, fen: int, source: Source) -> None:
        """Take a top-up back from the book, like a purchase: the card follows, and its next tap heals it."""
        self._heal_count()
        self._post(source, -fen, 0, Side.SPEND, reverses=top_up_id)
        self._reverses = top_up_id, entry_id(self._seen.account.id, self._entries[-1].seq)

    def reply(self, refusal: Refusal | None, *, fen: int = 0, pin_left: int | None = None) -> TapReply:
        """The answer to the terminal; ``card_fen`` is what the card holds once every image is written."""
        spend = self._target(Side.SPEND, self._spend)
        load = self._target(Side.LOAD, self._load)
        return TapReply(
            refusal=refusal,
            book_fen=self.book_fen,
            card_fen=load - spend,
            writes=tuple(self.writes[side] for side in (Side.LOAD, Side.SPEND) if side in self.writes),
            fen=fen,
            claimed_fen=self.claimed_fen,
            healed_fen=self.healed_fen,
            unclaimed_fen=self.unclaimed_fen,
            today_fen=self.spent_today_fen,
            limit_fen=self._seen.account.limit_fen,
            pin_left=pin_left,
        )

    def change(self, op: str | None, reply: TapReply) -> Change:
        """Everything as one change; ``op`` None for a tap that needs no line in the register."""
        account, freeze = self._seen.account, self._seen.freeze
        return Change(
            before=account,
            book_fen=self.book_fen,
            unclaimed_fen=self.unclaimed_fen,
            spent_on=self._today,
            spent_fen=self.spent_book_fen,
            frozen_reasons=(*account.frozen_reasons, freeze.value) if freeze else account.frozen_reasons,
            now=self._book.now,
            entries=tuple(self._entries),
            answer=self._answer(op, reply) if op else None,
            card=CardChange(
                id=self._seen.card.id,
                spend=self._spend,
                load=self._load,
                late_fen=self._seen.card.late_fen,
                seen_at=self._book.now,
                seen_terminal=self._order.till.id,
                seen_place=self._order.till.place,
                first_use=self._seen.first_use,
            ),
            confirmed=self._order.confirmed,
            reverses=self._reverses,
        )

    def _answer(self, op: str, reply: TapReply) -> NewAnswer:
        return NewAnswer(
            key=self._order.key,
            op=op,
            asked=self._order.asked,
            reply=reply.to_json(),
            told=self._told(),
            entry_seq=self._entries[-1].seq if self._entries else None,
            terminal_id=self._order.till.id,
            journal_seq=self._order.journal_seq,
        )

    def _told(self) -> dict[str, list[int]]:
        told = {}
        for side, mirror in ((Side.SPEND, self._spend), (Side.LOAD, self._load)):
            if side in self.writes:
                image = mirror.told[-1]
                told[side.value] = [image.seq, image.total_fen, int(image.stop)]
        return told

    def _post(
        self,
        source: Source,
        book_fen: int,
        unclaimed_fen: int,
        side: Side | None,
        *,
        reverses: int | None = None,
    ) -> None:
        seq = self._seen.account.entry_seq + len(self._entries) + 1
        self.book_fen += book_fen
        self.unclaimed_fen += unclaimed_fen
        purse_seq = None
        if side is Side.SPEND:
            purse_seq = self._tell_spend(-book_fen, entry=seq)
        elif side is Side.LOAD:
            purse_seq = self._tell_load(book_fen, entry=seq)
        self._entries.append(
            NewEntry(
                seq=seq,
                kind=source.kind,
                book_change_fen=book_fen,
                unclaimed_change_fen=unclaimed_fen,
                book_after_fen=self.book_fen,
                unclaimed_after_fen=self.unclaimed_fen,
                contra=source.contra,
                contra_ref=source.contra_ref,
                source_key=self._order.key,
                occurred_at=self._order.at,
                mode=Mode.ONLINE,
                card_id=self._seen.card.id,
                purse_side=side.value if side else None,
                purse_seq=purse_seq,
                terminal_id=self._order.till.id,
                reverses=reverses,
                note=source.note,
            )
        )

    def _tell_spend(self, fen: int, *, entry: int | None = None, stop: bool = False) -> int:
        if is_worn(self._spend):
            return self._seen.purse.spend.seq
        state = tell(self._spend, fen=fen, stop=stop)
        self._spend = with_told(self._spend, state, self._leg(entry, state, fen))
        self._write_spend(state)
        return state.seq

    def _tell_load(self, fen: int, *, entry: int | None = None) -> int:
        state = tell(self._load, fen=fen)
        self._load = with_told(self._load, state, self._leg(entry, state, fen))
        self._write_load(state)
        return state.seq

    def _restate_spend(self, total_fen: int, *, stop: bool) -> None:
        seen = self._seen.purse.spend
        state = State(max(self._spend.next_seq, seen.seq + 1), total_fen, 1 - seen.slot, 0, stop)
        self._spend = with_told(self._spend, state)
        self._write_spend(state)

    def _restate_load(self, total_fen: int) -> None:
        seen = self._seen.purse.load
        state = State(max(self._load.next_seq, seen.seq + 1), total_fen, 1 - seen.slot)
        self._load = with_told(self._load, state)
        self._write_load(state)

    def _write_spend(self, state: State) -> None:
        purse = self._seen.purse
        day = Day(self._today, self.spent_today_fen)
        image = spend_image(purse.uid, purse.ident.account_no, state, day, self._book.keys)
        self.writes[Side.SPEND] = TellWrite(Side.SPEND, state.slot, image)

    def _write_load(self, state: State) -> None:
        purse, limit = self._seen.purse, self._seen.account.limit_fen
        image = load_image(purse.uid, purse.ident.account_no, state, self._today, limit, self._book.keys)
        self.writes[Side.LOAD] = TellWrite(Side.LOAD, state.slot, image)

    def _leg(self, entry: int | None, state: State, fen: int) -> Leg | None:
        if entry is None:
            return None
        return Leg(entry, state.seq, fen, self._order.till.id, self._order.journal_seq)

    def _heal_count(self) -> None:
        self.healed_fen = max(self.healed_fen, self._seen.card.spend.missing_fen)

    def _target(self, side: Side, mirror: SideMirror) -> int:
        return mirror.told[-1].total_fen if side in self.writes else mirror.shown.total_fen


def _totals(mirror: SideMirror, seen: State) -> tuple[int, ...]:
    """Every total of one side that a card may rightly or wrongly show."""
    return (
        seen.total_fen,
        mirror.shown.total_fen,
        mirror.floor.total_fen,
        *(told.total_fen for told in mirror.told),
    )


def _ails(mirror: SideMirror) -> bool:
    """Whether the card lacks something on this side, or shows something that no one has confirmed."""
    return bool(mirror.missing_fen) or mirror.in_doubt
