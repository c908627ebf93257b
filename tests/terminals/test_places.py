"""Where people are served and when: the guide's places word for word, hours, holidays, heartbeats."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.models import AuditEvent, Campus
from terminals import hours, places
from terminals.hours import BadHours, Special, Week, parse_spans
from terminals.models import DayKind, PlaceKind, ServicePoint, SpecialDay, Terminal, TerminalContact
from terminals.places import Stand
from terminals.services import places as work
from transactions.days import SHANGHAI

ACTOR = Actor.operator(1, role="admin", channel="counter")
MONDAY = datetime(2026, 8, 3, 9, 0, tzinfo=SHANGHAI)
GUIDE = {
    "center": {
        "laoshan": ["图书馆区B楼 网络中心用户接待大厅"],
        "yushan": ["逸夫馆网络中心办公室"],
        "fushan": ["图书馆四楼网络中心办公室"],
    },
    "load_kiosk": {
        "laoshan": ["康惠达超市", "教学楼", "网络中心用户接待大厅"],
        "yushan": ["师苑餐厅", "学苑餐厅入口"],
        "fushan": ["学子餐厅", "新苑餐厅"],
    },
    "query_kiosk": {
        "laoshan": ["康惠达超市门廊", "教学楼", "网络中心用户接待大厅"],
        "yushan": ["师苑餐厅", "学苑餐厅入口", "网络中心办公室"],
        "fushan": ["学子餐厅", "新苑餐厅", "网络中心办公室"],
    },
}
"""指南 L21-27, L69-75, L121-127."""


@pytest.fixture
def guide(db):
    work.seed_places(actor=ACTOR, now=MONDAY)
    return {place.code: place for place in places.service_points(now=MONDAY)}


def place_of(code: str, *, now=MONDAY):
    return next(each for each in places.service_points(now=now) if each.code == code)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


# --------------------------------------------------------------------------------------------------- seeds


@pytest.mark.parametrize("kind", GUIDE)
def test_the_places_are_those_of_the_guide_word_for_word(guide, kind):
    """R008: three centers; R033: seven load kiosks, 3+2+2; R066: nine query kiosks, 3+3+3."""
    found: dict[str, list[str]] = {}
    for place in guide.values():
        if place.kind == kind:
            found.setdefault(place.campus_code, []).append(place.name_zh)

    assert found == GUIDE[kind]


def test_each_campus_has_a_place_to_pay_in_cash(guide):
    """指南 L37: 到各校区食堂的充值点进行现金充值 (R012)."""
    cash = [place for place in guide.values() if place.kind is PlaceKind.CASH_POINT]

    assert sorted(place.campus_code for place in cash) == ["fushan", "laoshan", "yushan"]
    assert all(place.name_en for place in guide.values())


def test_seeding_again_changes_nothing_and_keeps_what_the_staff_has_changed(guide, capsys):
    place = guide["laoshan-center-1"]
    work.describe(place.id, work.Details("B 楼大厅", "Hall B", place.week), actor=ACTOR, now=MONDAY)

    call_command("seed_places")

    assert capsys.readouterr().out == "places 0\n"
    assert place_of("laoshan-center-1").name_zh == "B 楼大厅"
    assert Campus.objects.count() == 3


# --------------------------------------------------------------------------------------------------- hours


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("8:00-11:30", [("08:00", "11:30")]),
        (" 08:00–11:30 ， 13:30～17:00 ", [("08:00", "11:30"), ("13:30", "17:00")]),
        ("8:00至12:00;12:00-13:00", [("08:00", "12:00"), ("12:00", "13:00")]),
        ("0:00-23:59", [("00:00", "23:59")]),
    ],
)
def test_hours_are_read_as_people_type_them(text, spans):
    assert [(f"{start:%H:%M}", f"{end:%H:%M}") for start, end in parse_spans(text)] == spans


@pytest.mark.parametrize(
    "text",
    ["8-11", "8:00", "25:00-26:00", "8:60-9:00", "11:30-8:00", "8:00-8:00", "8:00-12:00,11:59-13:00",
     "9:00-10:00,8:00-9:00", "1:00-2:00,3:00-4:00,5:00-6:00,7:00-8:00,9:00-10:00", "八点到十点", "８:00-9:00"],
)  # fmt: skip
def test_what_is_no_list_of_hours_is_refused_with_words(text):
    with pytest.raises(BadHours) as caught:
        parse_spans(text)
    assert str(caught.value)


def test_a_week_survives_the_database_and_is_said_in_words():
    week = Week(
        {
            1: parse_spans("8:00-11:30,13:30-17:00"),
            2: parse_spans("8:00-11:30,13:30-17:00"),
            6: parse_spans("9:00-10:00"),
        }
    )

    assert Week.from_json(week.to_json()) == week
    assert week.in_words() == ["周一至周二 8:00–11:30，13:30–17:00", "周六 9:00–10:00"]
    assert Week().in_words() == []


@pytest.mark.parametrize(
    ("moment", "stand"),
    [
        ("2026-08-03 07:59:59", "closed"), ("2026-08-03 08:00", "open"), ("2026-08-03 11:29:59", "open"),
        ("2026-08-03 11:30", "closed"), ("2026-08-03 13:29:59", "closed"), ("2026-08-03 13:30", "open"),
        ("2026-08-03 16:59:59", "open"), ("2026-08-03 17:00", "closed"), ("2026-08-07 16:59", "open"),
        ("2026-08-08 09:00", "closed"), ("2026-08-09 09:00", "closed"),
    ],
)  # fmt: skip
def test_a_center_is_open_in_its_hours_and_not_a_second_longer(guide, moment, stand):
    assert guide["laoshan-center-1"].stand(now=at(moment)) == stand


def test_a_holiday_closes_and_a_worked_weekend_opens_on_one_campus_or_on_all(guide):
    """国庆: closed on a Thursday everywhere; the Sunday before is worked, at Laoshan only."""
    laoshan = Campus.objects.get(code="laoshan")
    work.set_special_day(work.NewDay(date(2026, 10, 1), DayKind.CLOSED, "国庆节"), actor=ACTOR, now=MONDAY)
    work.set_special_day(
        work.NewDay(date(2026, 9, 27), DayKind.AS_WORKDAY, "调休", campus_id=laoshan.pk),
        actor=ACTOR,
        now=MONDAY,
    )

    def stand(code: str, moment: str) -> Stand:
        return place_of(code, now=at(moment)).stand(now=at(moment))

    assert stand("laoshan-center-1", "2026-10-01 09:00") is Stand.CLOSED
    assert stand("yushan-center-1", "2026-10-01 09:00") is Stand.CLOSED
    assert stand("laoshan-center-1", "2026-10-02 09:00") is Stand.OPEN
    assert stand("laoshan-center-1", "2026-09-27 09:00") is Stand.OPEN
    assert stand("yushan-center-1", "2026-09-27 09:00") is Stand.CLOSED


def test_a_campus_s_own_day_goes_before_that_of_all(guide):
    laoshan = Campus.objects.get(code="laoshan")
    day = date(2026, 8, 3)
    work.set_special_day(work.NewDay(day, DayKind.CLOSED, "停电"), actor=ACTOR, now=MONDAY)
    work.set_special_day(
        work.NewDay(day, DayKind.AS_WORKDAY, "照常", campus_id=laoshan.pk), actor=ACTOR, now=MONDAY
    )

    assert place_of("laoshan-center-1").stand(now=MONDAY) is Stand.OPEN
    assert place_of("fushan-center-1").stand(now=MONDAY) is Stand.CLOSED


def test_who_comes_too_late_is_told_when_it_opens_again(guide):
    friday_evening = at("2026-08-07 17:00")

    assert guide["laoshan-center-1"].opens_at(now=friday_evening) == at("2026-08-10 08:00")
    assert guide["laoshan-load-kiosk-1"].opens_at(now=friday_evening) is None
    closed = {at(f"2026-08-{day:02}").date(): Special(date(2026, 8, day), True, "假") for day in range(8, 32)}
    assert hours.opens_next(guide["laoshan-center-1"].week, closed, now=friday_evening) == at(
        "2026-09-01 08:00"
    )


def test_a_day_is_marked_once_a_campus(guide):
    day = work.NewDay(date(2026, 10, 1), DayKind.CLOSED, "国庆节")
    made = work.set_special_day(day, actor=ACTOR, now=MONDAY)

    with pytest.raises(work.DayTaken):
        work.set_special_day(day, actor=ACTOR, now=MONDAY)

    work.drop_special_day(made, actor=ACTOR, now=MONDAY)
    work.drop_special_day(made, actor=ACTOR, now=MONDAY)
    assert not SpecialDay.objects.exists()
    assert [each.action for each in AuditEvent.objects.filter(object_kind="special_day").order_by("id")] == [
        "special_day.set", "special_day.drop",
    ]  # fmt: skip


# --------------------------------------------------------------------------------------------- in service


def kiosk(code: str, kind: str, *, heard=None) -> Terminal:
    campus = ServicePoint.objects.get(code=code).campus
    made = Terminal.objects.create(name_zh="机", kind=kind, campus=campus)
    TerminalContact.objects.create(terminal=made, last_contact_at=heard)
    return made


@pytest.mark.parametrize(
    ("silent_for", "stand"),
    [(timedelta(seconds=1), "open"), (timedelta(minutes=10), "open"), (timedelta(minutes=10, seconds=1), "silent"),
     (None, "silent")],
)  # fmt: skip
def test_a_kiosk_that_is_silent_for_more_than_ten_minutes_is_out_of_service(guide, silent_for, stand):
    """R033/A03: screens.md 6.1, live in/out of service from heartbeats."""
    machine = kiosk("laoshan-load-kiosk-1", "kiosk", heard=MONDAY - silent_for if silent_for else None)
    work.stand_terminal_at(machine.pk, guide["laoshan-load-kiosk-1"].id)

    assert place_of("laoshan-load-kiosk-1").stand(now=MONDAY) == stand


def test_a_kiosk_without_a_machine_promises_nothing(guide):
    assert guide["laoshan-query-kiosk-1"].stand(now=MONDAY) is Stand.UNKNOWN


def test_a_revoked_machine_speaks_for_no_place(guide):
    machine = kiosk("laoshan-load-kiosk-1", "kiosk", heard=MONDAY)
    work.stand_terminal_at(machine.pk, guide["laoshan-load-kiosk-1"].id)
    Terminal.objects.update(revoked_at=MONDAY)

    assert place_of("laoshan-load-kiosk-1").stand(now=MONDAY) is Stand.UNKNOWN


def test_what_a_person_says_goes_before_what_the_machine_says(guide):
    machine = kiosk("laoshan-load-kiosk-1", "kiosk", heard=MONDAY)
    place_id = guide["laoshan-load-kiosk-1"].id
    work.stand_terminal_at(machine.pk, place_id)
    for _ in range(2):
        work.take_out(
            place_id, "超市装修，8 月 20 日恢复", "Shop closed until 20 August", actor=ACTOR, now=MONDAY
        )

    out = place_of("laoshan-load-kiosk-1")
    assert (out.stand(now=MONDAY), out.out_reason_zh) == (Stand.OUT, "超市装修，8 月 20 日恢复")
    work.put_back(place_id, actor=ACTOR, now=MONDAY)
    assert place_of("laoshan-load-kiosk-1").stand(now=MONDAY) is Stand.OPEN
    actions = (
        AuditEvent.objects.filter(object_id="laoshan-load-kiosk-1")
        .order_by("id")
        .values_list("action", flat=True)
    )
    assert list(actions) == ["place.take_out", "place.put_back"]


@pytest.mark.parametrize(
    ("code", "kind"), [("laoshan-load-kiosk-1", "query_kiosk"), ("laoshan-query-kiosk-1", "kiosk"),
                      ("laoshan-center-1", "desk")]
)  # fmt: skip
def test_a_machine_of_another_kind_does_not_stand_there(guide, code, kind):
    machine = kiosk(code, kind)

    with pytest.raises(IntegrityError), transaction.atomic():
        work.stand_terminal_at(machine.pk, guide[code].id)


def test_a_machine_of_another_campus_does_not_stand_there(guide):
    machine = kiosk("yushan-load-kiosk-1", "kiosk")

    with pytest.raises(IntegrityError), transaction.atomic():
        work.stand_terminal_at(machine.pk, guide["laoshan-load-kiosk-1"].id)


def test_two_machines_do_not_stand_at_one_place(guide):
    place_id = guide["laoshan-load-kiosk-1"].id
    work.stand_terminal_at(kiosk("laoshan-load-kiosk-1", "kiosk").pk, place_id)

    with pytest.raises(work.NoSuchPlace):
        work.stand_terminal_at(kiosk("laoshan-load-kiosk-1", "kiosk").pk, place_id)


def test_the_application_deletes_no_place(guide):
    with pytest.raises(Exception, match="permission denied"), transaction.atomic():
        ServicePoint.objects.all().delete()


def test_all_places_take_two_statements(guide, django_assert_num_queries):
    with django_assert_num_queries(2):
        assert len(places.service_points(now=MONDAY)) == 22
