"""Which six digits may become a password."""

from __future__ import annotations

import pytest

from accounts.checks import Rejected
from accounts.checks.pins import PinFacts, common_pin_reason, parse_pin, weak_password_reason
from tests import faults

NOBODY = PinFacts()


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "12345",
        "1234567",
        "12a456",
        "123456\n",
        "１２３４５６",
        "٣٤٥٦٧٨",
        "123\x00456",
        " 123456",
        "123456 ",
        "²³⁴⁵⁶⁷",
        "1" * 10000000,
        None,
        123456,
        b"123456",
    ],
    ids=lambda typed: repr(typed)[:20],
)
def test_only_six_half_width_digits_are_a_password(typed):
    """reliability.md section 7, items 21-26 and 32."""
    with pytest.raises(Rejected, match="6 位半角数字"):
        parse_pin(typed)


def test_six_digits_are_taken_as_they_are():
    assert parse_pin("012345") == "012345"


@pytest.mark.parametrize(
    ("pin", "words"),
    [
        ("111111", "太少"),
        ("121212", "太少"),
        ("777877", "太少"),
        ("483483", "规律"),
        ("448833", "规律"),
        ("483384", "规律"),
        ("123456", "规律"),
        ("987654", "规律"),
        ("890123", "规律"),
        ("135791", "规律"),
        ("520131", "常用"),
        ("159753", "常用"),
        ("789456", "常用"),
        ("147258", "常用"),
        ("040917", "日期"),
        ("170904", "日期"),
        ("091704", "日期"),
        ("200409", "日期"),
        ("092004", "日期"),
        ("000229", "日期"),
    ],
)
def test_common_passwords_are_refused(pin, words):
    assert words in str(common_pin_reason(pin))


@pytest.mark.parametrize(
    ("pin", "refused"),
    [
        ("194001", True),
        ("193901", False),
        ("203012", True),
        ("203112", False),
        ("204512", False),
        ("300412", True),
        ("310230", False),
        ("408273", False),
    ],
)
def test_dates_of_1940_to_2030_are_refused_and_no_others(pin, refused):
    assert (common_pin_reason(pin) is not None) is refused


def test_numbers_around_the_holder_are_refused_in_every_window():
    number = "370202200409170114"
    facts = PinFacts(default="170114", numbers=(number, "20230086421"))

    windows = [number[i : i + 6] for i in range(13)] + ["008642", "086421"]

    assert all(weak_password_reason(pin, facts) is not None for pin in windows)
    assert "初始密码" in str(weak_password_reason("170114", facts))
    assert weak_password_reason("086422", facts) is None
    assert weak_password_reason("086421", NOBODY) is None


def test_the_facts_do_not_show_themselves():
    assert "170114" not in repr(PinFacts(default="170114", numbers=("370202200409170114",)))


def test_the_share_of_refused_values_is_what_the_design_says():
    """security.md section 4: 81,678 values, 8.2 % of a million; about a tenth is the good size."""
    refused = sum(common_pin_reason(f"{value:06d}") is not None for value in range(1_000_000))

    faults.report("WEAKLIST", 1_000_000, 0 if refused == 81_678 else 1)
    assert refused == 81_678
