"""The album of the documents: the main pages of the demo campus, on a telephone and on a desk, in both languages.

Collected only with ECARD_SCREENSHOTS=1 (``conftest.collect_ignore``): it asks nothing that other tests do not ask.
"""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts import wiring
from accounts.models import Account, IssueBatch, IssueItem, Operator, Request, RosterFile
from accounts.models.found import FoundCard
from ecard.demo import alerts
from ecard.demo.counters import live_at_the_counters
from ecard.demo.stage import Stage
from portal.models import Article
from reconciliation.models import Case
from reconciliation.models_disputes import Dispute
from terminals.models import Terminal
from tests.browser.steps import DESKTOP, PHONE, picture
from tests.browser.test_every_page import cookies_of
from tests.counter.test_permissions import staff_session
from transactions.models import Receipt, Shift

pytestmark = pytest.mark.django_db(transaction=True)

DESK_ZH, DESK_EN = ("desktop", "zh"), ("desktop", "en")
PHONE_ZH, PHONE_EN = ("phone", "zh"), ("phone", "en")
EVERY_WAY = (DESK_ZH, DESK_EN, PHONE_ZH, PHONE_EN)
AT_THE_COUNTER = (DESK_ZH, DESK_EN, PHONE_ZH)
IN_THE_OFFICE = (DESK_ZH, DESK_EN)
WINDOWS = {"desktop": DESKTOP, "phone": PHONE}
LANGUAGES = {"zh": "zh-hans", "en": "en"}
ENDS_AT = {"desktop": 1000, "phone": 1000}
"""At how many pixels a picture ends."""

PUBLIC = {
    "home": "/",
    "login": "/login/",
    "news": "/news/",
    "guide": "/guide/",
    "faq": "/faq/",
    "rules": "/rules/",
    "places": "/places/",
    "search": "/search/?q=挂失",
    "lost-found": "/lost-found/",
    "finder": "/lost-found/report/",
    "receipt-check": "/receipt/",
    "statement-check": "/statement-check/",
}
HOLDER = {
    "overview": "/me/",
    "statement": "/me/statement/",
    "statement-print": "/me/statement/print/",
    "analysis": "/me/analysis/",
    "alerts": "/me/alerts/",
    "messages": "/me/messages/",
    "disputes": "/me/disputes/",
    "lost-card": "/me/lost-card/",
    "bank-card": "/me/bank-card/",
    "loss": "/me/loss/",
    "security": "/me/security/",
}


@pytest.fixture
def campus(live_server, tmp_path):
    """The campus of ``./ecardctl demo`` with three weeks behind it."""
    stage = Stage(tmp_path / "demo", live_server.thread.port)
    call_command("seed_demo", "--size", "small", "--wallet", str(stage.cards), stdout=StringIO())
    stage.folder.mkdir(parents=True, exist_ok=True)
    live_at_the_counters(wiring.now(), wallet=stage.cards, desk_config=stage.desk_config)
    alerts.make_alerts(wiring.now())


@pytest.fixture
def show(page, live_server):
    """Visit pages and take their pictures."""

    def visit(client: Client, pages: dict[str, str], area: str, ways=EVERY_WAY) -> None:
        assert [client.get(path).status_code for path in pages.values()] == [200] * len(pages), list(pages)
        for name, path in pages.items():
            for window, language in ways:
                page.goto("about:blank")  # some pages ask the server again and again
                page.context.clear_cookies()
                page.context.add_cookies(cookies_of(client, live_server.url, LANGUAGES[language]))
                page.set_viewport_size(WINDOWS[window])
                page.goto(live_server.url + path)
                called = f"{area}-{name}-{window}-{language}"
                picture(page, called, page.locator("body"), until=ENDS_AT[window])

    return visit


def holder(number: int) -> Client:
    """A browser with the holder of this account signed in."""
    client = Client()
    session, moment = client.session, timezone.now().isoformat()
    session["holder"] = {"account": Account.objects.get(number=number).pk, "since": moment, "seen": moment}
    session.save()
    return client


def member(username: str) -> Client:
    """A browser with this member of staff signed in."""
    client = Client()
    staff_session(client, Operator.objects.get(username=username))
    return client


def newest(model, **wanted) -> int:
    return model.objects.filter(**wanted).order_by("-pk").values_list("pk", flat=True)[0]


def test_the_pages_of_everybody(campus, show):
    article = Article.objects.filter(column="guide").order_by("pk").first()
    show(Client(), PUBLIC | {"article": f"/guide/{article.slug}/"}, "public")


def test_the_pages_of_a_holder(campus, show):
    show(holder(10086), HOLDER, "portal")
    show(holder(10087), {"frozen": "/me/"}, "portal")
    show(holder(10088), {"too-fast": "/me/"}, "portal")


def test_the_pages_of_clerks_and_cashiers(campus, show):
    account = f"/counter/accounts/{newest(Account, number=10086)}/"
    item = IssueItem.objects.order_by("-pk")[0]
    clerk = {
        "search": "/counter/accounts/?q=林晓雨",
        "account": account,
        "open-account": "/counter/accounts/new/",
        "loss": f"{account}loss/",
        "passwords": f"{account}passwords/",
        "replace": f"{account}replace/",
        "close-account": f"{account}close/",
        "roster": "/counter/roster/",
        "roster-file": f"/counter/roster/{newest(RosterFile)}/",
        "issue": f"/counter/roster/issues/{newest(IssueBatch)}/",
        "handover": f"/counter/roster/issues/{item.batch_id}/handover/?unit={item.account.holder.unit}",
        "disputes": "/counter/disputes/",
        "dispute": f"/counter/disputes/{newest(Dispute)}/",
        "found": "/counter/found/",
        "found-card": f"/counter/found/{newest(FoundCard)}/",
    }
    show(member("kawu"), clerk, "counter", AT_THE_COUNTER)
    show(member("shouyin"), {"till-open": "/counter/cash/open/"}, "counter", AT_THE_COUNTER)


def test_the_pages_of_supervisors(campus, show):
    supervisor = {
        "cases": "/counter/cases/",
        "case": f"/counter/cases/{newest(Case, account__number=10090)}/",
        "approvals": "/counter/decisions/",
        "shifts": "/counter/shifts/",
        "shift": f"/counter/shifts/{newest(Shift)}/",
        "receipt": f"/counter/cash/receipts/{newest(Receipt)}/",
        "audit": "/counter/audit/",
        "patterns": "/counter/patterns/",
        "caseload": "/counter/caseload/",
        "me": "/counter/me/",
    }
    show(member("zhuguan"), supervisor, "counter", AT_THE_COUNTER)


def test_the_pages_of_administrators(campus, show):
    admin = {
        "office": "/counter/office/",
        "values": "/counter/office/values/",
        "value": "/counter/office/values/default_limit_fen/",
        "office-places": "/counter/office/places/",
        "terminals": "/counter/office/terminals/",
        "terminal": f"/counter/office/terminals/{newest(Terminal)}/",
        "merchants": "/counter/office/merchants/",
        "partners": "/counter/office/partners/",
        "jobs": "/counter/office/jobs/",
        "operators": "/counter/operators/",
        "operator": f"/counter/operators/{newest(Operator, username='kawu')}/",
    }
    show(member("admin"), admin, "counter", IN_THE_OFFICE)
    show(member("shenji"), {"request": f"/counter/requests/{newest(Request)}/"}, "counter", IN_THE_OFFICE)
