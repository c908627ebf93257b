"""What no cardholder may do on the web: un-loss, consumption password, limit, unfreezing (R048, R072, R077).

Not switched off but not there: every address of the site is asked by a holder whose card is lost and frozen, with
everything that the counter's forms ask for; the portal's code does not know the services; its forms are counted.
"""

from __future__ import annotations

import ast
import re
import sys
import uuid
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest
from django.apps import apps
from django.conf import settings as project
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver, path
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Account, Card, Secret, SecretKind
from accounts.services.rows import By
from accounts.services.standing import freeze, report_lost
from ecard.urls import urlpatterns as real_addresses
from portal.access import holder_required
from purse.rules import FreezeReason
from tests import faults
from tests.campus import Person, make_person
from tests.counter.test_permissions import OURS, addresses, make_world, path_of
from tests.portal.conftest import NEW_PIN, PIN, give_pin, sign_in, text_of

LIMIT_FEN = 50_00
TOLD = {"accounts_auditevent", "accounts_loginrecord", "accounts_attempt", "accounts_staffsession"}
"""What only says that somebody asked."""
GUESSED = (
    *("un-loss", "unloss", "lift-loss", "found", "loss/lift", "loss/cancel", "loss/undo", "jiegua"),
    *("limit", "set-limit", "change-limit", "security/limit", "unfreeze", "freeze", "thaw", "jiedong"),
    *("consumption", "consumption-password", "passwords", "security/consumption", "pin", "pad", "set-pin"),
)
OF_THE_DESK = {"counter:login", "counter:logout", "counter:pad", "admin:login", "admin:logout"}
"""The doors themselves, and the pad on the desk, which opens with a key that a clerk gives out, not with a session."""
SHORT_OF_THE_COUNTER = {302, 403, 404, 405}
"""To the door, forbidden, not there, not offered so."""


@pytest.fixture
def holder(db) -> Person:
    """With a number that no other world of the tests gives away."""
    person = make_person(28_40, number=45_678)
    give_pin(person.account)
    return person


@pytest.fixture
def shut_out(holder) -> Account:
    """A holder whose card is lost and whose account is frozen, so that anything taken back would show."""
    account = holder.account
    actor = Actor.system("test")
    freeze(account.pk, [FreezeReason.BY_HAND], by=By(actor, timezone.now(), "test"))
    report_lost(account.pk, key=uuid.uuid4(), actor=actor, now=timezone.now())
    return holder.fresh()


@pytest.fixture
def mine(holder, shut_out) -> Client:
    """The holder, signed in, with the token of his pages."""
    client = Client(enforce_csrf_checks=True)
    client.get("/login/")
    assert sign_in(client, holder, csrfmiddlewaretoken=client.cookies["csrf"].value).status_code == 302
    return client


def deed() -> dict[str, str]:
    """Everything that any form of the counter asks for."""
    pins = {"pin": PIN, "old": PIN, "new": NEW_PIN, "again": NEW_PIN, "old_pin": PIN, "new_pin": NEW_PIN}
    wishes = dict.fromkeys(("task", "kind", "secret", "password"), "consumption")
    flags = {"action": "unfreeze", "lost": "0", "lost_at": "", "frozen": "0", "unfreeze": "1", "un_loss": "1"}
    return (
        {
            "key": str(uuid.uuid4()),
            "document": "resident",
            "last4": "1234",
            "reason": "找到了",
            "text": "找到了",
            "limit": "600.00",
            "amount": "1.00",
            "confirm": "1",
        }
        | pins
        | wishes
        | flags
    )


def send(client: Client, where: str):
    token = client.cookies["csrf"].value
    return client.post(where, deed() | {"csrfmiddlewaretoken": token}, headers={"x-csrftoken": token})


def standing_of(account_id: int) -> dict[str, object]:
    """What the web must leave as it is."""
    account, card = Account.objects.get(pk=account_id), Card.objects.get(account_id=account_id)
    return {
        "frozen": account.frozen_at,
        "limit": account.daily_limit_fen,
        "money": (account.book_fen, account.unclaimed_fen, account.entry_seq),
        "lost": card.lost_at,
        "life": (account.life, card.life),
        "consumption": Secret.objects.get(account_id=account_id, kind=SecretKind.CONSUMPTION).pin_hash,
    }


def rows() -> dict[str, int]:
    """How many rows each table of ours has."""
    models = [model for model in apps.get_models() if model._meta.app_label in OURS and model._meta.managed]
    return {
        model._meta.db_table: model._base_manager.count()
        for model in models
        if model._meta.db_table not in TOLD
    }


def changed_by_the_portal(client: Client, account_id: int, *, below: str = "") -> list[str]:
    """Every address below this one that a holder may ask, asked with everything; what changed, and by which."""
    values = dict.fromkeys(("entry_seq", "dispute_id", "post_id"), 1) | {"reference": "261123000000"}
    before, found = standing_of(account_id), []
    for name, route in sorted(set(addresses())):
        if name.startswith(("counter:", "admin:")) or name == "portal:logout" or not route.startswith(below):
            continue
        named = dict.fromkeys(re.findall(r"<(?:\w+:)?(\w+)>", route), "x") | values
        for ask in (client.get, partial(send, client)):
            ask(path_of(route, named))
            if (after := standing_of(account_id)) != before:
                found.append(f"{name} changes {[what for what in after if after[what] != before[what]]}")
                before = after
    return found


# ---------------------------------------------------------------------------------------------- every address


def test_no_address_of_the_portal_changes_what_only_the_counter_may(mine, shut_out):
    assert standing_of(shut_out.pk)["limit"] == LIMIT_FEN

    assert changed_by_the_portal(mine, shut_out.pk) == []
    assert mine.get("/me/").status_code == 200  # still signed in: the requests were a holder's


def test_a_planted_route_is_noticed(mine, shut_out, settings, monkeypatch):
    """The test above can fail."""

    @holder_required()
    def planted(request):
        Account.objects.filter(pk=request.account.id).update(daily_limit_fen=600_00)
        return HttpResponse("ok")

    site = ModuleType("planted_addresses")
    site.urlpatterns = [path("me/welcome-back/", planted, name="planted"), *real_addresses]
    monkeypatch.setitem(sys.modules, site.__name__, site)
    settings.ROOT_URLCONF = site.__name__

    assert "planted changes ['limit']" in changed_by_the_portal(mine, shut_out.pk, below="me/w")


def test_the_counter_lets_no_holder_in_and_writes_nothing(mine, shut_out):
    world = make_world() | {"account_id": shut_out.pk}
    before, standing, wrong, asked = rows(), standing_of(shut_out.pk), [], 0

    for name, route in sorted(set(addresses())):
        if name.startswith(("counter:", "admin:")) and name not in OF_THE_DESK:
            answer = send(mine, path_of(route, world))
            asked += 1
            short = answer.status_code in SHORT_OF_THE_COUNTER and "/login/" in answer.get(
                "Location", "/login/"
            )
            if not short:
                wrong.append(f"{name} {answer.status_code} {answer.get('Location')}")

    faults.report("NEVER", asked, len(wrong))
    assert wrong == []
    assert asked > 100
    assert rows() == before
    assert standing_of(shut_out.pk) == standing


def test_no_guessed_address_is_there(mine, shut_out):
    before, standing = rows(), standing_of(shut_out.pk)

    for guess in GUESSED:
        for where in (f"/me/{guess}/", f"/{guess}/", f"/portal/{guess}/"):
            assert send(mine, where).status_code in {404, 405}, where

    assert rows() == before
    assert standing_of(shut_out.pk) == standing


# ---------------------------------------------------------------------------------------------------- the code

DEEDS = {
    *("lift_loss", "take_back", "unfreeze", "set_limit", "change_limit", "set_pin", "reset_to_initial"),
    *("give_initial", "verify_consumption", "AtCounter", "AtLoadKiosk", "CONSUMPTION"),
}
ROOMS = {
    *(
        "accounts.services.limits",
        "accounts.services.pinpad",
        "accounts.services.deeds",
        "accounts.services.cards",
    ),
    *("accounts.services.policy", "reconciliation.services.decisions", "reconciliation.services.remedies"),
    *("reconciliation.services.errands", "reconciliation.services.desk", "transactions.services.corrections"),
    *("transactions.services.desk", "transactions.services.credit", "terminals.services.jobs"),
}


def knows(code: str) -> set[str]:
    """The deeds and rooms that a piece of Python names."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            named = {alias.name for alias in node.names}
            found |= (named & DEEDS) | ({node.module, *(f"{node.module}.{name}" for name in named)} & ROOMS)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & ROOMS
        elif isinstance(node, ast.Attribute):
            found |= {node.attr} & DEEDS
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value} & (DEEDS | {"consumption"})
    return found


def test_the_portal_does_not_know_the_services():
    code = sorted(Path(project.BASE_DIR, "portal").rglob("*.py"))

    assert len(code) > 20
    assert {file.name: known for file in code if (known := knows(file.read_text()))} == {}


@pytest.mark.parametrize(
    "line",
    [
        "from accounts.services.standing import lift_loss",
        "standing.unfreeze(1)",
        "from accounts.services import limits",
        "import accounts.services.limits",
        "passwords.change_pin(1, SecretKind.CONSUMPTION, typed)",
        "getattr(standing, 'unfreeze')(1)",
        "SecretKind('consumption')",
    ],
)
def test_knowing_them_is_noticed(line):
    assert knows(line)


# --------------------------------------------------------------------------------------------------- the forms


class Forms(HTMLParser):
    """The forms of a page: where they go, and what they ask."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, set[str]]] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form":
            self.found.append((f"{given.get('method', 'get')} {given.get('action', '')}", set()))
        elif tag in {"input", "select", "textarea", "button"} and self.found and given.get("name"):
            self.found[-1][1].add(given["name"])


def test_no_page_asks_for_what_the_web_may_not_change(web, holder):
    """A field is a promise: none of a limit, a consumption password, an un-loss or an unfreeze is anywhere."""
    seen, asked = set(), set()
    for name, route in sorted(set(addresses())):
        if name.startswith("portal:") and "<" not in route:
            answer = web.get(f"/{route}")
            if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
                page = Forms()
                page.feed(text_of(answer))
                seen.add(name)
                asked |= {field for _, fields in page.found for field in fields}

    assert len(seen) > 20
    assert not [field for field in asked if re.search("limit|consum|frozen|freeze|thaw|unl|lift|undo", field)]
    assert {field for field in asked if re.search("pin|old|new|again|pass", field)} <= {
        *("pin", "old", "new", "again"),
        "newer",
    }


def test_every_view_of_the_portal_is_one_of_these_names():
    """A new deed of the portal is looked at here before it is let out."""
    names = {
        name.removeprefix("portal:") for name, _ in addresses(get_resolver()) if name.startswith("portal:")
    }

    assert not [name for name in names if re.search("un_?loss|lift|limit|freez|thaw|consum|pad|pin", name)]
