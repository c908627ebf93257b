"""Names, free text, identifiers and masks."""

from __future__ import annotations

import pytest

from accounts.checks import Rejected
from accounts.checks.identifiers import (
    AccountNumber,
    SchoolNumber,
    parse_account_number,
    parse_identifier,
    parse_school_number,
)
from accounts.checks.masks import mask_id_number, mask_name, mask_school_no
from accounts.checks.text import parse_name, parse_text


@pytest.mark.parametrize(
    "name",
    [
        "张三",
        "买买提·吐尔逊",
        "𠮷田",
        "𰻝𱁬",
        "O'Brien",
        "<script>alert(1)</script>",
        "{{7*7}}",
        "{% debug %}",
        "'; drop table",
        "=cmd()",
        "字" * 30,
        "字" * 50,
    ],
)
def test_names_are_kept_as_typed(name):
    """Items 48, 50, 51, 53: markup is harmless where everything is escaped."""
    assert parse_name(name) == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("张\x00三", "控制字符"),
        ("张\ud800三", "残缺"),
        ("张\u202e三", "不可见"),
        ("张\u2067三", "不可见"),
        ("张\u200b三", "不可见"),
        ("张\u200d三", "不可见"),
        ("\ufeff张三", "不可见"),
        ("张\u00ad三", "不可见"),
        ("张\ufe0f三", "不可见"),
        ("张\u3164三", "不可见"),
        ("", "请填写姓名"),
        ("   ", "请填写姓名"),
        ("\u3000\u3000", "请填写姓名"),
        ("张三😀", "表情"),
        ("张三☺", "表情"),
        ("张\r\n三", "换行"),
        ("张\t三", "控制字符"),
        ("张\u2028三", "换行"),
        ("张\ue000三", "无法显示"),
        ("张\u0378三", "无法显示"),
        ("字" * 51, "太长"),
        ("字" * 10_000, "太长"),
        (None, "文字"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_names_that_cannot_be_seen_or_stored_are_refused(name, words):
    """reliability.md section 7, items 44-47, 49, 52, 54."""
    with pytest.raises(Rejected, match=words):
        parse_name(name)


def test_two_spellings_of_one_name_are_equal():
    assert parse_name("José") == parse_name("José") == "José"


def test_outer_spaces_are_dropped():
    assert parse_name("\u3000 张 三 ") == "张 三"


def test_free_text_may_hold_emoji_and_lines_where_allowed():
    text = parse_text("谢谢😀\r\n第二行👨‍👩‍👧", field="说明", limit=40, emoji=True, lines=True)

    assert text == "谢谢😀\n第二行👨‍👩‍👧"


@pytest.mark.parametrize(
    "typed",
    ["1234", "123456", "00000", "09999", "１２３４５", "12345 ", " 12345", "12345\n", "1234a", "", None],
)
def test_an_account_number_is_five_digits(typed):
    """指南: 票据上的 5 位数字即为帐号。Item 64."""
    with pytest.raises(Rejected, match="5 位"):
        parse_account_number(typed)


@pytest.mark.parametrize(("typed", "value"), [("10000", 10000), ("99999", 99999)])
def test_account_numbers_start_at_ten_thousand(typed, value):
    assert parse_identifier(typed) == AccountNumber(value)


@pytest.mark.parametrize(
    "typed", ["123", "1" * 21, "2023-01", "２０２３０００１", "2023 001", "", "学号2023", None]
)
def test_other_school_numbers_are_refused(typed):
    with pytest.raises(Rejected, match="学号"):
        parse_school_number(typed)


def test_five_digits_always_mean_the_account_and_no_school_number_may_look_so():
    """Item 65: one fixed rule, so the same digits never mean two things."""
    assert isinstance(parse_identifier("20231"), AccountNumber)
    assert parse_identifier("a2023001") == SchoolNumber("A2023001")
    with pytest.raises(Rejected, match="混淆"):
        parse_school_number("20231")
    with pytest.raises(Rejected):
        parse_identifier("01234")


@pytest.mark.parametrize(
    "number", ["370202200409170114", "37020220040917123X", "USA110080010113", "H12345678", "1234567", "1"]
)
def test_a_mask_never_shows_one_of_the_last_seven_characters(number):
    """The usual mask shows the last four; with the day of birth these are the initial password."""
    shown = mask_id_number(number)

    assert len(shown) == len(number)
    assert set(shown[-7:]) == {"*"}
    assert shown.rstrip("*") == number[: max(0, min(4, len(number) - 7))]


@pytest.mark.parametrize(("name", "shown"), [("张三", "张*"), ("欧阳娜娜", "欧*"), ("𠮷田", "𠮷*"), ("", "")])
def test_a_name_shows_its_first_character(name, shown):
    assert mask_name(name) == shown


@pytest.mark.parametrize(("number", "shown"), [("20230311086", "2023****086"), ("2023001", "20*****")])
def test_a_school_number_shows_its_ends(number, shown):
    assert mask_school_no(number) == shown
