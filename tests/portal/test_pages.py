"""What every page has in common: its policy, its languages, its errors, its looks."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import LoginRecord
from portal.places import centers_shown
from portal.views import public
from terminals import guide_places
from terminals.models import ServicePoint, Terminal, TerminalContact
from terminals.services.places import seed_places
from tests.campus import make_campus
from tests.portal.conftest import text_of
from transactions.days import SHANGHAI

ROOT = Path(settings.BASE_DIR)
PUBLIC = ["/", "/places/", "/login/", "/counter/login/"]
PERSONAL = ["/me/", "/me/statement/", "/me/loss/", "/me/security/", "/me/alerts/"]


def policy_of(response) -> dict[str, str]:
    parts = response.headers["Content-Security-Policy"].split(";")
    return dict(part.strip().split(" ", 1) for part in parts)


@pytest.mark.parametrize("path", [*PUBLIC, *PERSONAL, "/nowhere/"])
def test_every_page_is_clean_under_the_strict_policy(web, path):
    """reliability.md E4: default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'."""
    answer = web.get(path)
    page = text_of(answer)

    policy = policy_of(answer)
    assert policy["default-src"] == "'self'"
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", page)
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)


@pytest.mark.parametrize("path", [*PUBLIC, *PERSONAL])
def test_every_page_has_its_landmarks_and_one_heading(web, path):
    page = text_of(web.get(path))

    assert '<a class="skip" href="#main">' in page
    assert page.count("<main ") == page.count("<h1") == 1
    assert page.count("<table") == page.count("<caption")
    for field in re.findall(r'<(?:input|select)(?![^>]*type="hidden")[^>]*\sid="([^"]+)"', page):
        assert f'for="{field}"' in page


@pytest.mark.parametrize("path", ["/me/", "/me/statement/?kind=opening", "/login/"])
def test_the_language_changes_without_losing_the_place(web, path):
    """screens.md: zh default, en switch on every page (no re-login)."""
    assert '<html lang="zh-hans">' in text_of(web.get(path))
    place = re.search(r'name="next" value="([^"]+)"', text_of(web.get(path)))[1]

    answer = web.post("/i18n/setlang/", {"language": "en", "next": place})

    assert answer.url == path
    page = text_of(web.get(path))
    assert '<html lang="en">' in page
    assert not re.search(r"[\u4e00-\u9fff]", re.sub(r"中文|示范一餐厅|崂山校区|张\*|\d+号机", "", page))


def test_the_language_switch_leads_to_no_other_site(client, db):
    answer = client.post("/i18n/setlang/", {"language": "en", "next": "https://evil.example/"})

    assert answer.url == "/"


def test_a_page_that_does_not_exist_says_so_in_the_reader_s_words(client, db):
    answer = client.get("/nowhere/")

    assert answer.status_code == 404
    assert "没有这个页面" in text_of(answer)
    assert "回到首页" in text_of(answer)


def test_a_fault_shows_a_calm_page_and_no_detail(client, db, monkeypatch):
    def broken(**kwargs):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(public, "silent_tills", broken)
    client.raise_request_exception = False

    answer = client.get("/")

    assert answer.status_code == 500
    assert "系统出错了" in text_of(answer)
    assert "secret detail" not in text_of(answer)


def test_a_wrong_host_gets_nothing(client, db):
    """Item 87."""
    client.raise_request_exception = False

    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("path", ["/login/?next=%ff", "/me/loss/%ff%fe/", "/%00"])
def test_broken_bytes_in_an_address_break_nothing(web, path):
    """Item 91."""
    assert web.get(path).status_code in {200, 404}


@pytest.mark.parametrize("method", ["put", "patch", "delete", "trace"])
@pytest.mark.parametrize("path", [*PUBLIC, *PERSONAL])
def test_other_methods_are_not_offered(web, method, path):
    """Item 85."""
    assert getattr(web, method)(path).status_code == 405


class TestHome:
    """Big actions, the state of the system, where to go."""

    def test_offers_loss_and_query_first(self, client, db):
        page = text_of(client.get("/"))

        assert page.index('href="/login/?next=/me/loss/"') < page.index('href="/me/"')
        assert "系统正常" in page

    @pytest.mark.parametrize(("minutes", "words"), [(9, "系统正常"), (11, "1 台终端脱机")])
    def test_counts_the_tills_that_fell_silent(self, client, db, minutes, words):
        """screens.md 6.1: silent for more than ten minutes."""
        campus, merchant = make_campus()
        till = Terminal.objects.create(
            name_zh="7号机",
            kind="till",
            campus=campus,
            merchant=merchant,
            epoch=1,
            enrolled_at=timezone.now(),
        )
        heard_at = timezone.now() - timedelta(minutes=minutes)
        TerminalContact.objects.create(terminal=till, last_contact_at=heard_at)

        assert words in text_of(client.get("/"))

    def test_names_the_three_centers_of_the_guide(self, client, db):
        """指南 L21-27."""
        page = text_of(client.get("/"))

        for place in ("崂山校区", "鱼山校区", "浮山校区", "逸夫馆"):
            assert place in page

    @pytest.mark.parametrize(
        ("moment", "expected"),
        [
            (datetime(2026, 11, 23, 7, 59, 59, tzinfo=SHANGHAI), False),
            (datetime(2026, 11, 23, 8, 0, tzinfo=SHANGHAI), True),
            (datetime(2026, 11, 23, 11, 30, tzinfo=SHANGHAI), False),
            (datetime(2026, 11, 23, 13, 30, tzinfo=SHANGHAI), True),
            (datetime(2026, 11, 23, 17, 0, tzinfo=SHANGHAI), False),
            (datetime(2026, 11, 22, 10, 0, tzinfo=SHANGHAI), False),
        ],
    )
    @pytest.mark.parametrize("set_up", [True, False], ids=["places set up", "as in the guide"])
    def test_knows_when_they_are_open(self, db, set_up, moment, expected):
        if set_up:
            seed_places(actor=Actor.system("test"), now=moment)

        assert centers_shown(now=moment)["open"] is expected


class TestPlaces:
    """R008, R033, R066: every place of the guide on one public page, with how it stands now."""

    @pytest.mark.parametrize("set_up", [True, False], ids=["places set up", "as in the guide"])
    def test_lists_every_place_of_the_guide(self, client, db, set_up):
        if set_up:
            seed_places(actor=Actor.system("test"), now=timezone.now())

        page = text_of(client.get("/places/"))

        for seed in guide_places.seeds():
            assert seed.name_zh in page
        assert page.count('class="place-name"') == 22

    def test_speaks_english(self, client, db):
        page = text_of(client.get("/places/", headers={"Accept-Language": "en"}))

        assert "Kanghuida Supermarket, porch" in page
        assert "Load kiosk" in page

    def test_a_kiosk_that_is_silent_is_out_of_service_and_one_that_speaks_is_not(self, client, db):
        seed_places(actor=Actor.system("test"), now=timezone.now())
        for code, ago in (("laoshan-load-kiosk-1", 30), ("yushan-load-kiosk-1", 3600)):
            place = ServicePoint.objects.get(code=code)
            machine = Terminal.objects.create(name_zh="机", kind="kiosk", campus=place.campus)
            heard = timezone.now() - timedelta(seconds=ago)
            TerminalContact.objects.create(terminal=machine, last_contact_at=heard)
            ServicePoint.objects.filter(pk=place.pk).update(terminal=machine)

        page = text_of(client.get("/places/"))

        assert page.count("服务中") == page.count("暂停服务") == 1


def test_the_session_cookie_is_out_of_reach_of_scripts(web):
    cookie = web.cookies["session"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_a_forged_address_header_is_not_believed(client, holder, settings):
    """Item 88: without proxies of ours the header is the caller's own invention."""
    settings.TRUSTED_PROXY_HOPS = 0
    client.post(
        "/login/", {"identifier": "99999", "pin": "111222"}, headers={"x-forwarded-for": "203.0.113.9"}
    )
    settings.TRUSTED_PROXY_HOPS = 1
    client.post(
        "/login/",
        {"identifier": "99999", "pin": "111222"},
        headers={"x-forwarded-for": "198.51.100.1, 203.0.113.9"},
    )

    assert [record.source for record in LoginRecord.objects.order_by("pk")] == [
        "web:127.0.0.1",
        "web:203.0.113.9",
    ]


# ------------------------------------------------------------------------------------------------- looks


def tokens() -> list[dict[str, str]]:
    """The colours of the light and of the dark design."""
    css = (ROOT / "static/css/tokens.css").read_text()
    light, dark = css.split("prefers-color-scheme: dark")
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part)) for part in (light, dark)]
    return [found[0], found[0] | found[1]]


def luminance(colour: str) -> float:
    channels = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("ink", "paper"),
        ("ink", "surface"),
        ("ink", "sunken"),
        ("ink-soft", "paper"),
        ("ink-soft", "surface"),
        ("ink-soft", "sunken"),
        ("brand", "surface"),
        ("brand", "paper"),
        ("brand", "brand-soft"),
        ("on-brand", "brand"),
        ("on-brand", "brand-strong"),
        ("good", "good-soft"),
        ("good", "surface"),
        ("warn", "warn-soft"),
        ("warn", "surface"),
        ("bad", "bad-soft"),
        ("bad", "surface"),
        ("surface", "bad"),
        ("ink", "good-soft"),
        ("ink", "warn-soft"),
        ("ink", "bad-soft"),
        ("ink-soft", "bad-soft"),
        ("ink", "brand-soft"),
        ("card-ink", "card-from"),
        ("card-ink-soft", "card-from"),
        ("card-ink-soft", "card-to"),
    ],
)
def test_text_stands_out_from_its_ground(text, ground):
    """WCAG 2.2 AA, 1.4.3: 4.5 : 1."""
    for colours in tokens():
        assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("line", ["line-strong", "focus", "brand"])
def test_borders_and_focus_stand_out(line):
    """WCAG 2.2 AA, 1.4.11: 3 : 1."""
    for colours in tokens():
        assert contrast(colours[line], colours["surface"]) >= 3
        assert contrast(colours[line], colours["paper"]) >= 3


def test_the_design_asks_no_other_site_for_anything():
    for path in sorted((ROOT / "static").rglob("*.*")):
        if path.suffix == ".png":
            continue
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text


def test_a_browser_that_asks_for_english_gets_it_at_once(db):
    reader = Client(headers={"accept-language": "en"})

    assert "Laoshan campus" in text_of(reader.get("/"))
