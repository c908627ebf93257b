"""The bank card at the counter: document and bank card in hand, masked on every screen (C06)."""

from __future__ import annotations

import pytest
from django.test import override_settings

from accounts.models import CounterDeed
from banking.models import Binding
from tests.banking.test_bindings import number
from tests.counter import people
from tests.counter.pages import browser_of, plain, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def bins():
    with override_settings(BANK_CARD_BINS=["999999"]):
        yield


@pytest.fixture
def web(db):
    return browser_of(people.clerk())


def test_bound_changed_and_ended(web):
    book = people.comes()

    first = people.do(web, "bank-card", book, number=number(1))
    second = people.do(web, "bank-card", book, number=number(2))
    shown = plain(web.get(f"/counter/accounts/{book.account.pk}/"))
    ended = people.do(web, "unbind", book)

    tails = [f"9999 **** **** {number(n)[-4:]}" for n in (1, 2)]
    assert tails[0] in plain(web.get(first.url))
    assert tails[0] in plain(web.get(second.url))
    assert tails[1] in shown
    assert "银行卡解约已办理" in plain(web.get(ended.url))
    assert [row.state for row in Binding.objects.order_by("pk")] == ["ended", "ended"]
    assert [row.kind for row in CounterDeed.objects.order_by("made_at")] == ["bind", "bind", "unbind"]


def test_the_whole_number_is_on_no_page(web):
    book = people.comes()
    answers = [people.do(web, "bank-card", book, number=number(3), tail="0000")]
    answers.append(people.do(web, "bank-card", book, number=number(3)))
    pages = [
        f"/counter/accounts/{book.account.pk}/{path}" for path in ("", "bank-card/", "unbind/", "history/")
    ]
    answers += [web.get(page) for page in pages]
    answers.append(web.get(answers[1].url))

    kept = [text_of(answer) for answer in answers[1:]]
    assert not any(number(3) in page for page in kept)
    assert number(3)[-4:] in kept[1]


@pytest.mark.parametrize(
    "typed", ["", "1234", "9999990000000000001", "6217000010000000017", "９９９９", "x" * 41, "9999\x00"]
)
def test_what_is_no_savings_card_is_said_at_its_field(web, typed):
    book = people.comes()

    answer = people.do(web, "bank-card", book, number=typed)

    assert answer.status_code == 400
    assert "银行卡" in plain(answer) or "储蓄卡" in plain(answer)
    assert not Binding.objects.exists()


def test_a_taken_card_does_not_say_whose(web):
    first, second = people.comes("甲某某"), people.comes()
    people.do(web, "bank-card", first, number=number(1))

    answer = people.do(web, "bank-card", second, number=number(1))

    assert answer.status_code == 409
    assert "这张银行卡已绑定另一个账户" in plain(answer)
    assert str(first.account.number) not in plain(answer)
