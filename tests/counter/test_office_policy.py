"""Setting a value as an administrator does it: see, preview, confirm or ask, history, calling off."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts import policies, wiring
from accounts.models import AuditEvent, OperatorRole, PolicyChange, PolicyWithdrawal, Request
from accounts.termlist import TERMS
from tests import faults
from tests.counter.pages import browser_of, hidden, old_code, plain, text_of
from tests.reconciliation import desk
from transactions.days import SHANGHAI

BASE = "/counter/office/values"


@pytest.fixture(autouse=True)
def fresh():
    wiring.forget_policy()
    yield
    wiring.forget_policy()


@pytest.fixture
def admin(db):
    return browser_of(desk.operator("root", OperatorRole.ADMIN, None))


@pytest.fixture
def chief(db):
    return browser_of(desk.operator("chief", OperatorRole.SUPERVISOR, None))


def at(days: int = 8) -> str:
    return (timezone.now().astimezone(SHANGHAI) + timedelta(days=days)).strftime("%Y-%m-%dT00:00")


def preview(web, name: str, value: str, **more: str):
    return web.post(f"{BASE}/{name}/", {"value": value, "effective_at": at(), "reason": "办公会决定"} | more)


def confirm(web, name: str, shown) -> object:
    page = text_of(shown)
    fields = {field: hidden(page, field) for field in ("key", "digest", "value", "effective_at", "reason")}
    return web.post(f"{BASE}/{name}/set/", fields)


def test_every_value_is_on_the_page_with_its_words(admin):
    page = plain(admin.get(f"{BASE}/"))

    for term in TERMS.values():
        assert str(term.label) in page
    assert "50.00 元" in page


@pytest.mark.parametrize("name", TERMS)
def test_every_value_has_a_page_of_its_own(admin, name):
    assert admin.get(f"{BASE}/{name}/").status_code == 200


def test_one_person_previews_and_sets_a_word_once_however_often_he_clicks(admin):
    shown = preview(admin, "bank_name_zh", "校园银行")
    assert "中国银行 → 改为 校园银行" in plain(shown)
    assert not PolicyChange.objects.exists()

    page = text_of(shown)
    fields = {field: hidden(page, field) for field in ("key", "digest", "value", "effective_at", "reason")}
    for _ in range(2):
        assert admin.post(f"{BASE}/bank_name_zh/set/", fields).status_code == 302

    assert PolicyChange.objects.count() == 1
    history = plain(admin.get(f"{BASE}/bank_name_zh/"))
    assert "校园银行 待生效" in history
    assert "Root" in history


def test_a_number_about_money_waits_for_a_supervisor_of_all_campuses(admin, chief):
    """自 12-01 00:00 起 50.00 → 80.00, by two people."""
    shown = preview(admin, "default_limit_fen", "80")
    assert "50.00 元 → 改为 80.00 元" in plain(shown)
    asked = confirm(admin, "default_limit_fen", shown)
    request = Request.objects.get()
    assert asked.url == f"/counter/requests/{request.pk}/"
    assert not PolicyChange.objects.exists()

    page = text_of(chief.get(f"/counter/requests/{request.pk}/"))
    assert "初始日限额" in page
    assert "80.00 元" in page
    agreed = chief.post(f"/counter/requests/{request.pk}/agree/", {"digest": hidden(page, "digest")})

    assert agreed.status_code == 302
    change = PolicyChange.objects.get()
    assert (change.value, change.agreed_by != "", change.set_by != change.agreed_by) == (80_00, True, True)
    later = timezone.now() + timedelta(days=30)
    assert policies.read().at(later).policy.default_limit_fen == 80_00


def test_a_supervisor_of_one_campus_does_not_agree_to_it(admin, db):
    confirm(admin, "default_limit_fen", preview(admin, "default_limit_fen", "80"))
    request = Request.objects.get()
    local = browser_of(desk.operator("local", OperatorRole.SUPERVISOR, "laoshan"))

    answer = local.post(
        f"/counter/requests/{request.pk}/agree/", {"digest": bytes(request.content_hash).hex()}
    )

    assert answer.status_code in (404, 409)
    assert not PolicyChange.objects.exists()


def test_an_old_code_is_asked_for_before_money_is_bounded_anew(admin):
    shown = preview(admin, "default_limit_fen", "80")
    old_code(admin, 6)

    answer = confirm(admin, "default_limit_fen", shown)

    assert answer.status_code == 403
    assert "otp_token" in text_of(answer)
    assert not Request.objects.exists()


def test_what_was_changed_by_somebody_else_meanwhile_is_shown_anew(admin):
    first, second = preview(admin, "bank_name_zh", "甲银行"), preview(admin, "bank_name_zh", "乙银行")
    assert confirm(admin, "bank_name_zh", first).status_code == 302

    answer = confirm(admin, "bank_name_zh", second)

    assert answer.status_code == 409
    assert "参数刚被别人改过" in plain(answer)
    assert PolicyChange.objects.count() == 1


BAD = [
    ("value", ""), ("value", "abc"), ("value", "-1"), ("value", "1e9"), ("value", "9999999"), ("value", "\x00"),
    ("value", "999"), ("effective_at", ""), ("effective_at", "tomorrow"), ("effective_at", "2026-02-30T00:00"),
    ("effective_at", "2020-01-01T00:00"), ("effective_at", "9999-12-31T00:00"), ("effective_at", "2030-01-01"),
    ("reason", ""), ("reason", " \u3000"), ("reason", "\u202ex"), ("reason", "x" * 301),
]  # fmt: skip


@pytest.mark.parametrize(("field", "sent"), BAD)
def test_bad_input_is_answered_with_words_and_changes_nothing(admin, field, sent):
    """reliability.md section 7: 4xx, a sentence, nothing written, never a fault of ours."""
    answer = preview(admin, "default_limit_fen", **{"value": "80"} | {field: sent})

    assert 400 <= answer.status_code < 500
    assert "没有设置，原来的值不变" in plain(answer)
    assert not PolicyChange.objects.exists()
    faults.report("OFFICE-BAD-INPUT", 1, 0)


@pytest.mark.parametrize("left_out", ["key", "digest", "value", "effective_at", "reason"])
@pytest.mark.parametrize("wrong", [None, "x", ["a", "b"]])
def test_a_confirmation_that_is_not_whole_sets_nothing(admin, left_out, wrong):
    page = text_of(preview(admin, "bank_name_zh", "校园银行"))
    fields = {field: hidden(page, field) for field in ("key", "digest", "value", "effective_at", "reason")}
    if wrong is None:
        del fields[left_out]
    else:
        fields[left_out] = wrong

    answer = admin.post(f"{BASE}/bank_name_zh/set/", fields)

    assert answer.status_code in (400, 409)
    assert not PolicyChange.objects.exists()


def test_a_value_to_come_is_called_off_with_a_reason_and_the_history_says_so(admin):
    confirm(admin, "bank_name_zh", preview(admin, "bank_name_zh", "校园银行"))
    change = PolicyChange.objects.get()
    path = f"/counter/office/value-changes/{change.pk}/call-off/"

    assert admin.post(path, {"reason": ""}).status_code == 400
    for _ in range(2):
        assert admin.post(path, {"reason": "改期"}).status_code == 302

    assert PolicyWithdrawal.objects.count() == 1
    assert "改期" in plain(admin.get(f"{BASE}/bank_name_zh/"))
    assert AuditEvent.objects.filter(action="policy.call_off").count() == 1
    assert admin.post("/counter/office/value-changes/999999/call-off/", {"reason": "x"}).status_code == 404


def test_an_unknown_value_is_not_found(admin):
    assert admin.get(f"{BASE}/no_such_value/").status_code == 404
    assert admin.post(f"{BASE}/no_such_value/set/").status_code == 404


def test_the_suggested_moment_is_the_next_midnight_on_the_campus(admin):
    page = text_of(admin.get(f"{BASE}/retap/"))
    suggested = re.search(r'value="([0-9-]+T[0-9:]+)"', page)[1]

    moment = datetime.fromisoformat(suggested).replace(tzinfo=SHANGHAI)
    assert moment.hour == moment.minute == 0
    assert timedelta(0) < moment - timezone.now() <= timedelta(days=1)
