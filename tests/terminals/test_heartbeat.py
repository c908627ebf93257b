"""A heartbeat shows a journal that was wiped, put back or copied (B7, B8, B11)."""

from __future__ import annotations

import pytest

from terminals.messages.records import RecordKind
from terminals.messages.signing import NO_RECORD_MAC
from terminals.models import SecurityEvent, SecurityEventKind, TerminalContact
from tests.terminals.conftest import Journal

pytestmark = pytest.mark.django_db(transaction=True)


def beat(journal, seq, mac=None):
    told = {
        "journal": journal.id,
        "journal_seq": seq,
        "journal_mac": mac or (journal.records[seq - 1].mac if seq else NO_RECORD_MAC),
        "unsent": 0,
        "hotlist_version": 0,
        "offset_ms": 0,
        "free_mb": 900,
    }
    assert journal.box.call("heartbeat", told).status == 200


def events(kind):
    return SecurityEvent.objects.filter(kind=kind).count()


def test_a_journal_that_grows_is_fine(journal):
    for _ in range(3):
        journal.sale()
        beat(journal, len(journal.records))

    known = TerminalContact.objects.get(terminal_id=journal.box.id)
    assert (known.journal, known.journal_seq, known.journal_mac) == (journal.id, 3, journal.records[2].mac)
    assert events(SecurityEventKind.JOURNAL_LOST) == events(SecurityEventKind.FORK) == 0


@pytest.mark.parametrize("closed", [True, False])
def test_a_new_journal_needs_the_end_of_the_old_one(journal, closed):
    """B7: new journal_id without closing record => 终端流水丢失, with the last known seq."""
    journal.sale(uid="deadbeef")
    if closed:
        journal.upload(journal.add(RecordKind.CLOSE))
    beat(journal, len(journal.records))

    beat(Journal(journal.box, id="ef" * 16), 0)

    assert events(SecurityEventKind.JOURNAL_LOST) == (not closed)
    if not closed:
        assert SecurityEvent.objects.get(kind="journal_lost").detail == {
            "journal": journal.id,
            "last_seq": 1,
            "now": "ef" * 16,
        }


@pytest.mark.parametrize(("seq", "lost"), [(3, 0), (2, 1), (0, 1)])
def test_a_journal_that_got_shorter_was_put_back(journal, seq, lost):
    for _ in range(3):
        journal.sale()
    beat(journal, 3)

    beat(journal, seq)

    assert events(SecurityEventKind.JOURNAL_LOST) == lost


def test_another_record_under_a_known_number_is_a_fork(journal):
    journal.upload(journal.sale(uid="deadbeef"))

    beat(journal, 1)
    assert events(SecurityEventKind.FORK) == 0
    beat(journal, 1, mac="11" * 32)

    assert events(SecurityEventKind.FORK) == 1
