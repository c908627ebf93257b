"""Identity numbers: what is accepted, what is refused and why, and the initial password that follows."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.checks import Rejected
from accounts.checks.idnumber import check_character, default_pin, parse_document_number, parse_id_number

TODAY = date(2026, 11, 23)


def numbered(first17: str) -> str:
    return first17 + check_character(first17)


@pytest.mark.parametrize(
    ("number", "pin"),
    [
        ("370202200409170114", "170114"),
        ("37020220040917123X", "917123"),
        ("37020220040917123x", "917123"),
        ("44030520040229028X", "229028"),
        ("37021219990101123X", "101123"),
        ("37021219990101123x", "101123"),
        ("370212199901011234", "011234"),
        ("370212990101123", "101123"),
    ],
)
def test_the_initial_password_is_the_last_six_digits_without_x(number, pin):
    """指南: 初始密码为身份证号码的后六位（末位为 x 的去掉 x）。"""
    assert default_pin(number) == pin


@pytest.mark.parametrize(
    "number", ["", "12345", "E12345678", "H12345678", "USA110080010113", "3702122004", "X"]
)
def test_a_document_that_is_not_in_citizen_form_has_no_initial_password(number):
    assert default_pin(number) is None


@pytest.mark.parametrize(("x_as", "pin"), [("1", "171231"), ("0", "171230")])
def test_another_school_may_write_a_digit_for_the_x(x_as, pin):
    assert default_pin("37020220040917123X", x_as=x_as) == pin


@pytest.mark.parametrize(
    "number",
    [
        "370202200409170114",
        "37020220040917123X",
        "44030520040229028X",
        "11010519491231002X",
        numbered("81000019950131003"),
        numbered("82000020010101101"),
        numbered("83000019881111222"),
        numbered("91115619800101007"),
    ],
    ids=[
        "mainland",
        "X",
        "leap day",
        "standard's example",
        "Hong Kong",
        "Macau",
        "Taiwan",
        "permanent residence",
    ],
)
def test_numbers_in_citizen_form_are_accepted(number):
    accepted = parse_id_number(number, today=TODAY)

    assert accepted.number == number
    assert accepted.warning == ""


def test_a_small_x_is_written_large():
    assert parse_id_number("37020220040917123x", today=TODAY).number == "37020220040917123X"


def test_the_old_permanent_residence_number_is_accepted():
    assert parse_id_number("USA110080010113", today=TODAY).permanent


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("37020220040917011", "18 位"),
        ("3702022004091701145", "18 位"),
        ("", "18 位"),
        ("370202200409170115", "校验位"),
        ("37020220040917123Ｘ", "半角"),
        ("37020220040917123Х", "半角"),
        ("37020220040917123Ⅹ", "半角"),
        ("３７０２０２２００４０９１７０１１４", "半角"),
        ("٣٧٠٢٠٢٢٠٠٤٠٩١٧٠١١٤", "半角"),
        (numbered("37020220040230011"), "出生日期不存在"),
        (numbered("37020220041317011"), "出生日期不存在"),
        (numbered("37020220270101011"), "出生日期不合理"),
        (numbered("37020218991231011"), "出生日期不合理"),
        ("370212990101123", "15 位旧号码"),
        ("370202 20040917 0114", "18 位"),
        ("3702-0220-0409-17-0114", "18 位"),
        ("000000000000000000", "顺序码"),
        (numbered("37020220040917000"), "顺序码"),
        ("3.70202E+17", "科学计数法"),
        ("3.7E17", "科学计数法"),
        ("37020220040917011\n", "末位"),
        ("37020220040917011\x00", "末位"),
        ("A70202200409170114", "17 位应为数字"),
        ("1" * 100_000, "18 位"),
        (370202200409170114, "文字"),
    ],
)
def test_each_wrong_number_is_refused_with_its_reason(number, words):
    """reliability.md section 7, items 34-43 and 75."""
    with pytest.raises(Rejected, match=words) as refusal:
        parse_id_number(number, today=TODAY)

    assert not str(number) or str(number) not in repr(refusal.value)


@pytest.mark.parametrize(("born", "accepted"), [("20261123", True), ("20261124", False), ("19000101", True)])
def test_birth_today_is_possible_and_birth_tomorrow_is_not(born, accepted):
    number = numbered(f"370202{born}011")

    if accepted:
        assert parse_id_number(number, today=TODAY).number == number
    else:
        with pytest.raises(Rejected):
            parse_id_number(number, today=TODAY)


def test_an_import_file_may_hold_spaces_and_hyphens():
    assert parse_id_number("370202 20040917-0114", today=TODAY, lenient=True).number == "370202200409170114"


def test_an_unknown_region_is_accepted_with_a_warning():
    accepted = parse_id_number(numbered("99020220040917011"), today=TODAY)

    assert "地区代码" in str(accepted.warning)


@given(st.integers(0, 16), st.integers(1, 9))
def test_every_single_wrong_digit_is_noticed(place, shift):
    number = "370202200409170114"
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]

    with pytest.raises(Rejected):
        parse_id_number(wrong, today=TODAY)


def test_a_number_does_not_show_itself():
    assert "3702" not in repr(parse_id_number("370202200409170114", today=TODAY))


@pytest.mark.parametrize("number", ["H12345678", "m1234567890", "12345678", "1234567890"])
def test_travel_permits_are_accepted(number):
    assert parse_document_number(number, passport=False) == number.upper()


@pytest.mark.parametrize("number", ["", "H1234567", "Z12345678", "Ｈ12345678", "H12345678\n"])
def test_other_permits_are_refused(number):
    with pytest.raises(Rejected, match="通行证"):
        parse_document_number(number, passport=False)


@pytest.mark.parametrize("number", ["E12345678", "g00000000", "AB1234567"])
def test_passports_are_accepted(number):
    assert parse_document_number(number, passport=True) == number.upper()


@pytest.mark.parametrize("number", ["", "ABCDEFGH", "1234", "E 1234567", "E12345678901234"])
def test_other_passport_numbers_are_refused(number):
    with pytest.raises(Rejected, match="护照"):
        parse_document_number(number, passport=True)
