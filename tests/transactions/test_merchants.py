"""Merchants: a contract with a first and a last day, terms that begin on a day to come and stay as they were (M01)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.actors import Actor
from accounts.models import AuditEvent, Campus
from tests.campus import make_campus
from transactions import merchants as read
from transactions.days import SHANGHAI
from transactions.merchants import in_force
from transactions.models import Merchant, MerchantTerms
from transactions.services import merchants
from transactions.services.merchants import Details, NewTerms, NotChanged, Why

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=SHANGHAI)
TODAY = NOW.date()
DAY = timedelta(days=1)
ACTOR = Actor.operator(1, role="admin", channel="counter")


def terms(on=TODAY, bp=60, **more) -> NewTerms:
    return NewTerms(
        **{"key": uuid4(), "effective_on": on, "fee_bp": bp, "settlement": "monthly", "reason": "合同"} | more
    )


@pytest.fixture
def details(db) -> Details:
    return Details(
        "学子餐厅", "Xuezi Canteen", make_campus()[0].pk, "canteen", "HT-2026-17", TODAY, TODAY + 365 * DAY
    )


@pytest.fixture
def shop(details) -> int:
    return merchants.register(details, terms(), actor=ACTOR, now=NOW)


def refused(why: Why, deed, *args, **kwargs) -> None:
    with pytest.raises(NotChanged) as caught, transaction.atomic():
        deed(*args, **kwargs)
    assert caught.value.why is why


def test_a_merchant_comes_with_its_contract_and_first_terms_once(details):
    first = terms()
    ids = {merchants.register(details, first, actor=ACTOR, now=NOW) for _ in range(2)}

    found = read.merchant(ids.pop())
    assert (found.name_zh, found.contract_no, found.terms_on(TODAY).fee_percent) == (
        "学子餐厅",
        "HT-2026-17",
        "0.60",
    )
    assert Merchant.objects.filter(name_zh="学子餐厅").count() == 1
    assert AuditEvent.objects.filter(action="merchant.register").count() == 1
    refused(Why.KEY_REUSED, merchants.register, replace(details, name_zh="别家"), first, actor=ACTOR, now=NOW)


@pytest.mark.parametrize(
    ("day", "runs"), [(-1, False), (0, True), (365, True), (366, False)],
    ids=["the day before", "the first day", "the last day", "the day after"],
)  # fmt: skip
def test_a_contract_runs_from_its_first_to_its_last_day(shop, day, runs):
    """R034: both sides of both days."""
    assert read.merchant(shop).has_contract(TODAY + day * DAY) is runs


def test_a_contract_without_an_end_runs_on_and_one_without_a_beginning_never():
    assert in_force(TODAY, None, on=date(2099, 1, 1))
    assert not in_force(None, None, on=TODAY)


def test_terms_hold_from_their_day_on_and_the_past_stays_as_it_was(shop):
    merchants.set_terms(shop, terms(TODAY + 8 * DAY, 80, settlement="weekly"), actor=ACTOR, now=NOW)
    merchants.set_terms(shop, terms(TODAY + 8 * DAY, 90), actor=ACTOR, now=NOW)

    found = read.merchant(shop)
    assert [found.terms_on(TODAY + day * DAY).fee_bp for day in (0, 7, 8, 99)] == [60, 60, 90, 90]
    assert found.terms_on(TODAY - DAY) is None


@pytest.mark.parametrize(("ahead", "taken"), [(-1, False), (0, False), (1, True)])
def test_other_terms_begin_tomorrow_at_the_earliest(shop, ahead, taken):
    new = terms(TODAY + ahead * DAY, 80)
    if taken:
        for _ in range(2):
            merchants.set_terms(shop, new, actor=ACTOR, now=NOW)
        assert MerchantTerms.objects.count() == 2
    else:
        refused(Why.IN_THE_PAST, merchants.set_terms, shop, new, actor=ACTOR, now=NOW)


@pytest.mark.parametrize(("ahead", "taken"), [(-1, False), (0, True)])
def test_a_contract_ends_today_at_the_earliest(details, ahead, taken):
    details = replace(details, contract_from=TODAY - 30 * DAY)
    shop = merchants.register(details, terms(), actor=ACTOR, now=NOW)
    order = {"reason": "停业", "actor": ACTOR, "now": NOW}
    ended = replace(details, contract_until=TODAY + ahead * DAY)
    if taken:
        assert merchants.describe(shop, ended, **order)
        assert not merchants.describe(shop, ended, **order)
        line = AuditEvent.objects.get(action="merchant.describe")
        assert line.after == {"contract_until": TODAY.isoformat()}
    else:
        refused(Why.IN_THE_PAST, merchants.describe, shop, ended, **order)


def test_a_contract_that_is_over_does_not_stand_in_the_way_of_a_new_name(details):
    details = replace(details, contract_from=TODAY - 30 * DAY, contract_until=TODAY - DAY)
    shop = merchants.register(details, terms(), actor=ACTOR, now=NOW)

    assert merchants.describe(shop, replace(details, name_en="Old"), reason="更名", actor=ACTOR, now=NOW)


def test_refusals_write_nothing(shop, details):
    before = AuditEvent.objects.count()
    backwards = replace(details, contract_until=TODAY - DAY)
    refused(Why.CONTRACT_ORDER, merchants.register, backwards, terms(), actor=ACTOR, now=NOW)
    refused(Why.CONTRACT_ORDER, merchants.describe, shop, backwards, reason="x", actor=ACTOR, now=NOW)
    refused(
        Why.NO_REASON,
        merchants.describe,
        shop,
        replace(details, name_zh="新"),
        reason=" ",
        actor=ACTOR,
        now=NOW,
    )
    refused(Why.NO_REASON, merchants.set_terms, shop, terms(TODAY + DAY, reason=" "), actor=ACTOR, now=NOW)

    assert (AuditEvent.objects.count(), Merchant.objects.count(), MerchantTerms.objects.count()) == (
        before,
        2,
        1,
    )


def test_the_campus_of_a_merchant_stays(shop, details):
    other = Campus.objects.create(code="yushan", name_zh="鱼山校区", name_en="Yushan").pk

    assert not merchants.describe(shop, replace(details, campus_id=other), reason="x", actor=ACTOR, now=NOW)


@pytest.mark.parametrize("sql", [
    "UPDATE transactions_merchantterms SET fee_bp = 0", "DELETE FROM transactions_merchantterms",
    "TRUNCATE transactions_merchantterms",
])  # fmt: skip
def test_terms_are_not_rewritten(shop, sql):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize(
    "wrong", [{"fee_bp": -1}, {"fee_bp": 1001}, {"settlement": "never"}, {"effective_on": TODAY - DAY}]
)
def test_the_database_knows_the_bounds_too(shop, wrong):
    row = {
        "effective_on": TODAY,
        "fee_bp": 1000,
        "settlement": "daily",
        "set_at": NOW,
        "set_by": "operator:1",
        "reason": "x",
    }
    MerchantTerms.objects.create(merchant_id=shop, key=uuid4(), **row)
    with pytest.raises(IntegrityError), transaction.atomic():
        MerchantTerms.objects.create(merchant_id=shop, key=uuid4(), **row | wrong)
