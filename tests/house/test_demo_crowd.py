"""The big demo campus, with few of its people: a term made up by the database keeps every promise of the books."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from accounts import wiring
from accounts.models import Account, Card, Holder, Secret
from ecard.demo import crowd, places, term
from ecard.demo.people import make_crowd
from purse.policy import Policy
from reconciliation.services.reconcile import RunOrder, reconcile
from reconciliation.services.verify import verify
from transactions.models import Answer, Entry, EntryKind

COUNT = 40


@pytest.fixture
def said(monkeypatch) -> list[str]:
    """A campus with forty people of the crowd, written fifteen at a time."""
    monkeypatch.setattr(term, "AT_ONCE", 15)
    lines: list[str] = []
    moment = timezone.now()
    places.make_merchants(moment)
    crowd.add_crowd(COUNT, number=1, now=moment, secrets=wiring.secrets(), say=lines.append)
    return lines


def story_of(number: int) -> list[tuple[str, int, datetime]]:
    lines = Entry.objects.filter(account__number=number).order_by("seq")
    return list(lines.values_list("kind", "book_change_fen", "occurred_at"))


@pytest.mark.django_db(transaction=True)
def test_a_term_of_the_crowd_keeps_every_promise(said):
    assert Account.objects.count() == Card.objects.count() == Holder.objects.count() == COUNT
    assert Entry.objects.count() == Answer.objects.count() > 100 * COUNT
    assert verify(policy=Policy()).broken == []
    found = reconcile(RunOrder(now=timezone.now())).to_json()
    assert found["compared"] == COUNT
    assert not any(found["frozen"].values())
    assert not any(found["cases_opened"].values())


@pytest.mark.django_db(transaction=True)
def test_money_is_put_in_before_it_would_run_out_and_not_before(said):
    for account in Account.objects.all():
        lines = list(Entry.objects.filter(account=account).order_by("seq"))
        assert min(line.book_after_fen for line in lines) >= 0
        for before, load, sale in zip(lines, lines[1:], lines[2:], strict=False):
            if load.book_change_fen > 0:
                assert before.book_after_fen + sale.book_change_fen < 0
                assert before.occurred_at < load.occurred_at < sale.occurred_at
        assert account.opened_at == lines[0].occurred_at
        assert {line.kind for line in lines} <= {EntryKind.PURCHASE, EntryKind.TOP_UP, EntryKind.BANK_LOAD}


@pytest.mark.django_db(transaction=True)
def test_a_term_is_a_term_long_and_progress_is_told(said):
    first = story_of(crowd.FIRST_NO)
    days = {at.date() for _, _, at in first}

    assert timedelta(days=100) < max(days) - min(days) <= timedelta(days=term.DAYS + 1)
    assert [line.split()[-2] for line in said if "%" in line] == ["15/40", "30/40", "40/40"]
    assert Secret.objects.filter(is_default=False).count() == 0


def test_thirty_thousand_people_have_numbers_of_their_own():
    people = make_crowd(30_400, first_no=crowd.FIRST_NO, chance=random.Random("x"))

    assert len({person.school_no for person in people}) == len(people)
    numbers = [person.id_number for person in people if person.id_number]
    assert len(set(numbers)) == len(numbers) > 29_000
    assert people[-1].account_no == 60_400


@pytest.mark.django_db(transaction=True)
def test_only_an_empty_database_is_filled(said):
    with pytest.raises(CommandError, match="未作任何改动"):
        call_command("seed_demo", "--size", "ouc", stdout=StringIO())
    assert json.dumps(said, ensure_ascii=False).count("个账户") == 3
