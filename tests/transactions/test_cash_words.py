"""Amounts in capitals after 支付结算办法 附一, and receipts as bytes for a thermal printer."""

from __future__ import annotations

import pytest

from purse.capitals import MAX_FEN, capitals
from transactions.services.escpos import Align, Line, Paper, columns, printed


@pytest.mark.parametrize(
    ("fen", "said"),
    [
        (1_409_50, "壹仟肆佰零玖元伍角整"),
        (6_007_14, "陆仟零柒元壹角肆分"),
        (1_680_32, "壹仟陆佰捌拾元零叁角贰分"),
        (107_000_53, "壹拾万柒仟元零伍角叁分"),
        (16_409_02, "壹万陆仟肆佰零玖元零贰分"),
        (325_04, "叁佰贰拾伍元零肆分"),
    ],
)
def test_the_examples_of_the_regulation(fen, said):
    assert capitals(fen) == said


@pytest.mark.parametrize(
    ("fen", "said"),
    [
        (0, "零元整"), (1, "壹分"), (9, "玖分"), (10, "壹角整"), (11, "壹角壹分"), (99, "玖角玖分"),
        (1_00, "壹元整"), (1_01, "壹元零壹分"), (1_10, "壹元壹角整"), (10_00, "壹拾元整"), (10_10, "壹拾元零壹角整"),
        (11_00, "壹拾壹元整"), (20_05, "贰拾元零伍分"), (100_00, "壹佰元整"), (101_00, "壹佰零壹元整"),
        (110_00, "壹佰壹拾元整"), (500_00, "伍佰元整"), (500_01, "伍佰元零壹分"), (999_99, "玖佰玖拾玖元玖角玖分"),
        (1_000_00, "壹仟元整"), (1_001_00, "壹仟零壹元整"), (1_010_00, "壹仟零壹拾元整"), (1_100_00, "壹仟壹佰元整"),
        (10_000_00, "壹万元整"), (10_001_00, "壹万零壹元整"), (10_100_00, "壹万零壹佰元整"), (100_000_00, "壹拾万元整"),
        (100_010_00, "壹拾万零壹拾元整"), (10_000_000_00, "壹仟万元整"), (100_000_000_00, "壹亿元整"),
        (100_000_001_00, "壹亿零壹元整"), (100_010_000_00, "壹亿零壹万元整"), (101_000_000_00, "壹亿零壹佰万元整"),
    ],
)  # fmt: skip
def test_zeros_wherever_they_stand(fen, said):
    assert capitals(fen) == said


_DIGITS = {digit: number for number, digit in enumerate("零壹贰叁肆伍陆柒捌玖")}


def read_back(said: str) -> int:
    """What a person would understand, in fen; written without looking at ``capitals``."""
    fen = whole = section = digit = 0
    for char in said:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in "拾佰仟":
            section, digit = section + digit * {"拾": 10, "佰": 100, "仟": 1000}[char], 0
        elif char in "万亿":
            whole, section, digit = whole + (section + digit) * {"万": 10**4, "亿": 10**8}[char], 0, 0
        elif char == "元":
            fen, section, digit = (whole + section + digit) * 100, 0, 0
        elif char in "角分":
            fen, digit = fen + digit * {"角": 10, "分": 1}[char], 0
    return fen


def test_every_amount_of_a_purse_reads_back_and_is_its_own():
    """All 100,000 amounts up to 1,000.00, and some thousand beyond: no two alike, none with two zeros in a row."""
    amounts = [*range(100_001), *range(100_001, MAX_FEN, 26_378_912_345_671 // 7)]
    said = [capitals(fen) for fen in amounts]

    assert [read_back(words) for words in said] == amounts
    assert len(set(said)) == len(said)
    assert not [words for words in said if "零零" in words or "零元" in words[1:] or words.endswith("零")]


@pytest.mark.parametrize("fen", [-1, MAX_FEN + 1])
def test_beyond_its_bounds_it_says_nothing(fen):
    with pytest.raises(ValueError, match="cannot be written"):
        capitals(fen)


# ------------------------------------------------------------------------------------------------------ ESC/POS


def decoded(data: bytes) -> list[str]:
    """The text of each line without the commands before it."""
    body = data[len(b"\x1b@\x1c&") : -len(b"\x1bd\x04\x1dV\x42\x00")]
    rows = body.split(b"\n")[:-1]
    return [(row[6:] if row.startswith(b"\x1ba") else row).decode("gb18030") for row in rows]


def test_a_receipt_begins_with_a_reset_and_ends_with_a_cut():
    data = printed([Line("现金充值")], Paper.MM80)

    assert data.startswith(b"\x1b@\x1c&")
    assert data.endswith(b"\x1bd\x04\x1dV\x42\x00")
    assert "现金充值".encode("gb18030") in data


@pytest.mark.parametrize("paper", list(Paper))
def test_label_and_value_fill_the_width_exactly(paper):
    rows = decoded(printed([Line("金额", "50.00"), Line("地点", "崂山校区")], paper))

    assert [columns(row) for row in rows] == [int(paper)] * 2
    assert rows[0].startswith("金额 ")
    assert rows[0].endswith(" 50.00")


def test_nothing_is_wider_than_the_paper_and_no_value_is_lost():
    lines = [
        Line("地点", "崂山校区图书馆区B楼网络中心用户接待大厅东侧第二个窗口"),
        Line("请核对并妥善保管；电话挂失时用 5 位帐号。" * 2),
        Line("金额", "1000.00", big=True),
        Line("大写", "玖仟玖佰玖拾玖元玖角玖分"),
    ]
    for paper in Paper:
        rows = decoded(printed(lines, paper))
        joined = "".join(rows).replace(" ", "")
        assert max(columns(row) for row in rows) <= paper
        assert "崂山校区图书馆区B楼网络中心用户接待大厅东侧第二个窗口" in joined
        assert "1000.00" in joined


def test_big_lines_have_half_the_places():
    (row,) = decoded(printed([Line("金额", "50.00", big=True)], Paper.MM58))

    assert columns(row) == 16


def test_alignment_and_size_are_set_for_every_line():
    data = printed([Line("甲", align=Align.CENTRE, big=True), Line("乙")], Paper.MM58)

    assert b"\x1ba\x01\x1d!\x11" + "甲".encode("gb18030") in data
    assert b"\x1ba\x00\x1d!\x00" + "乙".encode("gb18030") in data


@pytest.mark.parametrize("evil", ["\x1b@", "\x1dV\x00", "a\nb", "\x00", "\x1bp\x00"])
def test_no_name_commands_the_printer(evil):
    """A name with ESC or GS would cut the paper or open the drawer."""
    data = printed([Line(evil)], Paper.MM80)[len(b"\x1b@\x1c&") + 6 : -len(b"\n\x1bd\x04\x1dV\x42\x00")]

    assert not [byte for byte in data if byte < 0x20]


def test_rare_characters_do_not_become_four_bytes():
    """𠮷 has no two bytes in GB18030: a printer without that plane would print four wrong signs and lose the line."""
    (row,) = decoded(printed([Line("𠮷田")], Paper.MM80))

    assert row == "〓田"
