"""The difference between card and book in words: the arithmetic on the screen always comes out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import AccountLife
from accounts.status import WORDS, Shown, Status
from portal.words import difference, status_chip
from purse.evidence import OpenItems

fen = st.integers(0, 100_00)


def account(book_fen: int, *, frozen_at: object = None, status: Status = Status.NORMAL) -> SimpleNamespace:
    return SimpleNamespace(book_fen=book_fen, frozen_at=frozen_at, shown=Shown(status), life=AccountLife.OPEN)


def card(card_fen: int) -> SimpleNamespace:
    return SimpleNamespace(card_fen=card_fen)


@given(
    book=st.integers(-100_00, 1_000_00),
    torn=fen,
    unwritten=fen,
    offline=st.integers(-100_00, 100_00),
    late=fen,
)
def test_the_steps_lead_from_the_book_to_the_card(book, torn, unwritten, offline, late):
    """Invariant C2: card - book = torn - unwritten - offline + late."""
    holds = book + torn - unwritten - offline + late
    items = OpenItems(torn_fen=torn, unwritten_fen=unwritten, offline_fen=offline, late_fen=late)

    told = difference(account(book), card(holds), items)

    if told is None:
        assert (torn, unwritten, offline, late) == (0, 0, 0, 0)
    else:
        assert told.book_fen + sum(step.fen for step in told.steps) == told.card_fen
        assert told.gap_fen == abs(holds - book)
        assert all(step.fen for step in told.steps)


@pytest.mark.parametrize(
    ("items", "words", "fen"),
    [
        (OpenItems(1_30, 0, 0, 0), "拿卡过快，卡上尚未扣款", 1_30),
        (OpenItems(0, 50_00, 0, 0), "已入账，尚未写到卡上", -50_00),
        (OpenItems(0, 0, 10_00, 0), "脱机消费，流水尚未上传", -10_00),
        (OpenItems(0, 0, -52_00, 0), "卡片比记录多出，原因待查", 52_00),
        (OpenItems(0, 0, 0, 10_00), "平账后又收到的脱机流水，账户重复扣除", 10_00),
    ],
    ids=["torn", "unwritten", "offline", "excess", "late"],
)
def test_every_cause_has_its_words(items, words, fen):
    told = difference(account(100_00), card(100_00 + fen), items)

    assert [(step.word, step.fen) for step in told.steps] == [(words, fen)]
    assert told.steps[0].remedy


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_word_and_a_picture(status):
    chip = status_chip(account(0, status=status))

    assert chip.word == str(WORDS[status])
    assert chip.icon
    assert chip.tone in {"good", "warn", "bad"}
