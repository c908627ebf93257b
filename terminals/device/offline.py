"""Selling without the server: what the rules allow on the card, the hotlist and this till's own memory alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from purse.evidence import RingEntry, Side
from purse.keys import KeyBundle, Role
from purse.policy import Policy
from purse.procedures import (
    Day,
    Outcome,
    Purse,
    RawCard,
    SlotWrite,
    is_worn,
    offline_state,
    ring_image,
    slot_write,
    spend_image,
)
from purse.rules import OfflineFacts, Refusal, refuse_offline
from terminals.device.hotlist import Hotlist
from terminals.device.journal import Journal
from terminals.messages.records import Sale
from terminals.messages.wire import OperationKey

OFFLINE_SPENT_MAX_FEN = 0xFFFE
"""As much as a card's field holds (docs/card-layout.md); it saturates far above any cap."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An offline sale worked out to the byte: the slot to write, the ring record before it, the record to upload."""

    write: SlotWrite
    ring: bytes
    ring_seq: int
    sale: Sale
    card_fen: int
    """What the card will hold."""


def may_sell(keys: KeyBundle, *, allowed: bool) -> bool:
    """Whether this till can check and sign cards at all, and is allowed to."""
    return allowed and keys.holds(Role.MAC_SPEND) and keys.holds(Role.MAC_LOAD)


def refusal(
    purse: Purse, fen: int, *, day: date, now_ms: int, journal: Journal, hotlist: Hotlist, policy: Policy
) -> Refusal | None:
    """Say why this card is not sold to now (``purse.rules.refuse_offline``)."""
    expires_on = purse.expires_on()
    return refuse_offline(
        OfflineFacts(
            amount_fen=fen,
            card_fen=purse.card_fen,
            spent_today_fen=purse.spent_on(day),
            limit_fen=purse.day_limit_fen,
            sold_here_today_fen=journal.sold_offline_fen(purse.uid, day),
            in_a_row=purse.offline_in_a_row(),
            stop_mark=purse.spend.stop,
            on_hotlist=hotlist.refusal(purse.uid),
            behind_last_seen=purse.spend.seq < hotlist.last_seen(purse.uid),
            expired=expires_on is not None and day > expires_on,
            list_age_s=hotlist.age_s(now_ms),
            card_worn=is_worn(purse.spend),
        ),
        policy,
    )


def plan(purse: Purse, raw: RawCard, fen: int, *, key: OperationKey, day: date, keys: KeyBundle) -> Plan:
    """Work out an offline sale that the rules allow. Touches nothing."""
    account, state = purse.ident.account_no, offline_state(purse, fen)
    spent = Day(max(day, purse.day_on), purse.spent_on(day) + fen)
    image = spend_image(purse.uid, account, state, spent, keys)
    entry = RingEntry(state.seq, key.terminal, key.seq, fen)
    sale = Sale(
        key_seq=key.seq,
        uid=purse.uid.hex(),
        account=account,
        fen=fen,
        card_seq_before=purse.spend.seq,
        card_seq_after=state.seq,
        spend_total_before=purse.spend.total_fen,
        spend_total_after=state.total_fen,
        offline_spent_after=min(state.offline_fen, OFFLINE_SPENT_MAX_FEN),
        load_total=purse.load.total_fen,
        outcome=Outcome.UNKNOWN,
    )
    return Plan(
        write=slot_write(raw, Side.SPEND, state.slot, image),
        ring=ring_image(purse.uid, account, entry, keys),
        ring_seq=state.seq,
        sale=sale,
        card_fen=purse.card_fen - fen,
    )


def ended(sale: Sale, outcome: Outcome) -> Sale:
    """The record of a sale, now that its ending is known."""
    return replace(sale, outcome=outcome)
