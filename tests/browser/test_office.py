"""The administration in the browser: a number set by two people, from the preview to the history."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import expect

from accounts import wiring
from accounts.actors import Actor
from accounts.models import OperatorRole, PolicyChange
from terminals.services.places import seed_places
from tests.browser.steps import SMALLEST, STICKS_OUT, picture
from tests.reconciliation import desk


@pytest.fixture(autouse=True)
def fresh():
    wiring.forget_policy()
    yield
    wiring.forget_policy()


@pytest.fixture
def staff(transactional_db):
    seed_places(actor=Actor.system("test"), now=timezone.now())
    return (
        desk.operator("admin", OperatorRole.ADMIN, None),
        desk.operator("chief", OperatorRole.SUPERVISOR, None),
    )


def sign_in(context, live_server, person) -> None:
    """With a session of its own, as after password and code."""
    device = TOTPDevice.objects.create(user=person, name="phone", confirmed=True)
    person.set_unusable_password()
    person.save(update_fields=["password"])
    session, moment = SessionStore(), timezone.now().isoformat()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session["staff_since"] = session["staff_seen"] = session["staff_code"] = moment
    session.create()
    context.add_cookies([{"name": "session", "value": session.session_key, "url": live_server.url}])


def test_a_limit_is_raised_by_two_people_and_stands_in_the_history(window, live_server, staff):
    """A02: 自 … 起 50.00 → 80.00, with who and why; the second person sees what the first one saw."""
    page, second = window(), window()
    for one, person in zip((page, second), staff, strict=True):
        sign_in(one.context, live_server, person)
    page.goto(f"{live_server.url}/counter/office/values/")
    page.get_by_role("link", name="初始日限额").click()
    page.get_by_label("新值").fill("80")
    page.get_by_label("理由").fill("食堂调价，校长办公会第 7 次会议")
    page.get_by_role("button", name="预览").click()
    picture(page, "office-preview", page.get_by_text("80.00 元"))
    page.get_by_role("button", name="提交复核").click()
    page.wait_for_url(re.compile(r"/counter/requests/[0-9]+/$"))
    assert not PolicyChange.objects.exists()

    second.goto(page.url)
    expect(second.get_by_text("食堂调价")).to_be_visible()
    second.get_by_role("button", name="同意并办理").click()
    expect(second.get_by_text("已办理。")).to_be_visible()

    page.goto(f"{live_server.url}/counter/office/values/default_limit_fen/")
    expect(page.get_by_text("待生效")).to_be_visible()
    assert PolicyChange.objects.get().value == 80_00


def test_the_pages_fit_a_small_phone_and_the_public_one_too(window, live_server, staff):
    """320 px without scrolling sideways."""
    page = window(locale="en-US", viewport=SMALLEST)
    sign_in(page.context, live_server, staff[0])
    paths = (
        "",
        "values/",
        "values/default_limit_fen/",
        "places/",
        "terminals/",
        "merchants/",
        "merchants/new/",
        "jobs/",
    )
    wide = []
    for path in [*(f"/counter/office/{path}" for path in paths), "/places/"]:
        page.goto(f"{live_server.url}{path}")
        if page.evaluate(STICKS_OUT) > 0:
            wide.append(path)

    assert wide == []
