"""The hotlist follows cards and accounts, and terminals follow the hotlist (B12)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from accounts.models import Account, Card
from purse.rules import Refusal
from terminals.messages.upkeep import HotlistAnswer, HotlistRequest
from terminals.models import Hotlist, HotlistEntry
from terminals.services import hotlist
from tests.campus import NOON, make_person
from tests.terminals.conftest import make_box

pytestmark = pytest.mark.django_db


def sync(now=NOON):
    return hotlist.sync_hotlist.__wrapped__(now=now)


def uid_of(person):
    return person.plastic.uid.hex()


def change_card(person, **changed):
    Card.objects.filter(id=person.card_row.id).update(**changed)


def change_account(person, **changed):
    Account.objects.filter(id=person.account.id).update(version=F("version") + 1, **changed)


TROUBLE = [
    ("card", {"lost": True, "lost_at": NOON}, Refusal.CARD_LOST),
    ("account", {"frozen_reasons": ["by_hand"], "frozen_at": NOON}, Refusal.CARD_FROZEN),
    ("card", {"life": "replaced"}, Refusal.CARD_REPLACED),
    ("card", {"life": "void"}, Refusal.CARD_REPLACED),
    ("card", {"life": "damaged"}, Refusal.CARD_REPLACED),
    ("card", {"life": "returned"}, Refusal.CARD_REPLACED),
    ("card", {"life": "expired"}, Refusal.CARD_EXPIRED),
    ("account", {"life": "closing"}, Refusal.ACCOUNT_CLOSED),
]


def trouble(person, where, changed):
    (change_card if where == "card" else change_account)(person, **changed)


@pytest.mark.parametrize(("where", "changed", "refusal"), TROUBLE)
def test_a_card_that_may_not_pay_comes_onto_the_list(where, changed, refusal):
    person, other = make_person(), make_person()
    trouble(person, where, changed)

    synced = sync()

    assert (synced.changed, synced.version) == (1, 1)
    assert hotlist.listed(uid_of(person)) == refusal
    assert hotlist.listed(uid_of(other)) is None


def test_the_list_names_the_trouble_that_the_till_would_name():
    """A dead or lost card before a frozen account, as purse.rules.refuse_standing says."""
    person = make_person()
    change_account(person, frozen_reasons=["by_hand"], frozen_at=NOON)
    change_card(person, lost=True, lost_at=NOON)

    sync()

    assert hotlist.listed(uid_of(person)) == Refusal.CARD_LOST


def test_nothing_changed_makes_no_new_version():
    person = make_person()
    change_card(person, lost=True, lost_at=NOON)
    first = sync()

    later = NOON + timedelta(hours=1)
    second = sync(later)

    assert (second.changed, second.version) == (0, first.version)
    head = Hotlist.objects.get()
    assert (head.changed_at, head.checked_at) == (NOON, later)


def test_a_card_leaves_the_list_and_may_come_back_for_another_reason():
    person = make_person()
    change_card(person, lost=True, lost_at=NOON)
    sync()
    change_card(person, lost=False, lost_at=None)
    assert sync().version == 2
    assert hotlist.listed(uid_of(person)) is None

    change_account(person, frozen_reasons=["by_hand"], frozen_at=NOON)

    assert sync().version == 3
    assert hotlist.listed(uid_of(person)) == Refusal.CARD_FROZEN
    assert HotlistEntry.objects.count() == 1


def test_a_chip_that_was_given_out_again_is_judged_by_its_new_card():
    person, newcomer = make_person(), make_person()
    change_card(person, life="returned")
    change_card(newcomer, uid=Card.objects.get(id=person.card_row.id).uid)

    assert sync().changed == 0


def ask(have=0, since=0, now=NOON):
    return hotlist.deltas(HotlistRequest(have, since), now=now)


def test_a_terminal_is_told_what_changed_after_the_version_it_has():
    people = [make_person() for _ in range(3)]
    for person in people:
        change_card(person, lost=True, lost_at=NOON)
        sync()
    change_card(people[0], lost=False, lost_at=None)
    sync()

    whole, part, none = ask(0), ask(2), ask(4)

    assert (whole.version, whole.whole, whole.more) == (4, True, False)
    assert whole.entries == (
        (uid_of(people[1]), Refusal.CARD_LOST),
        (uid_of(people[2]), Refusal.CARD_LOST),
        (uid_of(people[0]), None),
    )
    assert (part.whole, part.entries) == (False, whole.entries[1:])
    assert (none.version, none.entries) == (4, ())


def test_a_long_list_comes_in_pages_that_join_without_a_seam(monkeypatch):
    monkeypatch.setattr(hotlist, "HOTLIST_PAGE", 2)
    people = [make_person() for _ in range(5)]
    for person in people:
        change_card(person, lost=True, lost_at=NOON)
    sync()

    found, have, more = {}, 0, True
    while more:
        answer = ask(have)
        found |= dict(answer.entries)
        have, more = answer.version, answer.more

    assert have == 5
    assert found == {uid_of(person): Refusal.CARD_LOST for person in people}


def test_a_terminal_ahead_of_a_restored_server_starts_anew():
    person = make_person()
    change_card(person, lost=True, lost_at=NOON)
    sync()

    answer = ask(have=999)

    assert (answer.whole, answer.version) == (True, 1)
    assert answer.entries == ((uid_of(person), Refusal.CARD_LOST),)


def test_cards_seen_in_the_last_seven_days_come_with_their_proven_sequence():
    fresh, old, doubtful = make_person(), make_person(), make_person()
    change_card(fresh, seen_at=NOON - timedelta(days=7), spend_seq=12)
    change_card(old, seen_at=NOON - timedelta(days=7, seconds=1), spend_seq=12)
    floor = {"spend": {"floor": [8, 100, 0, False], "told": [[9, 200, False]]}}
    change_card(doubtful, seen_at=NOON, spend_seq=9, images=floor)

    answer = ask()

    assert answer.seen == ((uid_of(fresh), 12), (uid_of(doubtful), 8)), (
        "a torn cell may fall back to its floor"
    )
    assert answer.seen_until_ms == int(NOON.timestamp() * 1000)
    assert ask(since=answer.seen_until_ms, now=NOON + timedelta(minutes=1)).seen == ((uid_of(doubtful), 8),)


def test_seen_cards_come_in_pages_too(monkeypatch):
    monkeypatch.setattr(hotlist, "LAST_SEEN_MAX", 2)
    people = [make_person() for _ in range(4)]
    for number, person in enumerate(people):
        change_card(person, seen_at=NOON - timedelta(minutes=10 - number), spend_seq=number)

    found, since, more = {}, 0, True
    while more:
        answer = ask(since=since)
        found |= dict(answer.seen)
        since, more = answer.seen_until_ms, answer.more

    assert found == {uid_of(person): number for number, person in enumerate(people)}


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_brings_the_list_up_to_date_every_half_minute(server):
    box, person = make_box(server), make_person()
    assert box.heartbeat().body["hotlist_version"] == 0
    change_card(person, lost=True, lost_at=NOON)

    server.pass_time(seconds=29)
    assert box.heartbeat().body["hotlist_version"] == 0
    server.pass_time(seconds=1)
    assert box.heartbeat().body["hotlist_version"] == 1

    answer = HotlistAnswer.parse(box.call("hotlist", {"have": 0, "seen_since_ms": 0}).body)
    assert answer.entries == ((uid_of(person), Refusal.CARD_LOST),)
