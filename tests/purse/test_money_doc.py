"""docs/money.md explains the difference between card and book by an example; here the book lives through it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from purse.evidence import Leg, SideMirror, State, observe, open_items, prove, tell, with_told
from purse.policy import Policy
from purse.rules import DebitFacts, Refusal, Standing, refuse_debit

TEXT = (Path(__file__).parents[2] / "docs" / "money.md").read_text(encoding="utf-8")
YUAN = r" ([\d.]+) \|"
ROW = re.compile(rf"^\| .+? \| (\d+),{YUAN}{YUAN * 4} \**(−?[\d.]+)\** \|$", re.MULTILINE)
LOADED = State(1, 100_00, 0)


def fen(yuan: str) -> int:
    return round(float(yuan.replace("−", "-")) * 100)


def row(spend: SideMirror, book_fen: int) -> tuple[int, ...]:
    """One line of the table: sequence and total on the card, card, book, torn, offline, card − book."""
    items = open_items(spend=spend, load=SideMirror(LOADED, LOADED), book_fen=book_fen, late_fen=0)
    card_fen = LOADED.total_fen - spend.shown.total_fen
    shown = spend.shown.seq, spend.shown.total_fen
    assert (items.unwritten_fen, items.late_fen) == (0, 0)
    return *shown, card_fen, book_fen, items.torn_fen, items.offline_fen, card_fen - book_fen


def test_the_worked_example_is_what_the_book_sees():
    """指南 L101: 如数据库余额、卡片余额为2.4元，消费1.3元 …… 数据库中的余额为1.1元，卡片中仍然余额为2.4元。"""
    state = State(36, 97_60, 0)
    card = SideMirror(state, state)
    seen = [row(card, 2_40)]

    image = tell(card, fen=1_30)
    card = with_told(card, image, Leg(501, image.seq, 1_30, 7, 1))
    seen.append(row(card, 1_10))

    card = observe(card, state)
    facts = DebitFacts(
        Standing(), amount_fen=2_00, card_fen=1_10, book_fen=1_10, spent_today_fen=0, limit_fen=50_00
    )
    assert refuse_debit(facts, Policy()) is Refusal.INSUFFICIENT
    healed = tell(card, fen=0)
    card = observe(with_told(card, healed), healed)
    seen.append(row(card, 1_10))

    offline = State(healed.seq + 1, healed.total_fen + 50, 1 - healed.slot, offline_fen=50)
    card = observe(card, offline)
    seen.append(row(card, 1_10))

    card = prove(card, offline)
    seen.append(row(card, 60))

    told = [(int(line[0]), *map(fen, line[1:])) for line in ROW.findall(TEXT)]
    assert seen == told


@pytest.mark.parametrize("line", ROW.findall(TEXT), ids=lambda line: line[0])
def test_every_line_of_the_table_adds_up(line):
    _, spent, card, book, torn, offline, difference = line

    assert fen("100.00") - fen(spent) == fen(card)
    assert fen(card) - fen(book) == fen(torn) - fen(offline) == fen(difference)
