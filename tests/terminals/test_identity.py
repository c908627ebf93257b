"""Who may in: what doors, gates, lending desks, PC rooms and buses ask, and every no (R002, R003, R057, H10, S3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from accounts.models import Account, Campus, Card, Service, ServiceGrant
from accounts.rights import Denial
from reconciliation.services.retention import retain
from terminals import partners
from terminals.denials import WORDS, sentence
from terminals.models import ASKABLE, DoorRefusal, PartnerDay, PartnerNonce
from terminals.services import asking
from tests import faults
from tests.campus import NOON, make_campus, make_person
from tests.terminals.asker import Asker, later, make_partner
from tests.terminals.conftest import server  # noqa: F401 - a fixture
from transactions.days import local_day

pytestmark = pytest.mark.django_db

IDENTIFYING = {"lending", "library_gate", "pc_room", "dorm_door", "identity"}


@pytest.fixture
def clock(server, monkeypatch):  # noqa: F811 - the fixture of the room
    monkeypatch.setattr("terminals.api.identity.present", lambda: server.now)
    return server


@pytest.fixture
def asker(clock) -> Asker:
    return Asker(clock, make_partner().pk)


def uid_of(person) -> str:
    return person.plastic.uid.hex()


def change_card(person, **changed):
    Card.objects.filter(id=person.card_row.id).update(**changed)


def change_account(person, **changed):
    Account.objects.filter(id=person.account.id).update(**changed)


def make_named(person, service: str | None = None, until=None):
    change_account(person, kind="named")
    change_card(person, kind="named")
    if service is not None:
        ServiceGrant.objects.create(
            account=person.account, service=service, until_on=until, granted_by="operator:1", granted_at=NOON
        )


def elsewhere() -> Campus:
    return Campus.objects.create(code="yushan", name_zh="鱼山校区", name_en="Yushan")


def today_of(asker: Asker) -> PartnerDay:
    return PartnerDay.objects.get(partner_id=asker.partner)


# ------------------------------------------------------------------------------------------- yes and no


@pytest.mark.parametrize("service", ASKABLE, ids=str)
def test_each_service_opens_for_a_formal_card(asker, service):
    """R002: each kind has an accept test."""
    reply = asker.ask(service, uid_of(make_person()))

    assert (reply.status, reply.signed) == (200, True)
    assert (reply.body["allowed"], reply.body["reason"], reply.body["message_zh"]) == (True, None, "")


TROUBLE = [
    ("card", {"lost": True, "lost_at": NOON}, "card_lost"),
    ("account", {"frozen_reasons": ["card_above_book"], "frozen_at": NOON}, "card_frozen"),
    ("account", {"frozen_reasons": ["by_hand"], "frozen_at": NOON}, "card_frozen"),
    ("card", {"life": "replaced"}, "card_replaced"),
    ("card", {"life": "void"}, "card_replaced"),
    ("card", {"life": "damaged"}, "card_replaced"),
    ("card", {"life": "returned"}, "card_replaced"),
    ("card", {"life": "expired"}, "card_expired"),
    ("card", {"expires_on": later(-1)}, "card_expired"),
    ("account", {"life": "closing"}, "account_closed"),
]


@pytest.mark.parametrize("service", ASKABLE, ids=str)
def test_nothing_opens_against_the_standing(asker, service):
    """指南 L111: frozen means no identification either; R057: door, library, PC room, bus, identity API refuse."""
    wrong = []
    for where, changed, reason in TROUBLE:
        person = make_person(0)
        (change_card if where == "card" else change_account)(person, **changed)
        told = asker.ask(service, uid_of(person)).body
        if (told["allowed"], told["reason"]) != (False, reason) or told["name"] or told["offline_until_ms"]:
            wrong.append((changed, told))

    faults.report("IDENTITY_REFUSED", len(TROUBLE), len(wrong))
    assert wrong == []


@pytest.mark.parametrize("service", ASKABLE, ids=str)
def test_a_named_card_identifies_nobody_unless_that_was_granted(asker, service):
    """指南 L17, R003: a named card at the dorm door is refused; N04: an explicit grant opens it."""
    person, granted = make_person(0), make_person(0)
    make_named(person)
    make_named(granted, service, later(0))

    told = asker.ask(service, uid_of(person)).body
    assert told["reason"] == ("service_right" if service in IDENTIFYING else None)
    assert asker.ask(service, uid_of(granted)).body["allowed"] is True


@pytest.mark.parametrize(("days", "allowed"), [(-1, False), (0, True), (1, True)])
def test_a_grant_and_a_card_are_good_through_their_last_day(asker, days, allowed):
    named, dated = make_person(0), make_person(0)
    make_named(named, "dorm_door", later(days))
    change_card(dated, expires_on=later(days))

    assert asker.ask("dorm_door", uid_of(named)).body["allowed"] is allowed
    assert asker.ask("dorm_door", uid_of(dated)).body["allowed"] is allowed


def test_a_frozen_card_stays_out_whatever_was_granted(asker):
    person = make_person(0)
    make_named(person, "dorm_door", later(30))
    change_account(person, frozen_reasons=["by_hand"], frozen_at=NOON)

    assert asker.ask("dorm_door", uid_of(person)).body["reason"] == "card_frozen"


@pytest.mark.parametrize("service", ASKABLE, ids=str)
def test_only_the_dormitory_is_for_its_own_campus(clock, service):
    person, away = make_person(0), elsewhere()
    asker = Asker(clock, make_partner(make_campus()[0], away).pk)

    here = asker.ask(service, uid_of(person), campus="laoshan").body
    there = asker.ask(service, uid_of(person), campus="yushan").body

    assert here["allowed"] is True
    assert there["reason"] == ("other_campus" if service == "dorm_door" else None)


def test_a_card_that_is_not_ours_is_unknown_and_leaves_no_row(asker):
    told = asker.ask("bus", "04a1b2c3d4e5f6").body

    assert (told["allowed"], told["reason"]) == (False, "unknown")
    assert not DoorRefusal.objects.exists()
    assert (today_of(asker).asked, today_of(asker).refused, today_of(asker).unknown) == (1, 1, 1)


def test_of_two_cards_with_one_uid_the_live_one_counts(asker):
    old, new = make_person(0), make_person(0)
    change_card(old, life="replaced", uid="A9000001")
    change_card(new, uid="A9000001")
    again = make_person(0)
    change_card(again, life="returned", uid="A9000001")

    assert asker.ask("bus", "a9000001").body["allowed"] is True
    change_card(new, life="void")
    assert asker.ask("bus", "a9000001").body["reason"] == "card_replaced"


def test_every_reason_is_said_in_both_languages():
    assert set(WORDS) == set(Denial)
    with translation.override("zh-hans"):
        chinese = {denial: str(word) for denial, word in WORDS.items()}
    for denial in Denial:
        assert sentence(denial, "zh") == chinese[denial]
        assert sentence(denial, "en") not in ("", chinese[denial])
    assert sentence(None, "zh") == sentence(None, "en") == ""


# ---------------------------------------------------------------------------------------- what is told


def test_what_a_key_is_told_is_what_it_was_given(clock):
    person = make_person(0)
    plain, library = make_partner(), make_partner(tells_name=True, tells_school_no=True)

    told = Asker(clock, plain.pk).ask("lending", uid_of(person)).body
    assert (told["name"], told["school_no"]) == (None, None)
    told = Asker(clock, library.pk).ask("lending", uid_of(person)).body
    assert (told["name"], told["school_no"]) == ("张*", person.account.holder.school_no)
    change_card(person, lost=True, lost_at=NOON)
    told = Asker(clock, library.pk).ask("lending", uid_of(person)).body
    assert (told["name"], told["school_no"]) == (None, None)


def test_no_answer_tells_of_money(asker):
    person = make_person(87_65)

    told = asker.ask("identity", uid_of(person))

    assert set(told.body) == {
        "allowed", "reason", "message_zh", "message_en", "name", "school_no", "offline_until_ms", "server_ms",
    }  # fmt: skip
    assert b"8765" not in told.raw.content
    assert "张三丰".encode() not in told.raw.content


@pytest.mark.parametrize("by", ["account", "school_no"])
def test_a_number_is_looked_up_for_keys_that_may_and_for_no_others(clock, asker, by):
    person = make_person(0)
    value = str(person.account.number) if by == "account" else person.account.holder.school_no
    desk = Asker(clock, make_partner(by_number=True).pk)

    told = desk.ask("pc_room", value, by=by).body
    assert (told["allowed"], told["offline_until_ms"]) == (True, None)
    refused = asker.ask("pc_room", value, by=by)
    assert (refused.status, refused.body["error"], refused.body["field"]) == (403, "not_allowed", "by")
    change_card(person, lost=True, lost_at=NOON)
    assert desk.ask("pc_room", value, by=by).body["reason"] == "card_lost"


def test_a_number_of_nobody_is_unknown(clock):
    desk = Asker(clock, make_partner(by_number=True).pk)

    assert desk.ask("lending", "99999", by="account").body["reason"] == "unknown"
    assert desk.ask("lending", "GHOST1", by="school_no").body["reason"] == "unknown"


def test_a_number_in_use_counts_before_a_closed_account_of_the_same_number(clock):
    old, new = make_person(0), make_person(0)
    change_account(old, life="closing")
    change_account(old, life="closed", closed_at=NOON)
    change_account(new, number=old.account.number)
    desk = Asker(clock, make_partner(by_number=True).pk)

    assert desk.ask("lending", str(old.account.number), by="account").body["allowed"] is True


@pytest.mark.parametrize(
    ("card_days", "hours"), [(None, 7 * 24), (30, 7 * 24), (7, 7 * 24), (6, 6 * 24 + 12), (0, 12)]
)
def test_a_yes_may_be_repeated_offline_for_a_week_but_not_beyond_the_card(asker, clock, card_days, hours):
    """Noon: the day of the last day ends twelve hours later."""
    person = make_person(0)
    change_card(person, expires_on=None if card_days is None else later(card_days))

    told = asker.ask("dorm_door", uid_of(person)).body

    assert told["offline_until_ms"] - told["server_ms"] == hours * 3_600_000
    assert told["server_ms"] == clock.now_ms


def test_a_grant_bounds_the_offline_yes_too(asker):
    person = make_person(0)
    make_named(person, "dorm_door", later(1))

    told = asker.ask("dorm_door", uid_of(person)).body

    assert told["offline_until_ms"] - told["server_ms"] == 36 * 3_600_000


# ------------------------------------------------------------------------------- the card's own signature


def ident_of(person) -> str:
    return person.plastic.blocks[4].hex()


def test_an_identity_block_of_ours_is_believed_and_a_copied_uid_is_not(asker):
    person, other = make_person(0), make_person(0)
    ident = ident_of(person)

    assert asker.ask("identity", uid_of(person), ident=ident).body["allowed"] is True
    flipped = f"{int(ident, 16) ^ 1:032x}"
    for forged in (flipped, ident_of(other), "0" * 32, "f" * 32):
        told = asker.ask("identity", uid_of(person), ident=forged).body
        assert (told["allowed"], told["reason"]) == (False, "card_suspect"), forged


def test_a_lost_card_is_lost_even_if_its_block_is_forged(asker):
    person = make_person(0)
    change_card(person, lost=True, lost_at=NOON)

    assert asker.ask("identity", uid_of(person), ident="0" * 32).body["reason"] == "card_lost"


# ----------------------------------------------------------------------------------- what is kept of it


def test_a_yes_leaves_nobody_behind_and_a_no_the_reason_once_a_minute(asker, clock):
    person = make_person(0)
    asker.ask("dorm_door", uid_of(person))
    assert not DoorRefusal.objects.exists()
    change_card(person, lost=True, lost_at=NOON)

    for seconds in (0, 59, 1):
        clock.pass_time(seconds=seconds)
        asker.ask("dorm_door", uid_of(person))

    assert list(DoorRefusal.objects.values_list("account_id", "service", "denial")) == [
        (person.account.pk, "dorm_door", "card_lost"),
        (person.account.pk, "dorm_door", "card_lost"),
    ]
    assert (today_of(asker).asked, today_of(asker).refused, today_of(asker).unknown) == (4, 3, 0)


@pytest.mark.parametrize(("age", "left"), [(timedelta(days=7), 1), (timedelta(days=7, seconds=1), 0)])
def test_a_refusal_is_forgotten_after_a_week(asker, clock, age, left):
    person = make_person(0)
    change_card(person, lost=True, lost_at=NOON)
    asker.ask("bus", uid_of(person))

    gone = asking.forget_refusals(now=clock.now + age)

    assert (gone, DoorRefusal.objects.count()) == (1 - left, left)
    assert not PartnerNonce.objects.exists()


def test_numbers_are_swept_by_the_questions_that_follow(asker, clock):
    person = make_person(0)
    for _ in range(6):
        asker.ask("bus", uid_of(person))
    clock.pass_time(minutes=10)
    asker.ask("bus", uid_of(person))
    assert PartnerNonce.objects.count() == 7
    clock.pass_time(seconds=1)

    asker.ask("bus", uid_of(person))
    asker.ask("bus", uid_of(person))

    assert PartnerNonce.objects.count() == 3


def test_the_count_of_the_day_begins_anew_at_midnight_in_shanghai(asker, clock):
    person = make_person(0)
    asker.ask("bus", uid_of(person))
    clock.pass_time(hours=12)

    asker.ask("bus", uid_of(person))

    days = PartnerDay.objects.order_by("on").values_list("on", "asked")
    assert list(days) == [(local_day(NOON), 1), (local_day(NOON) + timedelta(days=1), 1)]


@pytest.mark.parametrize(
    ("spoil", "most"), [({}, 3), ({"lost": True, "lost_at": NOON}, 4)], ids=["yes", "no"]
)
def test_a_question_takes_at_most_four_statements(asker, spoil, most):
    person = make_person(0)
    change_card(person, **({"seen_place": "x"} | spoil))

    for service, by_ident in ((Service.DORM_DOOR, None), (Service.LENDING, ident_of(person))):
        with CaptureQueriesContext(connection) as asked:
            reply = asker.ask(service, uid_of(person), ident=by_ident)
        assert reply.status == 200
        assert len(asked) == most


# --------------------------------------------------------------------------------- the list of refused cards


def test_a_lost_card_comes_onto_the_list_and_goes_off_it(asker, clock):
    person = make_person(0)
    assert asker.denied().body["entries"] == []
    change_card(person, lost=True, lost_at=NOON)
    clock.pass_time(seconds=30)

    reply = asker.denied()
    told = reply.body

    assert (reply.status, reply.signed, told["whole"], told["more"]) == (200, True, True, False)
    assert told["entries"] == [[uid_of(person), "card_lost"]]
    change_card(person, lost=False, lost_at=None)
    clock.pass_time(seconds=30)
    after = asker.denied(f"since={told['version']}").body
    assert (after["whole"], after["entries"]) == (False, [[uid_of(person), None]])
    assert asker.denied(f"since={after['version']}").body["entries"] == []
    assert asker.denied(f"since={after['version'] + 5}").body["whole"] is True, "a server put back"


@pytest.mark.parametrize(
    "query",
    ["", "since=", "since=-1", "since=01", "since=1.0", "since=1e2", "since=%D9%A3", "since=1&since=2",
     "since=1&x=1", "have=1", "since=9007199254740992", "since=" + "9" * 5000, "since=%31"],
)  # fmt: skip
def test_a_version_is_one_whole_number(asker, query):
    reply = asker.denied(query)

    assert (reply.status, reply.signed, reply.body["field"]) == (400, True, "since")


def test_the_nightly_run_lets_old_refusals_go_and_keeps_those_of_the_week(asker, clock, tmp_path):
    person, other = make_person(0), make_person(0)
    for each in (person, other):
        change_card(each, lost=True, lost_at=NOON)
    asker.ask("bus", uid_of(person))
    clock.pass_time(days=1)
    asker.ask("bus", uid_of(other))

    gone = retain(now=NOON + timedelta(days=7, hours=1), exports=tmp_path)

    assert gone["door_refusals"] == 1
    assert list(DoorRefusal.objects.values_list("account_id", flat=True)) == [other.account.pk]


def test_the_desk_sees_why_a_door_stayed_shut_for_a_week_newest_first(asker, clock):
    person = make_person(0)
    change_card(person, lost=True, lost_at=NOON)
    asker.ask("dorm_door", uid_of(person))
    clock.pass_time(hours=1)
    asker.ask("library_gate", uid_of(person))

    told = partners.shut_doors(person.account.pk, now=clock.now)

    assert [(door.service, str(door.reason), door.name_zh) for door in told] == [
        ("library_gate", str(WORDS[Denial.CARD_LOST]), "图书馆系统"),
        ("dorm_door", str(WORDS[Denial.CARD_LOST]), "图书馆系统"),
    ]
    assert partners.shut_doors(person.account.pk, now=clock.now + timedelta(days=7, seconds=1)) == []
    assert partners.shut_doors(make_person(0).account.pk, now=clock.now) == []
