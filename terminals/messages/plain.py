"""The purchase of every day, read in one look and answered in one go.

Nothing is taken for plain that ``wire`` and ``strictjson`` would read or write in any other way; what is not plain goes
their way (tests/terminals/test_plain_messages.py holds the two against each other).
"""

from __future__ import annotations

import re

from purse.evidence import Side
from purse.procedures import Outcome, RawCard
from terminals.messages.strictjson import dumps, loads
from terminals.messages.wire import DebitRequest, OutcomeReport, TapAnswer

_BLOCK = r'"([0-9a-f]{32})"'
_COUNT = r"([1-9][0-9]{0,14})"
_DEBIT = re.compile(
    rf'\{{"at_ms":(0|{_COUNT[1:-1]}),'
    rf'"card":\{{"ident":{_BLOCK},"load":\[{_BLOCK},{_BLOCK}\],"ring":\[\],"spend":\[{_BLOCK},{_BLOCK}\],'
    r'"uid":"([0-9a-f]{8}|[0-9a-f]{14})"\},"fen":([1-9][0-9]{0,6}),'
    rf'"journal":{_BLOCK},"outcomes":\[(?:\{{"journal":{_BLOCK},"outcome":"written","seq":{_COUNT}\}})?\],'
    rf'"pin":null,"seq":{_COUNT}\}}'
)
"""Canonical JSON, no password, no ring, and of sales before at most one that was simply written."""


def read_debit(body: bytes) -> DebitRequest:
    """The message in its bytes. Raises ``WireError``."""
    return read_plain_debit(body) or DebitRequest.parse(loads(body))


def read_plain_debit(body: bytes) -> DebitRequest | None:
    """The same for a plain purchase; None for any other message."""
    found = _DEBIT.fullmatch(body.decode("latin-1"))
    if found is None:
        return None
    at_ms, ident, load_a, load_b, spend_a, spend_b, uid, fen, journal, told_journal, told_seq, seq = (
        found.groups()
    )
    block = bytes.fromhex
    card = RawCard(block(uid), block(ident), (block(spend_a), block(spend_b)), (block(load_a), block(load_b)))
    told = (OutcomeReport(told_journal, int(told_seq), Outcome.CONFIRMED.value),) if told_journal else ()
    return DebitRequest(journal, int(seq), card, int(fen), int(at_ms), None, told)


def dump_answer(answer: TapAnswer) -> bytes:
    """The message in its bytes: canonical JSON."""
    if not _is_plain(answer):
        return dumps(answer.to_json())
    (write,) = answer.writes
    recorded = ",".join([f'["{journal}",{seq}]' for journal, seq in answer.recorded])
    return (
        f'{{"book_fen":{answer.book_fen},"card_fen":{answer.card_fen},"claimed_fen":0,"fen":{answer.fen},'
        f'"healed_fen":0,"hotlist_version":{answer.hotlist_version},"limit_fen":{answer.limit_fen},"pin_left":null,'
        f'"recorded":[{recorded}],"refusal":null,"replay":false,"today_fen":{answer.today_fen},"unclaimed_fen":0,'
        f'"writes":[{{"image":"{write.image.hex()}","sealed_key":null,"side":"spend","slot":{write.slot}}}]}}'
    ).encode()


def _is_plain(answer: TapAnswer) -> bool:
    """Whether it says yes, with one slot to write and nothing out of the ordinary."""
    if answer.refusal is not None or answer.replay or answer.pin_left is not None or len(answer.writes) != 1:
        return False
    write = answer.writes[0]
    extra = answer.claimed_fen or answer.healed_fen or answer.unclaimed_fen
    return not extra and write.side is Side.SPEND and write.sealed_key is None
