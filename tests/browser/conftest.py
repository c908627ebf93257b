"""A real browser on a live server. What the journeys do in common is in ``tests.browser.steps``."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from terminals.services import jobs
from tests.browser.steps import PATIENCE_MS, staff_in
from tests.campus import Counter, Person, make_person
from tests.portal.conftest import BEFORE_THE_WRITE, PIN, give_pin

QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


collect_ignore = [] if os.environ.get("ECARD_SCREENSHOTS") == "1" else ["test_album.py"]
"""Pictures of every page take minutes and ask nothing."""


@pytest.fixture(scope="session", autouse=True)
def patience():
    """A busy machine makes a page late, not wrong."""
    expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """The system's Chromium, kept from calling home."""
    return {**browser_type_launch_args, "args": [*browser_type_launch_args["args"], *QUIET]}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    """A window at the university; nothing in it moves, so that what is looked at stays where it is."""
    return {
        **browser_context_args,
        "locale": "zh-CN",
        "timezone_id": "Asia/Shanghai",
        "reduced_motion": "reduce",
    }


@pytest.fixture
def window(browser, browser_context_args):
    """Open windows of other people: every call gives the page of a new browser, closed at the end."""
    opened = []

    def open_one(**how):
        opened.append(browser.new_context(**browser_context_args | how))
        return opened[-1].new_page()

    yield open_one
    for context in opened:
        context.close()


@pytest.fixture
def clean_console(page):
    """The strict content security policy and the scripts leave no complaint."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield
    assert not [text for text in complaints if "status of 40" not in text]


@pytest.fixture
def come_in(page, live_server):
    """Sign in as a member of staff, with password and code."""

    def come_in(person, to: str = "/counter/cases/") -> None:
        staff_in(page, live_server, person, to)

    return come_in


@pytest.fixture
def desk_stays(monkeypatch):
    """A reader's program that has spoken once counts as there, however slow this machine is."""
    monkeypatch.setattr(jobs, "AGENT_THERE", timedelta(minutes=10))


@pytest.fixture
def holder(transactional_db) -> Person:
    """Somebody with a day's movements, one of them torn."""
    person = make_person(62_40)
    give_pin(person.account)
    till, shop = Counter(7), Counter(12)
    till.now = shop.now = timezone.now()
    for fen in (4_50, 11_00, 2_00, 6_50, 80):
        till.tap(person, fen)
    shop.tap(person, 3_70)
    shop.tap(person, 1_30, leave_after=BEFORE_THE_WRITE)
    return person


@pytest.fixture
def sign_in(page, live_server):
    """Come in as a holder would, to the page that ``to`` names."""

    def come_in(person: Person, pin: str = PIN, *, to: str = "/me/") -> None:
        page.goto(f"{live_server.url}/login/")
        page.get_by_label("学工号或 5 位帐号").fill(str(person.account.number))
        page.get_by_label("查询密码", exact=True).fill(pin)
        page.get_by_role("button", name="登录", exact=True).click()
        page.wait_for_url(f"**{to}")

    return come_in
