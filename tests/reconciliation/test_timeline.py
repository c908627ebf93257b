"""The life of a card in the order of its own counter: gaps where they are, late records where they belong, sums that
come out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from purse.evidence import Leg, SideMirror, State
from reconciliation.mismatch import CardSide
from reconciliation.timeline import Movement, Stand, build, late_entries
from transactions.models import EntryKind, Mode

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


class Story:
    """Movements of one card, with the totals that a till was told."""

    def __init__(self, held: int = 100_00) -> None:
        self.movements: list[Movement] = []
        self.book = self.total = self.spend_seq = self.clock = 0
        self.legs: list[Leg] = []
        self.loaded = held
        self._add(EntryKind.TOP_UP, held, side="load", purse_seq=1)

    def _add(self, kind: EntryKind, fen: int, mode: Mode = Mode.ONLINE, **fields) -> Movement:
        self.book += fen
        self.clock += 1
        at = NOON + timedelta(minutes=self.clock)
        movement = Movement(
            id=1000 + len(self.movements) + 1,
            seq=len(self.movements) + 1,
            kind=kind,
            mode=mode,
            book_change_fen=fen,
            unclaimed_change_fen=0,
            book_after_fen=self.book,
            occurred_at=fields.pop("at", at),
            posted_at=at,
            **fields,
        )
        self.movements.append(movement)
        return movement

    def pay(self, fen: int) -> Movement:
        self.spend_seq = max([self.spend_seq, *(leg.seq for leg in self.legs)]) + 1
        self.total += fen + sum(leg.fen for leg in self.legs)
        self.legs = []
        return self._add(
            EntryKind.PURCHASE, -fen, side="spend", purse_seq=self.spend_seq, told_total_fen=self.total
        )

    def tear(self, fen: int) -> Movement:
        open_fen = sum(leg.fen for leg in self.legs)
        seq = max([self.spend_seq, *(leg.seq for leg in self.legs)]) + 1
        torn = self._add(
            EntryKind.PURCHASE, -fen, side="spend", purse_seq=seq, told_total_fen=self.total + open_fen + fen
        )
        self.legs.append(Leg(torn.seq, seq, fen, 7, 1))
        return torn

    def offline(self, fen: int) -> tuple[int, int, datetime]:
        self.spend_seq += 1
        self.total += fen
        self.clock += 1
        return self.spend_seq, fen, NOON + timedelta(minutes=self.clock)

    def upload(self, sale: tuple[int, int, datetime]) -> Movement:
        seq, fen, at = sale
        return self._add(EntryKind.OFFLINE_SALE, -fen, Mode.OFFLINE, side="spend", purse_seq=seq, at=at)

    def level(self, fen: int) -> Movement:
        return self._add(EntryKind.LEVELLING, -fen, Mode.SERVER, side="spend", purse_seq=self.spend_seq)

    def refund(self, late: Movement) -> Movement:
        return self._add(EntryKind.REFUND, -late.book_change_fen, Mode.SERVER, corrects=late.id)

    @property
    def card(self) -> CardSide:
        shown = State(self.spend_seq, self.total, 0)
        return CardSide(
            id=1,
            spend=SideMirror(shown, shown, legs=tuple(self.legs)),
            load=SideMirror(State(1, self.loaded, 0), State(1, self.loaded, 0)),
            late_fen=0,
            seen_at=NOON + timedelta(days=1),
            seen_place="7号机",
        )

    def lines(self):
        return build(self.movements, self.card)


def told(story: Story) -> list[tuple[str, str, int]]:
    return [(line.stand.value, line.counter, line.fen) for line in story.lines()]


def test_an_ordinary_day():
    story = Story(50_00)
    story.pay(4_50)
    story.pay(11_00)

    assert told(story) == [("both", "", 50_00), ("both", "1", -4_50), ("both", "2", -11_00)]
    assert [line.card_after_fen for line in story.lines()] == [50_00, 45_50, 34_50]


def test_records_that_have_not_come_are_one_gap():
    """screens.md 6.5: 缺 #141-#143,共 23.40 (推算)."""
    story = Story()
    story.pay(1_00)
    for fen in (10_00, 5_40, 8_00):
        story.offline(fen)

    assert told(story)[-1] == ("gap", "2–4", -23_40)


def test_a_gap_between_two_online_sales_stands_between_them():
    story = Story()
    story.pay(1_00)
    story.offline(10_00)
    story.pay(2_00)

    assert [line[:2] for line in told(story)] == [("both", ""), ("both", "1"), ("gap", "2"), ("both", "3")]


def test_a_gap_with_one_record_of_three_here_names_the_others():
    story = Story()
    story.pay(1_00)
    story.offline(10_00)
    middle = story.offline(5_40)
    story.offline(8_00)
    story.upload(middle)

    assert sum(line[2] for line in told(story) if line[0] == "gap") == -18_00
    assert ("both", "3", -5_40) in told(story)


def test_a_torn_sale_is_in_the_book_only():
    """指南 L101."""
    story = Story(2_40)
    story.tear(1_30)

    (_, torn) = story.lines()
    assert torn.stand is Stand.TORN
    assert (torn.book_before_fen, torn.movement.book_after_fen) == (2_40, 1_10)
    assert torn.card_after_fen == 2_40


def test_a_healed_tear_leaves_no_gap():
    story = Story()
    story.tear(1_30)
    story.tear(2_00)
    story.pay(1_00)

    assert {line[0] for line in told(story)} == {"both"}
    assert story.lines()[-1].card_after_fen == 100_00 - 4_30


def test_a_heal_alone_takes_a_number_and_is_no_gap():
    """A refused tap heals too: an image without an entry."""
    story = Story()
    story.pay(1_00)
    story.spend_seq += 1
    story.pay(2_00)

    assert {line[0] for line in told(story)} == {"both"}


def test_levelled_late_and_refunded_stand_where_the_card_says():
    story = Story()
    story.pay(1_00)
    sales = [story.offline(fen) for fen in (10_00, 5_40)]
    assert told(story)[-1][0] == "gap"
    story.level(15_40)
    assert [line[0] for line in told(story) if "gap" in line[0]] == ["levelled_gap"]

    late = [story.upload(sale) for sale in sales]
    assert [line[:2] for line in told(story)[2:4]] == [("late", "2"), ("late", "3")]
    story.refund(late[0])

    assert [line[:2] for line in told(story)[2:4]] == [("refunded", "2"), ("late", "3")]
    assert set(late_entries(story.movements)) == {entry.id for entry in late}


def test_what_came_before_the_levelling_is_not_late():
    story = Story()
    first = story.upload(story.offline(3_00))
    story.offline(4_00)
    story.level(4_00)

    assert late_entries(story.movements) == {}
    assert first.id not in late_entries(story.movements)


def test_without_a_card_there_is_only_the_book():
    story = Story()
    story.pay(1_00)

    lines = build(story.movements, None)

    assert [line.card_after_fen for line in lines] == [None, None]
    assert build((), None) == ()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["pay", "tear", "offline", "upload"]), st.integers(1, 2_000)), max_size=25
    )
)
def test_the_lines_always_come_to_what_the_card_shows(steps):
    """Every history: the card's own column ends at what the card shows, and no line is lost."""
    story, waiting = Story(100_000_00), []
    for what, fen in steps:
        if what == "offline":
            waiting.append(story.offline(fen))
        elif what == "upload":
            if waiting:
                story.upload(waiting.pop(fen % len(waiting)))
        elif what == "tear" and waiting:
            continue  # a torn sale below offline spending heals by its record; see purse.evidence
        else:
            getattr(story, what)(fen)

    lines = story.lines()

    assert lines[-1].card_after_fen == story.card.card_fen
    assert {line.movement.id for line in lines if line.movement} == {each.id for each in story.movements}
    missing = sum(fen for _, fen, _ in waiting)
    assert -sum(line.fen for line in lines if line.movement is None) == missing
    assert all(line.card_before_fen + line.card_change_fen == line.card_after_fen for line in lines)
