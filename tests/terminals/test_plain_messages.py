"""What is read or written in one look is what the long way would have read or written."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from purse.evidence import Side
from purse.procedures import RawCard
from purse.rules import Refusal
from terminals.messages import plain, strictjson
from terminals.messages.strictjson import WireError
from terminals.messages.wire import OUTCOMES, DebitRequest, OutcomeReport, TapAnswer, Write

BLOCK = st.binary(min_size=16, max_size=16)
SLOTS = st.tuples(BLOCK, BLOCK)
JOURNAL = BLOCK.map(bytes.hex)
SEQ = st.integers(1, 2**53)
REPORT = st.builds(OutcomeReport, JOURNAL, SEQ, st.sampled_from(["written", "written", *sorted(OUTCOMES)]))
CARD = st.builds(
    RawCard,
    st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=7, max_size=7)),
    BLOCK,
    SLOTS,
    SLOTS,
    st.one_of(st.just(()), st.tuples(*[BLOCK] * 6)),
)
DEBIT = st.builds(
    DebitRequest,
    JOURNAL,
    SEQ,
    CARD,
    st.integers(1, 10_000_000),
    st.integers(0, 2**53),
    st.one_of(st.none(), st.from_regex(r"\A[0-9]{6}\Z")),
    st.lists(REPORT, max_size=2).map(tuple),
)
PLAIN = DebitRequest(
    "ab" * 16,
    7,
    RawCard(b"\1\2\3\4", bytes(16), (bytes(16), b"\1" * 16), (b"\2" * 16, b"\3" * 16)),
    5_50,
    1_790_000_000_000,
    None,
    (OutcomeReport("ab" * 16, 6, "written"),),
)


def said(asked):
    return strictjson.dumps(asked.to_json())


def read_the_long_way(body):
    return DebitRequest.parse(strictjson.loads(body))


def what(read, body):
    """The message that was read, or where it is wrong."""
    try:
        return read(body)
    except WireError as error:
        return error.field, error.problem


@settings(deadline=None)
@given(DEBIT)
@example(PLAIN)
def test_every_purchase_is_read_as_the_long_way_reads_it(asked):
    assert plain.read_debit(said(asked)) == read_the_long_way(said(asked)) == asked


@settings(deadline=None)
@given(st.data())
def test_a_message_with_anything_wrong_is_read_as_the_long_way_reads_it(data):
    body = bytearray(said(PLAIN))
    place = data.draw(st.integers(0, len(body) - 1))
    piece = data.draw(
        st.sampled_from([b"", b"0", b"00", b"-", b"1.", b" ", b'"', b"}", b"F", b"\xff", b"\x00", b"9" * 20])
    )
    body[place : place + data.draw(st.integers(0, 2))] = piece

    assert what(plain.read_debit, bytes(body)) == what(read_the_long_way, bytes(body))


@pytest.mark.parametrize(
    ("changed", "everyday"),
    [
        ({}, True),
        ({"outcomes": ()}, True),
        ({"pin": "135790"}, False),
        ({"outcomes": (OutcomeReport("ab" * 16, 6, "unknown"),)}, False),
        ({"outcomes": PLAIN.outcomes * 2}, False),
        ({"seq": 2**53}, False),
    ],
)
def test_an_everyday_purchase_is_read_in_one_look(changed, everyday):
    asked = DebitRequest(**{name: getattr(PLAIN, name) for name in PLAIN.__slots__} | changed)

    found = plain.read_plain_debit(said(asked))

    assert found == (asked if everyday else None)


FEN = st.integers(-(2**53), 2**53)
GAINED = st.one_of(st.just(0), st.just(0), st.integers(0, 2**53))
WRITE = st.builds(
    Write,
    st.sampled_from(Side),
    st.integers(0, 1),
    BLOCK,
    st.one_of(st.none(), st.none(), BLOCK.map(bytes.hex)),
)
ANSWER = st.builds(
    TapAnswer,
    refusal=st.one_of(st.none(), st.none(), st.sampled_from(Refusal)),
    book_fen=FEN,
    card_fen=FEN,
    writes=st.lists(WRITE, min_size=0, max_size=2).map(tuple),
    fen=GAINED,
    claimed_fen=GAINED,
    healed_fen=GAINED,
    unclaimed_fen=GAINED,
    today_fen=GAINED,
    limit_fen=GAINED,
    pin_left=st.one_of(st.none(), st.none(), st.integers(0, 99)),
    replay=st.sampled_from([False, False, True]),
    recorded=st.lists(st.tuples(JOURNAL, SEQ), max_size=2).map(tuple),
    hotlist_version=GAINED,
)


@settings(deadline=None)
@given(ANSWER)
@example(
    TapAnswer(None, 1, -1, (Write(Side.SPEND, 1, b"\xab" * 16),), recorded=(("ab" * 16, 6), ("cd" * 16, 7)))
)
def test_every_answer_is_written_as_canonical_json(answer):
    assert plain.dump_answer(answer) == strictjson.dumps(answer.to_json())
