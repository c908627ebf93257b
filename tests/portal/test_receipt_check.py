"""The public check of receipts (R014): number and code say what the paper says; nothing else says anything."""

from __future__ import annotations

import re
import uuid
from statistics import median
from time import perf_counter

import pytest
from django.test import Client

from accounts.wiring import secrets
from portal.views.receipts import TURNS
from purse.policy import Policy
from tests.campus import NOON, make_person
from tests.counter.pages import plain, text_of
from tests.transactions.cash_desk import Till
from transactions.models import Receipt
from transactions.services import cash, receipts
from transactions.services.cash import Fee

pytestmark = pytest.mark.django_db


@pytest.fixture
def receipt(db) -> Receipt:
    till, person = Till(), make_person(50_00)
    fee = Fee(uuid.uuid4(), person.account.pk, 20_00, "补卡工本费", till.operator.pk, shift_id=till.shift.pk)
    return cash.take_fee(fee, actor=till.by.actor, policy=Policy(), now=NOON).receipt


def ask(number: str, code: str, address: str = "10.9.8.7"):
    return Client(REMOTE_ADDR=address).post("/receipt/", {"number": number, "code": code})


def test_the_paper_finds_its_receipt(receipt):
    code = receipts.check_code(receipt, secrets=secrets())

    answer = ask(receipt.number, code)

    assert answer.status_code == 200
    for word in ("此票有效", receipt.number, "¥20.00", "贰拾元整", "一餐厅充值点", "工本费"):
        assert word in plain(answer)
    assert str(receipt.account_number) not in plain(answer)
    assert receipt.holder_masked not in plain(answer)


def test_small_letters_blanks_wide_letters_and_look_alikes_are_understood(receipt):
    code = receipts.check_code(receipt, secrets=secrets())
    wide = "".join(chr(ord(char) + 0xFEE0) for char in code)

    for typed in (
        code.lower(),
        code.replace("-", " "),
        f" {code} ",
        wide,
        code.replace("0", "o").replace("1", "l"),
    ):
        assert ask(receipt.number.lower(), typed).status_code == 200, typed


def test_unknown_number_and_wrong_code_get_one_answer(receipt):
    code = receipts.check_code(receipt, secrets=secrets())
    wrong = ("0" if code[0] != "0" else "1") + code[1:]
    answers = [
        ask(receipt.number, wrong),
        ask("ZZ99-000001", code),
        ask("no number", code),
        ask(receipt.number, "错" * 8),
    ]

    said = {text_of(answer).split('<form class="panel', 1)[0] for answer in answers}
    assert {answer.status_code for answer in answers} == {404}
    assert len({re.sub(r'value="[^"]*"', "", page) for page in said}) == 1
    assert all("查无此票" in plain(answer) for answer in answers)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("", "x"),
        ("LS01-000001", ""),
        ("\x00", "y"),
        ("1" * 5000, "x"),
        ("LS01-1", "9" * 5000),
    ],
)
def test_nonsense_is_4xx(receipt, number, code):
    assert ask(number, code).status_code in (400, 404)


def test_a_guesser_is_stopped(receipt):
    code = receipts.check_code(receipt, secrets=secrets())
    answers = [ask(receipt.number, "0000-0000").status_code for _ in range(TURNS.limit)]

    stopped = ask(receipt.number, code)

    assert set(answers) == {404}
    assert stopped.status_code == 429
    assert "10 分钟后" in plain(stopped)
    assert ask(receipt.number, code, "10.9.8.8").status_code == 200


def test_an_unknown_number_takes_as_long_as_a_wrong_code(receipt):
    """E3's idea for receipts: the time says nothing. Both compute one HMAC and ask one row."""

    def timed(number: tuple[str, int]) -> float:
        begin = perf_counter()
        receipts.checked(number, "0000-0000", secrets=secrets())
        return perf_counter() - begin

    known, unknown = [], []
    for _ in range(60):
        known.append(timed((receipt.series_id, receipt.no)))
        unknown.append(timed(("ZZ99", 1)))

    assert median(unknown) > median(known) * 0.4
    assert median(known) > median(unknown) * 0.4
