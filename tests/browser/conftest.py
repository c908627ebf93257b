"""A real browser on a live server. Pictures go to docs/images when ECARD_SCREENSHOTS=1, else nowhere that is kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

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


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """The system's Chromium, kept from calling home."""
    return {**browser_type_launch_args, "args": [*browser_type_launch_args["args"], *QUIET]}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {**browser_context_args, "locale": "zh-CN", "timezone_id": "Asia/Shanghai"}


@pytest.fixture
def picture(tmp_path):
    """Take a picture of the page, ``whole`` or as far as the window shows it, under a name."""
    kept = os.environ.get("ECARD_SCREENSHOTS") == "1"
    folder = Path(django_settings.BASE_DIR, "docs", "images") if kept else tmp_path
    folder.mkdir(parents=True, exist_ok=True)

    def take(page, name: str, *, whole: bool = True) -> None:
        page.screenshot(path=folder / f"portal-{name}.png", full_page=whole)

    return take


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
    """Come in as a holder would."""

    def come_in(person: Person, pin: str = PIN) -> None:
        page.goto(f"{live_server.url}/login/")
        page.get_by_label("学工号或 5 位帐号").fill(str(person.account.number))
        page.get_by_label("查询密码", exact=True).fill(pin)
        page.get_by_role("button", name="登录", exact=True).click()

    return come_in
