"""Reading everything that one tap needs, in one call (transactions/migrations/0005_plain_sale.py)."""

from __future__ import annotations

import json
import uuid
from datetime import date
from typing import Any

from purse.evidence import State
from transactions.ledger import statement
from transactions.ledger.shapes import AccountFacts, AnswerFacts, CardFacts, NotAdmitted, Prelude, TapFacts
from transactions.ledger.statement import array
from transactions.mirror import confirm_told, read_side

_FACTS = "transactions_tap_facts(%(uid)s, %(card_id)s::bigint, %(key)s, %(confirmed)s::uuid[])"
_READ = f"SELECT {_FACTS}"
_AFTER_PRELUDE = f"WITH {{ctes}} SELECT {_FACTS}, (SELECT count(*) FROM advanced)"  # noqa: S608 - fixed
_ANSWER = "SELECT asked, reply FROM transactions_answer WHERE key = %(key)s"


def read_by_uid(
    uid: bytes, key: uuid.UUID, confirmed: tuple[uuid.UUID, ...] = (), prelude: Prelude | None = None
) -> TapFacts:
    """Everything about the card with this UID (the live one first) and this operation key, in one SELECT.

    ``confirmed`` names operations whose write was read back; those on this very card are taken in at once. Raises
    ``NotAdmitted`` when a ``prelude`` was given and did nothing.
    """
    return _read(uid.hex().upper(), None, key, confirmed, prelude)


def read_by_card(card_id: int, key: uuid.UUID) -> TapFacts:
    """The same for a known card row."""
    return _read(None, card_id, key, (), None)


def from_json(text: str) -> TapFacts:
    """What the function said of a card that we know."""
    told = json.loads(text)
    account, card, legs, images = told["account"], told["card"], told["legs"], told["images"]
    spend, load = State(*told["spend"]), State(*told["load"])
    return TapFacts(
        account=AccountFacts(
            id=account[0],
            number=account[1],
            life=account[2],
            frozen_reasons=tuple(account[3]),
            limit_fen=account[4],
            book_fen=account[5],
            unclaimed_fen=account[6],
            entry_seq=account[7],
            version=account[8],
            spent_on=_day(account[9]),
            spent_fen=account[10],
        ),
        card=CardFacts(
            id=card[0],
            life=card[1],
            lost=card[2],
            expires_on=_day(card[3]),
            late_fen=card[4],
            spend=confirm_told(read_side("spend", spend, legs, images), "spend", told["told"]),
            load=confirm_told(read_side("load", load, legs, images), "load", told["told"]),
            levelled_seq=card[5],
        ),
        answer=AnswerFacts(bytes.fromhex(told["asked"]), told["reply"])
        if told["asked"] is not None
        else None,
    )


def _read(
    uid: str | None,
    card_id: int | None,
    key: uuid.UUID,
    confirmed: tuple[uuid.UUID, ...],
    prelude: Prelude | None,
) -> TapFacts:
    params: dict[str, Any] = {"uid": uid, "card_id": card_id, "key": key, "confirmed": array(confirmed)}
    if prelude is None:
        (found,) = statement.run(_READ, params)
    else:
        text = _AFTER_PRELUDE.format(ctes=f"{prelude.relax}, {prelude.advance}")
        found, admitted = statement.run(text, params | prelude.params)
        if not admitted:
            raise NotAdmitted
    return from_json(found) if found is not None else _stranger(key)


def _stranger(key: uuid.UUID) -> TapFacts:
    """A card that is not ours; its key may have been answered all the same."""
    known = statement.fetch(_ANSWER, {"key": key})
    return TapFacts(None, None, AnswerFacts(bytes(known[0]), json.loads(known[1])) if known else None)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
