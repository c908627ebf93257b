"""Why a levelling was due: machine-readable in the ledger, in words on the page of the case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.utils import translation

from counter.words import note_words
from reconciliation.models import Case
from reconciliation.timeline import Movement
from tests.campus import NOON, Counter, make_person
from tests.counter.pages import plain
from tests.reconciliation.silence import FIVE_DAYS, look, nightly, till
from tests.transactions.test_offline import sell_offline
from transactions.kinds import EntryKind, Mode
from transactions.models import Entry
from transactions.services.levelling import Grounds, grounds_of

LEVELLED = Movement(
    id=1,
    seq=1,
    kind=EntryKind.LEVELLING,
    mode=Mode.SERVER,
    book_change_fen=-1_00,
    unclaimed_change_fen=0,
    book_after_fen=0,
    occurred_at=NOON,
    posted_at=NOON,
    note="spend 11; terminals 6, 9",
)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-hans", "按卡序号 11 平账；长期静默的终端：6、9 号机"),
        ("en", "levelled by card number 11; terminals long silent: no. 6, 9"),
    ],
)
def test_the_grounds_are_said_in_both_languages(language, words):
    with translation.override(language):
        assert note_words(LEVELLED) == words


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"note": "按持卡人签名单修正"}, "按持卡人签名单修正"),
        ({"note": ""}, ""),
        ({"note": "spend 11; terminals "}, "spend 11; terminals "),
        ({"note": "see spend 11; terminals 6"}, "see spend 11; terminals 6"),
        ({"kind": EntryKind.ADJUSTMENT}, "spend 11; terminals 6, 9"),
        ({"mode": Mode.ONLINE}, ""),
    ],
    ids=["a person's words", "none", "cut off", "more than that", "another kind", "made by a terminal"],
)
def test_what_a_person_wrote_stays_as_it_was_written(changed, words):
    assert note_words(replace(LEVELLED, **changed)) == words


def test_a_gap_is_no_movement_and_says_nothing():
    assert note_words(None) == ""


@pytest.mark.django_db(transaction=True)
def test_the_page_of_a_case_tells_why_it_was_levelled(web):
    offline, online, person = till(3), Counter(8), make_person(80_00)
    sell_offline(offline, person, 30_00)
    look(online, person, NOON)
    nightly(NOON + FIVE_DAYS)
    entry = Entry.objects.get(kind="levelling")
    grounds = grounds_of(entry.note)
    assert grounds == Grounds(entry.purse_seq, (offline.till.id,))
    case = Case.objects.create(
        account=person.account,
        campus=person.account.holder.campus,
        mismatch="TORN",
        proposal="write_card",
        evidence={"book_fen": 50_00, "card_fen": 50_00, "difference_fen": 0},
        at_risk_fen=1_00,
        opened_at=NOON,
        changed_at=NOON,
    )

    page = plain(web.get(f"/counter/cases/{case.pk}/"))

    assert f"按卡序号 {entry.purse_seq} 平账；长期静默的终端：{offline.till.id} 号机" in page
    assert "terminals" not in page
