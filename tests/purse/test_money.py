"""Amounts as people type them and as machines send them (reliability.md section 7, items 1 to 17)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purse.money import MAX_AMOUNT_FEN, AmountError, fen_from_json, parse_yuan, yuan


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "请输入金额"),
        ("   ", "请输入金额"),
        ("\u3000", "请输入金额"),
        ("0", "金额必须大于 0"),
        ("0.00", "金额必须大于 0"),
        ("0.001", "金额最多两位小数"),
        ("1.005", "金额最多两位小数"),
        ("100000.01", "金额超过系统上限 100000.00 元"),
        ("1" * 41, "金额过长，请重新输入"),
    ],
)
def test_a_refused_amount_says_why(typed, sentence):
    with pytest.raises(AmountError) as refused:
        parse_yuan(typed)

    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    "typed",
    [
        "-5", "-0", "1e2", "1_0", "+5", "0x10", "NaN", "Infinity", "sNaN", "1,000", "1，000", "٣", "०५", "²", "½", "1.",
        ".5", "1..2", "1.2.3", "12元", "￥12", "1 2", "1\n2", "12\x00", "1000000", "1" * 40, "①", "Ⅷ", "十",
    ],
)  # fmt: skip
def test_money_in_strange_dress_is_refused(typed):
    with pytest.raises(AmountError):
        parse_yuan(typed)


@pytest.mark.parametrize(
    ("typed", "fen"),
    [
        ("1", 1_00), ("500", 500_00), ("0.01", 1), ("12.5", 12_50), ("12.50", 12_50), (" 3 ", 3_00), ("3\n", 3_00),
        ("１２", 12_00), ("１２．５０", 12_50), ("\u300012", 12_00), ("007", 7_00), ("99999.99", 99_999_99),
        ("100000", 100_000_00),
    ],
)  # fmt: skip
def test_an_amount_of_a_form_is_understood(typed, fen):
    """Full-width digits come from a Chinese input method, so forms understand them."""
    assert parse_yuan(typed) == fen


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        "100",
        "１２",
        1.0,
        1.10,
        None,
        [],
        {},
        [1],
        0,
        -1,
        MAX_AMOUNT_FEN + 1,
        10**400,
        float("nan"),
        b"1",
    ],
    ids=repr,
)
def test_a_machine_may_send_only_whole_fen_in_range(value):
    with pytest.raises(AmountError):
        fen_from_json(value)


@pytest.mark.parametrize("fen", [1, MAX_AMOUNT_FEN])
def test_a_machine_may_send_both_ends_of_the_range(fen):
    assert fen_from_json(fen) == fen


@given(st.integers(1, MAX_AMOUNT_FEN))
def test_what_is_shown_can_be_typed_again(fen):
    assert parse_yuan(yuan(fen)) == fen


@given(st.text(max_size=12))
def test_any_text_is_an_amount_or_a_sentence(text):
    try:
        understood = parse_yuan(text)
    except AmountError as refused:
        understood = str(refused)

    assert understood if isinstance(understood, str) else 0 < understood <= MAX_AMOUNT_FEN


@pytest.mark.parametrize(
    ("fen", "shown"), [(-1, "-0.01"), (0, "0.00"), (1, "0.01"), (1_10, "1.10"), (-2_40, "-2.40")]
)
def test_fen_are_shown_as_yuan(fen, shown):
    assert yuan(fen) == shown
