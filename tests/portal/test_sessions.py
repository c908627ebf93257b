"""Ten minutes idle, two hours in all, warned before and extendable."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import wiring
from tests.portal.conftest import text_of


@pytest.fixture
def later(settings, monkeypatch):
    """Let time pass, counted from now."""
    start = timezone.now()
    monkeypatch.setattr(wiring, "_STARTED_S", time.monotonic())

    def pass_by(**span: float) -> None:
        settings.ECARD_NOW = start + timedelta(**span)

    return pass_by


def test_ends_after_ten_idle_minutes(web, later):
    later(minutes=9, seconds=50)
    assert web.get("/me/").status_code == 200

    later(minutes=19, seconds=51)

    answer = web.get("/me/", follow=True)
    assert answer.redirect_chain[0][0].startswith("/login/")
    assert "长时间未操作已自动退出" in text_of(answer)


def test_ends_after_two_hours_whatever_is_done(web, later):
    for minutes in range(9, 118, 9):
        later(minutes=minutes)
        assert web.get("/me/").status_code == 200

    later(hours=2, seconds=1)

    assert web.get("/me/").status_code == 302


def test_tells_the_page_how_long_it_lasts(web, later):
    seconds = int(re.search(r'data-seconds="(\d+)"', text_of(web.get("/me/")))[1])
    assert 580 <= seconds <= 600

    later(minutes=9)

    assert web.post("/me/extend/").json()["seconds"] >= 590


def test_cannot_be_extended_beyond_two_hours(web, later):
    for minutes in range(9, 118, 9):
        later(minutes=minutes)
        web.get("/me/")

    page = text_of(web.get("/me/"))

    assert 'data-extendable="0"' in page
    assert "接近两小时" in page


def test_an_ended_session_cannot_be_extended(web, later):
    later(minutes=11)

    answer = web.post("/me/extend/")

    assert answer.status_code == 401


def test_most_pages_write_nothing(web):
    web.get("/me/loss/")

    with CaptureQueriesContext(connection) as asked:
        web.get("/me/loss/")

    assert not [query for query in asked.captured_queries if query["sql"].startswith(("UPDATE", "INSERT"))]
