"""The measuring of the holder's pages: every page is really seen, and nothing of it stays."""

from __future__ import annotations

from django.contrib.sessions.models import Session

from accounts.models import Account, Secret
from ecard.bench import portal
from tests.campus import make_person
from tests.portal.conftest import give_pin
from transactions.models import Entry


def test_every_page_is_seen_by_holders_with_initial_passwords_and_nothing_stays(transactional_db):
    for _ in range(3):
        give_pin(make_person(10_00).account, is_default=True)

    found = {row["path"]: row for row in portal.rows(portal.measure(3))}

    assert set(found) == {f"portal {page}" for page in portal.PAGES}
    assert all(1 <= row["visits"] <= 3 and 0 < row["p50_ms"] <= row["p95_ms"] for row in found.values())
    assert all(3 <= row["statements"] <= 12 for row in found.values())
    assert not Session.objects.exists()
    assert not Secret.objects.filter(is_default=False).exists()


def test_the_long_statement_is_seen_page_by_page_and_nothing_of_it_stays(transactional_db):
    make_person(10_00)
    before = Account.objects.count(), Entry.objects.count()

    found = list(portal.rows(portal.measure_long(4, movements=100)))

    assert len(found) == 4
    assert all(row["path"].startswith("portal /me/statement/") and row["visits"] == 3 for row in found)
    assert all(row["cpu_ms"] > 0 and 3 <= row["statements"] <= 10 for row in found)
    assert (Account.objects.count(), Entry.objects.count()) == before
