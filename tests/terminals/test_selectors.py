"""What screens and reconciliation ask of this room."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from terminals import selectors
from terminals.models import SecurityEvent, SecurityEventKind
from terminals.services import enrolment, holes
from tests.terminals.conftest import ACTOR, Journal, make_box

pytestmark = pytest.mark.django_db(transaction=True)
FIVE_DAYS = timedelta(days=5)


def test_terminals_are_watched_the_longest_silent_first(server):
    quiet, busy, silent = make_box(server), make_box(server), make_box(server)
    quiet.heartbeat()
    server.pass_time(days=2, hours=23)
    busy.heartbeat()

    watched = selectors.watched(now=server.now)

    assert [(each.terminal.id, each.silent_days) for each in watched] == [
        (silent.id, None),
        (quiet.id, 2),
        (busy.id, 0),
    ]


@pytest.mark.parametrize(("missing", "silent"), [(timedelta(seconds=1), False), (timedelta(0), True)])
def test_five_days_of_silence_count_from_the_last_signed_contact(server, missing, silent):
    """指南: 5天以上 — the fifth full day counts (A3)."""
    box = make_box(server, may_sell_offline=True)
    server.pass_time(hours=1)
    box.heartbeat()
    since = server.now

    server.now += FIVE_DAYS - missing

    found = selectors.silent_terminals(now=server.now, silence=FIVE_DAYS)
    assert [terminal.id for terminal in found] == ([box.id] if silent else [])
    assert selectors.silent_since(box.id) == since


def test_a_terminal_that_was_never_heard_is_silent_since_its_enrolment(server):
    box = make_box(server, may_sell_offline=True)

    assert selectors.silent_since(box.id) == server.now
    assert selectors.silent_since(99_999) is None


def test_a_revoked_terminal_may_still_hold_sales(server):
    box = make_box(server, may_sell_offline=True)
    enrolment.revoke(box.id, actor=ACTOR, now=server.now, reason="被盗")
    server.now += FIVE_DAYS

    assert [t.id for t in selectors.silent_terminals(now=server.now, silence=FIVE_DAYS)] == [box.id]
    assert selectors.watched(now=server.now) == []


def test_a_till_that_only_sells_online_holds_nothing_back(server):
    make_box(server)
    server.now += FIVE_DAYS

    assert not selectors.silent_terminals(now=server.now, silence=FIVE_DAYS).exists()


def test_missing_records_show_as_gaps_also_at_the_end(journal):
    records = [journal.sale(uid="deadbeef") for _ in range(5)]
    journal.upload(records[0], records[3])

    (gap,) = selectors.journal_gaps()
    assert (gap.terminal_id, gap.journal, gap.missing, gap.last_seq) == (journal.box.id, journal.id, 2, 4)

    told = {"journal": journal.id, "journal_seq": 5, "journal_mac": records[4]["mac"], "unsent": 1}
    journal.box.call("heartbeat", {**told, "hotlist_version": 0, "offset_ms": 0, "free_mb": 1})
    (gap,) = selectors.journal_gaps()
    assert (gap.missing, gap.last_seq) == (3, 5)
    assert selectors.unsent_total() == 1

    journal.upload(*records)
    assert selectors.journal_gaps() == []


def test_a_journal_of_which_nothing_came_is_a_gap_too(server):
    box = make_box(server, may_sell_offline=True)
    journal = Journal(box)
    record = journal.sale()
    told = {"journal": journal.id, "journal_seq": 1, "journal_mac": record["mac"], "unsent": 1}
    box.call("heartbeat", {**told, "hotlist_version": 0, "offset_ms": 0, "free_mb": 1})

    (gap,) = selectors.journal_gaps()

    assert (gap.terminal_id, gap.missing) == (box.id, 1)


DAY = timedelta(hours=24)


def gap_alarms():
    told = SecurityEvent.objects.filter(kind=SecurityEventKind.JOURNAL_GAP).order_by("at")
    return [(event.detail["journal"], event.detail["first_seq"], event.detail["missing"]) for event in told]


@pytest.mark.parametrize(("early", "alarms"), [(timedelta(seconds=1), 0), (timedelta(0), 1)])
def test_a_hole_in_a_journal_raises_an_alarm_when_it_is_a_day_old(journal, server, early, alarms):
    """B4: gap older than 24 h alarms; it is as old as the first record above it."""
    records = [journal.sale(uid="deadbeef") for _ in range(6)]
    journal.upload(*records[:2])
    server.pass_time(hours=5)
    journal.upload(records[4])
    since = server.now
    server.pass_time(hours=1)
    journal.upload(records[5])

    assert holes.alarm(now=since + DAY - early) == alarms
    assert gap_alarms() == [(journal.id, 3, 2)] * alarms


def test_the_alarm_is_raised_once_a_day_until_the_hole_is_filled(journal, server):
    records = [journal.sale(uid="deadbeef") for _ in range(3)]
    journal.upload(records[0], records[2])
    for night in range(1, 4):
        holes.alarm(now=server.now + night * DAY - timedelta(minutes=night - 1))
        assert len(gap_alarms()) == night
        holes.alarm(now=server.now + night * DAY + timedelta(minutes=30))
        assert len(gap_alarms()) == night
    journal.upload(records[1])

    assert holes.alarm(now=server.now + 5 * DAY) == 0
    assert len(gap_alarms()) == 3


def test_each_journal_has_its_own_alarm_and_a_tail_is_no_hole(journal, server):
    other = Journal(journal.box, "ef" * 16)
    for one in (journal, other):
        records = [one.sale(uid="deadbeef") for _ in range(4)]
        one.upload(*records[2:])
    whole = Journal(journal.box, "aa" * 16)
    whole.upload(whole.sale(uid="deadbeef"))
    told = {"journal": whole.id, "journal_seq": 9, "journal_mac": "11" * 32, "unsent": 8}
    journal.box.call("heartbeat", {**told, "hotlist_version": 0, "offset_ms": 0, "free_mb": 1})

    assert holes.alarm(now=server.now + DAY) == 2
    assert sorted(gap_alarms()) == [(journal.id, 1, 2), (other.id, 1, 2)]


def test_the_night_looks_for_holes_and_a_dry_run_tells_nobody(journal, monkeypatch):
    journal.upload(journal.sale(uid="deadbeef"), (journal.sale(), journal.sale(uid="deadbeef"))[1])
    monkeypatch.setattr(holes, "OLD", timedelta(days=-36_500))

    call_command("reconcile", "--dry-run", stdout=StringIO())
    assert gap_alarms() == []
    call_command("reconcile", stdout=StringIO())
    assert gap_alarms() == [(journal.id, 2, 1)]


def test_odd_uploads_and_events_are_listed(journal, server):
    journal.upload(journal.sale(uid="deadbeef"))
    journal.box.call("heartbeat", {}, seq=1)

    assert [verdict.result for verdict in selectors.odd_uploads(since=server.now)] == ["suspect"]
    assert {event.kind for event in selectors.recent_events(since=server.now)} >= {"enrolled", "replay"}
