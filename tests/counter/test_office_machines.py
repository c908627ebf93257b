"""Terminals, places, merchants and jobs on the administration's pages."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, JobRun, OperatorRole, Request
from reconciliation.retention import PERIODS
from terminals.models import (
    EnrolmentCode,
    GapRest,
    SecurityEvent,
    ServicePoint,
    SpecialDay,
    Terminal,
    TerminalContact,
    UploadedRecord,
)
from terminals.services import holes
from tests.counter.pages import browser_of, hidden, plain, text_of
from tests.reconciliation import desk
from tests.reconciliation.books import campus
from transactions.days import local_day
from transactions.models import Merchant, MerchantTerms

BASE = "/counter/office"


@pytest.fixture
def admin(db):
    return browser_of(desk.operator("root", OperatorRole.ADMIN, None))


@pytest.fixture
def keeper(db):
    """A supervisor of 崂山."""
    return browser_of(desk.operator("keeper", OperatorRole.SUPERVISOR, "laoshan"))


@pytest.fixture
def shop(db) -> Merchant:
    return Merchant.objects.create(
        id=901, name_zh="学子餐厅", campus=campus("laoshan"), contract_from=local_day(timezone.now())
    )


def machine(shop=None, *, kind="till", silent=timedelta(0), **more) -> Terminal:
    made = Terminal.objects.create(
        **{"name_zh": "三号机", "kind": kind, "campus": campus("laoshan"), "merchant": shop if kind == "till" else None,
           "epoch": 1, "enrolled_at": timezone.now() - timedelta(days=90)} | more
    )  # fmt: skip
    TerminalContact.objects.create(
        terminal=made, last_contact_at=timezone.now() - silent, heartbeat_at=timezone.now() - silent, unsent=7,
        offset_ms=-41_000, free_mb=120,
    )  # fmt: skip
    return made


def wanted(shop, **more) -> dict:
    return {
        "key": str(uuid.uuid4()), "name_zh": "学子餐厅 03 号机", "name_en": "", "kind": "till",
        "campus": str(campus("laoshan").pk), "merchant": str(shop.pk), "at": "", "place": "二楼", "reason": "新窗口",
        "may_sell_offline": "on",
    } | more  # fmt: skip


# ------------------------------------------------------------------------------------------------ terminals


@pytest.mark.parametrize(
    ("silent", "word"),
    [
        (timedelta(minutes=9), "在线"), (timedelta(minutes=11), "脱机"),
        (timedelta(days=2, hours=23, minutes=59), "脱机"), (timedelta(days=3), "静默 3 天以上"),
        (timedelta(days=4, hours=23, minutes=59), "静默 3 天以上"), (timedelta(days=5), "静默 5 天以上"),
    ],
)  # fmt: skip
def test_a_terminal_is_amber_from_three_days_and_red_from_five(admin, shop, silent, word):
    """A03, screens.md 6.11: silent since, amber >= 3 d, red >= 5 d."""
    machine(shop, silent=silent)

    page = plain(admin.get(f"{BASE}/terminals/"))

    assert f"消费终端 {word}" in page


def test_a_terminals_page_tells_what_it_said_last(admin, shop):
    box = machine(shop)
    page = plain(admin.get(f"{BASE}/terminals/{box.pk}/"))

    assert "末号 0，未传 7" in page
    assert "-41.0 秒 请校时" in page
    assert "120 MB 快满了" in page


def test_a_terminal_takes_an_administrator_and_a_supervisor_and_its_code_is_shown_once(admin, keeper, shop):
    """security.md section 5: admin+supervisor create terminal; code 128 bit, once, 24 h."""
    assert admin.post(f"{BASE}/terminals/new/", wanted(shop)).status_code == 302
    request = Request.objects.get()
    assert not Terminal.objects.filter(name_zh="学子餐厅 03 号机").exists()
    hand = f"{BASE}/requests/{request.pk}/code/"
    assert admin.post(hand).status_code == 409

    page = text_of(keeper.get(f"/counter/requests/{request.pk}/"))
    assert "学子餐厅 03 号机" in page
    assert (
        keeper.post(f"/counter/requests/{request.pk}/agree/", {"digest": hidden(page, "digest")}).status_code
        == 302
    )
    assert keeper.post(hand).status_code == 403
    assert not EnrolmentCode.objects.exists()

    shown = admin.post(hand)
    assert shown.status_code == 200
    assert EnrolmentCode.objects.count() == 1
    again = admin.post(hand)
    assert again.status_code == 409
    assert EnrolmentCode.objects.count() == 1
    terminal = Terminal.objects.get(name_zh="学子餐厅 03 号机")
    assert (terminal.merchant_id, terminal.may_sell_offline, terminal.epoch) == (shop.pk, True, 0)
    assert "no-store" in shown.headers["Cache-Control"]


def test_a_supervisor_of_another_campus_does_not_agree_to_a_terminal_here(admin, shop):
    admin.post(f"{BASE}/terminals/new/", wanted(shop))
    request = Request.objects.get()
    campus("yushan")
    other = browser_of(desk.operator("other", OperatorRole.SUPERVISOR, "yushan"))

    digest = bytes(request.content_hash).hex()
    assert other.post(f"/counter/requests/{request.pk}/agree/", {"digest": digest}).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"merchant": ""}, {"kind": "desk"}, {"kind": "nothing"}, {"campus": "999"}, {"merchant": "999"},
        {"name_zh": ""}, {"name_zh": "x" * 61}, {"name_zh": "\u200b"}, {"reason": ""}, {"key": "x"},
        {"kind": "kiosk", "merchant": "", "may_sell_offline": "on"}, {"at": "999"},
    ],
)  # fmt: skip
def test_a_terminal_that_cannot_be_is_refused_with_words(admin, shop, change):
    answer = admin.post(f"{BASE}/terminals/new/", wanted(shop, **change))

    assert answer.status_code == 400
    assert "没有提交" in plain(answer)
    assert not Request.objects.exists()


def test_a_till_gets_a_new_code_from_one_person_a_machine_that_loads_cards_from_two(admin, shop):
    till, kiosk = machine(shop), machine(kind="kiosk")
    for box in (till, kiosk):
        admin.post(f"{BASE}/terminals/{box.pk}/code/", {"key": str(uuid.uuid4()), "reason": "换钥"})

    assert list(EnrolmentCode.objects.values_list("terminal_id", flat=True)) == [till.pk]
    assert Request.objects.get().kind == "terminal.code"


def test_a_stolen_terminal_is_shut_out_by_one_supervisor_at_once(keeper, shop):
    box = machine(shop)
    path = f"{BASE}/terminals/{box.pk}/revoke/"

    assert keeper.post(path, {"reason": ""}).status_code == 400
    for _ in range(2):
        assert keeper.post(path, {"reason": "被盗"}).status_code == 302

    box.refresh_from_db()
    assert box.revoked_at is not None
    assert AuditEvent.objects.filter(action="terminal.revoke").count() == 1
    assert "已注销" in plain(keeper.get(f"{BASE}/terminals/{box.pk}/"))


def record(box: Terminal, seq: int, *, ago=timedelta(days=3)) -> None:
    UploadedRecord.objects.create(
        terminal=box, journal="ab" * 16, seq=seq, kind="sale", prev_mac="0", mac=str(seq), raw="{}",
        received_at=timezone.now() - ago,
    )  # fmt: skip


def alarms() -> int:
    SecurityEvent.objects.all()
    return holes.alarm(now=timezone.now())


def test_an_alarm_about_records_that_never_come_is_put_to_rest_and_wakes_when_more_is_missing(keeper, shop):
    """B4: of a burnt till the alarm would come every night for ever."""
    box = machine(shop, silent=timedelta(days=9))
    for seq in (1, 4):
        record(box, seq)
    assert alarms() == 1
    path, fields = f"{BASE}/terminals/{box.pk}/rest/", {"journal": "ab" * 16, "missing": "2"}
    assert "缺 2 笔 自 2 号起" in plain(keeper.get(f"{BASE}/terminals/{box.pk}/"))

    assert keeper.post(path, fields | {"reason": ""}).status_code == 400
    assert keeper.post(path, fields | {"reason": "烧毁", "missing": "3"}).status_code == 409
    assert keeper.post(path, fields | {"reason": "烧毁", "journal": "cd" * 16}).status_code == 409
    assert GapRest.objects.count() == 0
    for _ in range(2):
        assert keeper.post(path, fields | {"reason": "烧毁，无法读出"}).status_code == 302

    assert (GapRest.objects.count(), alarms()) == (1, 0)
    assert "确认不会再来" in plain(keeper.get(f"{BASE}/terminals/{box.pk}/"))
    record(box, 6)
    assert alarms() == 1


# --------------------------------------------------------------------------------------------------- places


@pytest.fixture
def hall(db) -> ServicePoint:
    return ServicePoint.objects.create(
        code="hall", kind="center", campus=campus("laoshan"), name_zh="接待大厅", name_en="Hall"
    )


def test_an_administrator_changes_names_and_hours_and_everybody_sees_them(admin, client, hall):
    path = f"{BASE}/places/{hall.pk}/"
    fields = {
        "name_zh": "新大厅",
        "name_en": "New Hall",
        "day_1": "8:00-11:30，13:30-17:00",
        "day_2": "8:00-11:30，13:30-17:00",
    }

    assert admin.post(path, fields).status_code == 302

    page = plain(client.get("/places/"))
    assert "新大厅" in page
    assert "周一至周二 8:00–11:30，13:30–17:00" in page
    assert "New Hall" in plain(client.get("/places/", headers={"Accept-Language": "en"}))


@pytest.mark.parametrize(
    "change", [{"name_zh": ""}, {"name_en": ""}, {"day_3": "8-9"}, {"day_3": "9:00-8:00"}, {"day_7": "x" * 81},
               {"name_zh": ["a", "b"]}]
)  # fmt: skip
def test_hours_that_are_none_are_refused_and_nothing_changes(admin, hall, change):
    fields = {"name_zh": "大厅", "name_en": "Hall", "day_1": "8:00-12:00"} | change

    assert admin.post(f"{BASE}/places/{hall.pk}/", fields).status_code == 400
    hall.refresh_from_db()
    assert (hall.name_zh, hall.hours) == ("接待大厅", {})


def test_a_place_is_taken_out_of_service_with_a_reason_for_everybody(keeper, client, hall):
    path = f"{BASE}/places/{hall.pk}"
    assert keeper.post(f"{path}/out/", {"reason_zh": ""}).status_code == 400
    assert keeper.post(f"{path}/out/", {"reason_zh": "停电检修", "reason_en": "Power cut"}).status_code == 302

    assert "暂停服务 停电检修" in plain(client.get("/places/"))
    assert keeper.post(f"{path}/back/").status_code == 302
    assert "停电检修" not in plain(client.get("/places/"))


def test_who_keeps_one_campus_marks_days_of_that_one(keeper, admin, hall):
    day = (local_day(timezone.now()) + timedelta(days=3)).isoformat()
    fields = {"on": day, "kind": "closed", "name_zh": "校庆"}

    assert keeper.post(f"{BASE}/days/add/", fields).status_code == 400
    fields["campus"] = str(campus("laoshan").pk)
    assert keeper.post(f"{BASE}/days/add/", fields).status_code == 302
    assert keeper.post(f"{BASE}/days/add/", fields).status_code == 409
    assert admin.post(f"{BASE}/days/add/", {**fields, "campus": ""}).status_code == 302
    everywhere = SpecialDay.objects.get(campus=None)
    assert keeper.post(f"{BASE}/days/{everywhere.pk}/drop/").status_code == 404
    assert SpecialDay.objects.count() == 2


@pytest.mark.parametrize("on", ["", "x", "2026-13-01", "2020-01-01", "99999-01-01", "\x00"])
def test_a_day_that_is_none_or_over_is_refused(admin, on):
    answer = admin.post(f"{BASE}/days/add/", {"on": on, "kind": "closed", "name_zh": "x", "campus": ""})

    assert answer.status_code == 400
    assert not SpecialDay.objects.exists()


# ------------------------------------------------------------------------------------------------ merchants


def contract(**more) -> dict:
    today = local_day(timezone.now())
    return {
        "key": str(uuid.uuid4()), "name_zh": "新苑餐厅", "name_en": "", "campus": str(campus("laoshan").pk),
        "category": "canteen", "contract_no": "HT-1", "contract_from": today.isoformat(), "contract_until": "",
        "fee_bp": "0.60", "settlement": "monthly", "reason": "签约",
    } | more  # fmt: skip


def test_a_merchant_is_registered_once_with_its_terms(admin):
    fields = contract()
    first = [admin.post(f"{BASE}/merchants/new/", fields) for _ in range(2)]

    assert {answer.status_code for answer in first} == {302}
    assert MerchantTerms.objects.get().fee_bp == 60
    assert "0.60%" in plain(admin.get(first[0].url))


@pytest.mark.parametrize(
    "change",
    [
        {"fee_bp": "11"}, {"fee_bp": "-1"}, {"fee_bp": "0.601"}, {"fee_bp": ""}, {"fee_bp": "x"},
        {"contract_from": ""}, {"contract_until": "2020-01-01"}, {"campus": "9"}, {"category": "x"},
        {"settlement": "never"}, {"name_zh": " "}, {"reason": ""}, {"key": ""},
    ],
)  # fmt: skip
def test_a_merchant_that_cannot_be_is_refused_with_words(admin, change):
    answer = admin.post(f"{BASE}/merchants/new/", contract(**change))

    assert answer.status_code == 400
    assert not Merchant.objects.filter(name_zh="新苑餐厅").exists()


def test_a_contract_that_is_over_is_red_and_counted(admin, shop):
    Merchant.objects.filter(pk=shop.pk).update(
        contract_from=local_day(timezone.now()) - timedelta(days=9),
        contract_until=local_day(timezone.now()) - timedelta(days=1),
    )

    assert "合同已到期" in plain(admin.get(f"{BASE}/merchants/"))
    assert "1 家没有有效合同" in plain(admin.get(f"{BASE}/"))


def test_terms_begin_tomorrow_at_the_earliest(admin, shop):
    MerchantTerms.objects.create(
        merchant=shop, effective_on=local_day(timezone.now()), fee_bp=0, settlement="daily", set_at=timezone.now(),
        set_by="operator:1", reason="x", key=uuid.uuid4(),
    )  # fmt: skip
    today = local_day(timezone.now())
    fields = {"key": str(uuid.uuid4()), "fee_bp": "0.80", "settlement": "weekly", "reason": "续签"}
    path = f"{BASE}/merchants/{shop.pk}/terms/"

    assert admin.post(path, fields | {"effective_on": today.isoformat()}).status_code == 409
    tomorrow = (today + timedelta(days=1)).isoformat()
    assert admin.post(path, fields | {"effective_on": tomorrow}).status_code == 302
    assert "0.80%" in plain(admin.get(f"{BASE}/merchants/{shop.pk}/"))


# ----------------------------------------------------------------------------------------------------- jobs


def test_a_late_night_is_a_red_banner_and_a_failed_run_says_why(admin):
    """A04: last run, duration, next due, crashed runs visible."""
    started = timezone.now() - timedelta(hours=30)
    JobRun.objects.create(
        job="reconcile",
        started_at=started,
        ended_at=started + timedelta(seconds=72),
        result="ok",
        counts={"compared": 7},
    )
    JobRun.objects.create(
        job="verify",
        started_at=started,
        ended_at=started,
        result="failed",
        error="3 broken",
        counts={"broken": 3},
    )
    page = plain(admin.get(f"{BASE}/jobs/"))

    assert "夜间任务没有按时完成" in page
    assert "72 秒" in page
    assert "比对 7" in page
    assert "上次失败" in page
    assert "3 broken" in page
    runs = text_of(admin.get(f"{BASE}/jobs/reconcile/"))
    assert runs.count("<rect") == 1
    assert admin.get(f"{BASE}/jobs/nothing/").status_code == 404


def test_the_pages_ask_the_database_as_often_however_much_there_is(
    admin, shop, django_assert_max_num_queries
):
    for _ in range(12):
        machine(shop, silent=timedelta(days=4))
    pages = {"": 16, "terminals/": 14, "merchants/": 12, "jobs/": 12, "values/": 10, "places/": 12}
    for page in pages:
        admin.get(f"{BASE}/{page}")

    for page, most in pages.items():
        with django_assert_max_num_queries(most):
            assert admin.get(f"{BASE}/{page}").status_code == 200


def test_the_job_that_lets_go_shows_how_long_everything_is_kept(admin):
    """A09: the table of periods, read only."""
    page = plain(admin.get(f"{BASE}/jobs/retention/"))

    assert all(str(period.what) in page for period in PERIODS)
    assert page.count("不删除") > 2
    assert "资料保存多久" not in plain(admin.get(f"{BASE}/jobs/verify/"))
