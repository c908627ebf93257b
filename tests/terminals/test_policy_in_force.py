"""A number that the university sets reaches the till by its heartbeat and judges its sales from its very moment on."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import wiring
from accounts.models import PolicyChange
from tests.campus import NOON
from tests.terminals.test_contracts import sale
from transactions.models import Entry, EntryKind

pytestmark = pytest.mark.django_db(transaction=True)
MOMENT = NOON + timedelta(minutes=2)


@pytest.fixture
def lowered(box, monkeypatch):
    """From two minutes on a purchase may come to 5.00 at most."""
    monkeypatch.setattr(wiring, "now", lambda: box.server.now)
    wiring.forget_policy()
    PolicyChange.objects.create(
        key=uuid4(), name="sale_max_fen", value=5_00, effective_at=MOMENT, set_at=NOON, set_by="operator:1",
        agreed_by="operator:2", reason="x",
    )  # fmt: skip
    yield box
    wiring.forget_policy()


@pytest.mark.parametrize(("after_ms", "told_fen"), [(-1, 500_00), (0, 5_00)])
def test_the_heartbeat_tells_the_till_from_the_moment_on(lowered, after_ms, told_fen):
    lowered.server.now = MOMENT + timedelta(milliseconds=after_ms)

    assert lowered.heartbeat().body["policy"]["sale_max_fen"] == told_fen


@pytest.mark.parametrize(
    ("after_ms", "fen", "sold"), [(-1, 5_01, True), (0, 5_01, False), (0, 5_00, True)],
    ids=["before the moment", "above it from the moment on", "exactly it"],
)  # fmt: skip
def test_a_sale_is_judged_by_the_number_of_its_moment(lowered, after_ms, fen, sold):
    lowered.server.now = MOMENT + timedelta(milliseconds=after_ms)

    reply, _ = sale(lowered, fen)

    assert (reply.body["refusal"] is None) is sold
    assert Entry.objects.filter(kind=EntryKind.PURCHASE).count() == int(sold)


def test_a_sale_asks_nothing_for_its_policy(lowered):
    sale(lowered, 1_00)

    with CaptureQueriesContext(connection) as asked:
        for _ in range(3):
            assert lowered.heartbeat().status == 200
    assert not [query for query in asked.captured_queries if "policychange" in query["sql"]]
