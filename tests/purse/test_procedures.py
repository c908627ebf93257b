"""Reading, writing, preparing: cut at every operation, in every way a write can tear, on the card model."""

from __future__ import annotations

from datetime import date
from functools import cache

import pytest

from purse import layout
from purse.evidence import RingEntry, Side, State
from purse.keys import DESK, OFFLINE_TILL, ONLINE_TILL, KeyBundle, Role
from purse.link import AccessRefused, KeySlot, LinkError
from purse.procedures import (
    CardDamaged,
    ClassicDriver,
    Day,
    ForeignCard,
    Outcome,
    Personalisation,
    decode,
    is_worn,
    load_image,
    offline_state,
    ring_image,
    slot_write,
    spend_image,
)
from terminals.device.reader.field import Fault, Field, Kind
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.tearing import Tear
from tests import faults

KEYS = KeyBundle.from_master(1, bytes(range(32)))
TILL = KEYS.only(ONLINE_TILL)
TODAY = date(2026, 11, 23)
START_FEN, PRICE_FEN = 50_00, 1_30
UIDS = [bytes.fromhex("04A1B2C3"), bytes.fromhex("04A1B2C3D4E5F6")]
ME = Personalisation(10086, 1, 1, 1, None, b"12345678", 50_00, TODAY, START_FEN)


@cache
def issued(uid: bytes) -> str:
    card = ClassicCard.blank(uid)
    ClassicDriver(laid(card)[1], KEYS).prepare(ME)
    return card.to_json()


def laid(card, fault=None):
    field = Field()
    field.place(card, fault=fault)
    return field, field.select()


def purse_of(card):
    return decode(ClassicDriver(laid(card)[1], KEYS).read_purse(), KEYS)


def debit_write(card, keys=KEYS):
    raw = ClassicDriver(laid(card)[1], TILL).read_purse()
    spend = decode(raw, KEYS).spend
    state = State(spend.seq + 1, spend.total_fen + PRICE_FEN, 1 - spend.slot)
    return slot_write(
        raw, Side.SPEND, state.slot, spend_image(raw.uid, ME.account_no, state, Day(TODAY, PRICE_FEN), keys)
    )


def operations(act, card):
    field, link = laid(card)
    act(link)
    return [operation.kind for operation in field.log]


# --------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("uid", UIDS, ids=["4-byte UID", "7-byte UID"])
def test_a_prepared_card_says_what_it_was_told(uid):
    purse = purse_of(ClassicCard.from_json(issued(uid)))

    assert (purse.uid, purse.card_fen, purse.ident.account_no, purse.day_limit_fen) == (
        uid,
        START_FEN,
        10086,
        50_00,
    )
    assert (purse.spend, purse.load) == (State(0, 0, 0), State(0, START_FEN, 0))


def test_a_blank_card_is_foreign():
    with pytest.raises(ForeignCard):
        ClassicDriver(laid(ClassicCard.blank(UIDS[0]))[1], KEYS).read_purse()


def test_a_card_of_another_school_is_foreign():
    other = KeyBundle.from_master(1, b"x" * 32)
    with pytest.raises(ForeignCard):
        ClassicDriver(laid(ClassicCard.from_json(issued(UIDS[0])))[1], other).read_purse()


def test_a_content_copied_to_another_card_is_foreign():
    copy = ClassicCard.from_json(issued(UIDS[0]))
    copy.uid = bytes.fromhex("0BADCAFE")
    for sector, (writer, _) in layout.SECTORS.items():
        trailer = layout.trailer_of(sector)
        copy.blocks[trailer] = (
            KEYS.sector_key(copy.uid, sector, Role.READ)
            + copy.blocks[trailer][6:10]
            + KEYS.sector_key(copy.uid, sector, writer)
        )

    with pytest.raises(ForeignCard):
        purse_of(copy)


@pytest.mark.parametrize("block", [8, 12])
def test_a_side_without_a_valid_slot_is_damaged(block):
    card = ClassicCard.from_json(issued(UIDS[0]))
    card.blocks[block] = b"\xff" * 16

    with pytest.raises(CardDamaged):
        purse_of(card)


@pytest.mark.parametrize("block", [8, 12])
def test_an_edited_amount_has_no_valid_mac(block):
    """reliability.md A7: a balance edited upward."""
    card = ClassicCard.from_json(issued(UIDS[0]))
    for bit in range(96):
        edited = bytearray(card.blocks[block])
        edited[bit // 8] ^= 1 << bit % 8
        wrong = ClassicCard.from_json(issued(UIDS[0]))
        wrong.blocks[block] = bytes(edited)
        with pytest.raises(CardDamaged):
            purse_of(wrong)


# ----------------------------------------------------------------------------------------------- preparing


@pytest.mark.parametrize("uid", UIDS, ids=["4-byte UID", "7-byte UID"])
def test_a_torn_preparation_is_run_again_or_honestly_given_up(uid):
    kinds = operations(lambda link: ClassicDriver(link, KEYS).prepare(ME), ClassicCard.blank(uid))
    cases, wrong, given_up = 0, [], 0
    for after, kind in enumerate(kinds):
        for tear in Tear if kind is Kind.WRITE else [Tear.BEFORE]:
            cases += 1
            card = ClassicCard.blank(uid)
            field, link = laid(card, Fault(after, tear))
            with pytest.raises(LinkError):
                ClassicDriver(link, KEYS).prepare(ME)
            torn = field.log[after].block
            try:
                ClassicDriver(laid(card)[1], KEYS).prepare(ME)
                right = purse_of(card).card_fen == START_FEN
            except (ForeignCard, CardDamaged):
                given_up += 1
                right = torn is not None and torn % 4 == 3  # only a trailer cannot be repaired
            except LinkError:
                right = torn is not None and torn % 4 == 3 and bool(card.weak)
            if not right:
                wrong.append((after, tear))

    faults.report("PREPARE", cases, len(wrong))
    assert wrong == []
    assert 0 < given_up < cases / 4


def test_preparing_another_card_in_the_middle_is_noticed():
    first, second = ClassicCard.blank(UIDS[0]), ClassicCard.from_json(issued(bytes.fromhex("01020304")))
    before = list(second.blocks)
    field, link = laid(first)
    ClassicDriver(link, KEYS).prepare(ME)
    field.swap(second)

    with pytest.raises(LinkError):
        ClassicDriver(link, KEYS).prepare(ME)
    assert second.blocks == before


# ------------------------------------------------------------------------------------------------- a till's rights


def forbidden(card, block, key, slot):
    _, link = laid(card)
    try:
        link.authenticate(block, key, slot)
        link.write(block, bytes(16))
    except LinkError:
        return True
    return False


@pytest.mark.parametrize("roles", [ONLINE_TILL, OFFLINE_TILL], ids=["online", "offline"])
def test_a_till_cannot_add_money_whatever_it_tries(roles):
    """card.md: a till can only ever add to spending; only desk and kiosk can add money."""
    card = ClassicCard.from_json(issued(UIDS[0]))
    till = KEYS.only(roles)
    before = list(card.blocks)
    _, link = laid(card)
    raw = ClassicDriver(link, till).read_purse()
    image = load_image(raw.uid, ME.account_no, State(1, 900_00, 1), TODAY, 50_00, KEYS)

    assert ClassicDriver(link, till).commit(slot_write(raw, Side.LOAD, 1, image)) is Outcome.NOT_WRITTEN
    for sector in layout.SECTORS:
        for role in roles & {Role.READ, Role.SPEND}:
            for slot in KeySlot:
                for block in (b for b in range(sector * 4, sector * 4 + 4) if b % 4 == 3 or sector in (1, 3)):
                    assert forbidden(card, block, till.sector_key(raw.uid, sector, role), slot)
    assert card.blocks == before


@pytest.mark.parametrize("sector", layout.SECTORS)
def test_nobody_at_all_changes_a_trailer_again(sector):
    card = ClassicCard.from_json(issued(UIDS[0]))
    _, link = laid(card)
    for role, slot in [(Role.READ, KeySlot.A), (layout.SECTORS[sector][0], KeySlot.B)]:
        link.authenticate(layout.trailer_of(sector), KEYS.sector_key(card.uid, sector, role), slot)
        with pytest.raises(AccessRefused):
            link.write(layout.trailer_of(sector), b"\xff" * 16)


def test_a_desk_writes_money_and_cannot_sign_it():
    desk = KEYS.only(DESK)
    card = ClassicCard.from_json(issued(UIDS[0]))
    _, link = laid(card)
    raw = ClassicDriver(link, desk).read_purse()
    image = load_image(raw.uid, ME.account_no, State(1, 60_00, 1), TODAY, 50_00, KEYS)

    assert ClassicDriver(link, desk).commit(slot_write(raw, Side.LOAD, 1, image)) is Outcome.CONFIRMED
    assert purse_of(card).card_fen == 60_00
    with pytest.raises(LookupError):
        load_image(raw.uid, ME.account_no, State(2, 99_00, 0), TODAY, 50_00, desk)


# ------------------------------------------------------------------------------------------- commit and resolve


def shown(card, times=6):
    return {purse_of(card).card_fen for _ in range(times)}


@pytest.mark.parametrize("uid", UIDS, ids=["4-byte UID", "7-byte UID"])
@pytest.mark.parametrize("tear", list(Tear))
def test_confirmed_and_not_written_are_never_taken_back(uid, tear):
    """commit cut anywhere, then resolve cut anywhere, then resolve in peace; each answer must stay true for ever."""
    kinds = operations(
        lambda link: ClassicDriver(link, TILL).commit(debit_write(ClassicCard.from_json(issued(uid)))),
        ClassicCard.from_json(issued(uid)),
    )
    cases, wrong = 0, []
    for after in range(len(kinds) + 1):
        for again in range(9):
            cases += 1
            card = ClassicCard.from_json(issued(uid))
            write = debit_write(card)
            other = card.blocks[write.other_block]
            first = ClassicDriver(laid(card, Fault(after, tear))[1], TILL).commit(write, uid)
            answers = [first]
            if first is Outcome.UNKNOWN:
                answers += [
                    ClassicDriver(laid(card, Fault(again, tear))[1], TILL).resolve(write, uid),
                    ClassicDriver(laid(card)[1], TILL).resolve(write, uid),
                ]
            truth = shown(card)
            if Outcome.CONFIRMED in answers and truth != {START_FEN - PRICE_FEN}:
                wrong.append((after, again, answers, truth))
            if answers[-1] is Outcome.NOT_WRITTEN and truth != {START_FEN}:
                wrong.append((after, again, answers, truth))
            if Outcome.NOT_WRITTEN in answers[1:] or card.blocks[write.other_block] != other:
                wrong.append((after, again, answers, "the certain slot was touched"))

    faults.report("COMMIT", cases, len(wrong))
    assert wrong == []


@pytest.mark.parametrize("seed", range(40))
def test_after_an_undisturbed_resolve_a_torn_mix_is_finished(seed):
    import random

    card = ClassicCard.from_json(issued(UIDS[0]), rng=random.Random(seed))
    write = debit_write(card)
    tear = [Tear.MIX, Tear.WEAK, Tear.FLIPPING, Tear.ERASING][seed % 4]
    commit_writes_after = 2
    assert (
        ClassicDriver(laid(card, Fault(commit_writes_after, tear))[1], TILL).commit(write) is Outcome.UNKNOWN
    )

    assert ClassicDriver(laid(card)[1], TILL).resolve(write) in {Outcome.CONFIRMED, Outcome.UNKNOWN}
    if tear in {Tear.MIX, Tear.ERASING}:
        assert shown(card) == {START_FEN - PRICE_FEN}


def offline_sale(card, fen=3_00):
    keys = KEYS.only(OFFLINE_TILL)
    driver = ClassicDriver(laid(card)[1], keys)
    raw = driver.read_purse()
    purse = decode(raw, keys)
    state = offline_state(purse, fen)
    entry = RingEntry(state.seq, 8, 5, fen)
    driver.remember_offline(raw.uid, ring_image(raw.uid, ME.account_no, entry, keys), state.seq)
    image = spend_image(raw.uid, ME.account_no, state, Day(TODAY, fen), keys)
    assert driver.commit(slot_write(raw, Side.SPEND, state.slot, image)) is Outcome.CONFIRMED


@pytest.mark.parametrize("number", [1, 2, 9], ids=["the same number", "the next number", "a later number"])
def test_resolve_never_rolls_back_a_card_that_moved_on(number):
    """An offline till took the slot since; the torn image may well have the higher number."""
    card = ClassicCard.from_json(issued(UIDS[0]))
    raw = ClassicDriver(laid(card)[1], TILL).read_purse()
    image = spend_image(raw.uid, ME.account_no, State(number, PRICE_FEN, 1), Day(TODAY, PRICE_FEN), KEYS)
    write = slot_write(raw, Side.SPEND, 1, image)
    offline_sale(card)

    assert ClassicDriver(laid(card)[1], TILL).resolve(write) is Outcome.UNKNOWN
    assert shown(card) == {START_FEN - 3_00}


def test_resolve_leaves_a_card_alone_whose_other_slot_moved_on():
    card = ClassicCard.from_json(issued(UIDS[0]))
    write = debit_write(card)
    offline_sale(card)
    offline_sale(card)

    assert ClassicDriver(laid(card)[1], TILL).resolve(write) is Outcome.UNKNOWN
    assert shown(card) == {START_FEN - 6_00}


@pytest.mark.parametrize("act", ["commit", "resolve"])
def test_another_card_is_never_written(act):
    mine, other = ClassicCard.from_json(issued(UIDS[0])), ClassicCard.from_json(issued(UIDS[1]))
    write, before = debit_write(mine), list(other.blocks)

    ended = getattr(ClassicDriver(laid(other)[1], KEYS), act)(write, UIDS[0])

    assert ended is (Outcome.NOT_WRITTEN if act == "commit" else Outcome.UNKNOWN)
    assert other.blocks == before


def test_the_ring_remembers_offline_sales_and_counts_them():
    card = ClassicCard.from_json(issued(UIDS[0]))
    for _ in range(5):
        offline_sale(card, 1_00)

    raw = ClassicDriver(laid(card)[1], KEYS.only(OFFLINE_TILL)).read_purse()
    purse = decode(raw, KEYS)

    assert purse.offline_in_a_row() == 5
    assert sorted(entry.card_seq for entry in purse.ring) == [1, 2, 3, 4, 5]
    assert purse.spend.offline_fen == 5_00


@pytest.mark.parametrize(("seq", "worn"), [(65_534, False), (65_535, True)])
def test_a_card_is_worn_when_its_numbers_are_used_up(seq, worn):
    assert is_worn(State(seq, 0, 0)) is worn


@pytest.mark.parametrize(
    ("day", "spent"), [(date(2026, 11, 23), 4_00), (date(2026, 11, 24), 0), (date(2026, 11, 22), 4_00)]
)
def test_a_clock_set_back_does_not_empty_the_day(day, spent):
    """reliability.md B6."""
    card = ClassicCard.from_json(issued(UIDS[0]))
    offline_sale(card, 4_00)

    assert purse_of(card).spent_on(day) == spent


class Unreliable:
    """A link to cells that take a write without a word and read back wrong, at the reads whose numbers are given."""

    def __init__(self, link, block, wrong_reads):
        self._link, self._block, self._wrong, self._reads = link, block, wrong_reads, 0
        self._written = False

    def __getattr__(self, name):
        return getattr(self._link, name)

    def write(self, block, data):
        self._link.write(block, data)
        self._written = True

    def read(self, block):
        data = self._link.read(block)
        if not self._written or block != self._block:
            return data
        self._reads += 1
        return data[:-1] + bytes([data[-1] ^ 1]) if self._reads in self._wrong else data


@pytest.mark.parametrize(
    ("act", "wrong_reads", "outcome"),
    [
        ("commit", (), Outcome.CONFIRMED),
        ("commit", (1,), Outcome.UNKNOWN),
        ("resolve", (), Outcome.CONFIRMED),
        ("resolve", (1,), Outcome.UNKNOWN),
        ("resolve", (2,), Outcome.UNKNOWN),
        ("resolve", (3,), Outcome.UNKNOWN),
    ],
)
def test_one_beep_if_and_only_if_every_read_back_is_right(act, wrong_reads, outcome):
    """tap-protocol.md: ONE beep if and only if the read-back is right; card.md: resolve() reads several times."""
    card = ClassicCard.from_json(issued(UIDS[0]))
    write = debit_write(card)
    _, link = laid(card)

    ended = getattr(ClassicDriver(Unreliable(link, write.block, wrong_reads), TILL), act)(write)

    assert ended is outcome
