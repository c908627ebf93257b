"""Every address of the project × every kind of visitor × GET and POST, against one table (reliability.md AUTHZ, P1-P7).

Each request is undone, so that one visitor's deed does not change what the next one gets.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import AuditEvent, Operator, OperatorRole
from reconciliation.models import CaseNote, Decision, DecisionResult, Ruling
from terminals.models import CardJob
from tests import faults
from tests.counter.matrix import WHO, expected, parts
from tests.reconciliation import desk
from tests.reconciliation.books import Book, campus
from transactions.models import Entry

TABLE = expected()
OURS = {
    "accounts",
    "transactions",
    "terminals",
    "banking",
    "reconciliation",
    "portal",
    "counter",
    "selfservice",
}
MACHINE_PATHS = tuple(settings.MACHINE_PATHS)
ROLES = {
    "clerk": (OperatorRole.CLERK, "laoshan"),
    "clerk_elsewhere": (OperatorRole.CLERK, "yushan"),
    "cashier": (OperatorRole.CASHIER, "laoshan"),
    "supervisor": (OperatorRole.SUPERVISOR, "laoshan"),
    "supervisor_elsewhere": (OperatorRole.SUPERVISOR, "yushan"),
    "supervisor_of_all": (OperatorRole.SUPERVISOR, None),
    "auditor": (OperatorRole.AUDITOR, None),
    "auditor_elsewhere": (OperatorRole.AUDITOR, "yushan"),
    "merchant": (OperatorRole.MERCHANT, "laoshan"),
    "admin": (OperatorRole.ADMIN, None),
}
_ADMIN_ROW = re.compile(r"admin:\w+_(changelist|add|delete|history|change)$")


def addresses(resolver=None, namespace: str = "", prefix: str = "") -> Iterator[tuple[str, str]]:
    """(name, route) of every address of the URLconf."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from addresses(pattern, inner, route)
        else:
            yield f"{namespace}{pattern.name or ''}", route


def row_of(name: str, route: str) -> str:
    """Which row of the table is about this address."""
    if route.startswith("api/terminal/v1/"):
        return "enrol" if route.endswith("enrol") else "terminals"
    if name == "admin:":
        return "admin:old_change" if "object_id" in route else "admin:catch_all"
    if name.startswith("admin:portal_article_"):
        return name.replace("portal_", "")
    if not name.startswith("admin:password") and (found := _ADMIN_ROW.match(name)):
        return f"admin:{found[1]}"
    return name


def test_every_address_is_in_the_table_and_every_row_is_used():
    """P1: deny by default; a page that is not in the matrix fails the build."""
    rows = {row_of(name, route) for name, route in addresses()}

    assert {name for name, _ in TABLE} == rows
    assert all((row, method) in TABLE for row in rows for method in ("GET", "POST"))


def make_world() -> dict[str, object]:
    """A case at 崂山 with a decision of a colleague that waits, and a card job of its desk."""
    for code in ("laoshan", "yushan"):
        campus(code)
    _, case = desk.gap(60_00, held=100_00)
    maker = desk.operator("maker", OperatorRole.SUPERVISOR)
    moment = timezone.now()
    decision = desk.Form(case, "set_to_card").send(maker, now=moment)
    job = CardJob.objects.create(
        id=uuid.uuid4(), kind="read", desk=desk.desk_terminal(), ordered_by="operator:1", ordered_role="clerk",
        ordered_channel="counter", ordered_at=moment, expires_at=moment + timezone.timedelta(minutes=3),
    )  # fmt: skip
    named = {name: value for part in parts() for name, value in part.world().items()}
    return named | {
        "case_id": case.pk,
        "decision_id": decision.pk,
        "job_id": job.pk,
        "action": "set_to_card",
        "reference": "261123000000",
        "object_id": 999_999,
        "content_type_id": 1,
        "app_label": "accounts",
        "url": "nowhere/",
    }


@pytest.fixture
def world(db):
    return make_world()


def path_of(route: str, values: dict[str, object]) -> str:
    """The address with its places filled in."""
    route = re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda found: str(values[found[1]]), route)
    route = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), route)
    return "/" + route.replace("^", "").replace("$", "")


def visit(who: str) -> Client:
    """A browser of this visitor."""
    client = Client()
    if who == "holder":
        session, moment = client.session, timezone.now().isoformat()
        session["holder"] = {"account": Book.open(5_00).account.pk, "since": moment, "seen": moment}
        session.save()
    elif who in ROLES:
        role, at = ROLES[who]
        person = Operator.objects.filter(username=f"{who}.1").first() or desk.operator(f"{who}.1", role, at)
        if role is OperatorRole.ADMIN:
            Operator.objects.filter(pk=person.pk).update(is_staff=True, is_superuser=True)
        staff_session(client, person)
    return client


def staff_session(client: Client, person: Operator) -> None:
    """Signed in with password and code, without working out a hash."""
    device = TOTPDevice.objects.create(user=person, name="phone", confirmed=True)
    person.set_unusable_password()
    person.save(update_fields=["password"])
    session, moment = client.session, timezone.now().isoformat()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session["staff_since"] = session["staff_seen"] = session["staff_code"] = moment
    session.save()


def ask(client: Client, method: str, path: str):
    """One request, undone afterwards: what it wrote, and what it did to the browser's cookies."""
    undo, cookies = transaction.savepoint(), client.cookies.copy()
    if method == "GET":
        answer = client.get(path)
    elif path.startswith("/api/"):
        answer = client.post(path, b"{}", content_type="application/json")
    else:
        answer = client.post(path)
    transaction.savepoint_rollback(undo)
    client.cookies = cookies
    return answer


def word_for(answer) -> str:
    """What the visitor got, in the words of the table."""
    if answer.status_code in (301, 302):
        return "in" if "/login/" in answer.url else "go"
    return str(answer.status_code)


def methods_for(who: str, row: str, *, thorough: bool) -> tuple[str, ...]:
    """GET and POST; back-office pages of models refuse a POST in one place, so only ``--long`` has everybody try."""
    if who == "admin" or thorough or not re.match(r"admin:(add|delete|history|change|old_change)", row):
        return ("GET", "POST")
    return ("GET",)


@pytest.mark.parametrize("who", WHO)
def test_everybody_gets_what_the_table_says(who, world, request):
    client = visit(who)
    client.raise_request_exception = False
    wrong, asked = [], 0

    for name, route in sorted(set(addresses())):
        for method in methods_for(who, row_of(name, route), thorough=request.config.getoption("--long")):
            answer = ask(client, method, path_of(route, world))
            asked += 1
            want = TABLE[row_of(name, route), method][who]
            if word_for(answer) != want:
                wrong.append(f"{row_of(name, route)} {method} wants {want} gets {word_for(answer)}")

    faults.report("AUTHZ", asked, len(wrong))
    assert not wrong, "\n".join(sorted(set(wrong)))


@pytest.mark.parametrize("who", [each for each in WHO if not each.startswith(("clerk", "supervisor"))])
def test_who_only_looks_writes_nothing(who, world):
    """P7: the auditor writes nothing, the administrator moves no money; others have no business here."""
    client = visit(who)
    tables = (Entry, Decision, Ruling, DecisionResult, CaseNote, CardJob)
    before = [table.objects.count() for table in tables]

    for name, route in sorted(set(addresses())):
        if name.startswith("counter:") and name not in ("counter:login", "counter:logout"):
            client.post(path_of(route, world), {"reason": "x", "until": "2030-01-01", "digest": "0" * 64})

    assert [table.objects.count() for table in tables] == before


@pytest.mark.parametrize("who", ["auditor", "auditor_elsewhere", "merchant"])
def test_an_auditor_writes_nothing_anywhere(who, world):
    """P7: whatever he sends where, no row of any table is added but what tells that he looked."""
    client = visit(who)
    client.raise_request_exception = False
    told = {"accounts_auditevent", "accounts_loginrecord", "accounts_attempt", "accounts_staffsession"}
    tables = [model for model in apps.get_models() if model._meta.app_label in OURS and model._meta.managed]
    tables = [model for model in tables if model._meta.db_table not in told]
    before = {model: model._base_manager.count() for model in tables}
    fields = {
        "reason": "x",
        "until": "2030-01-01",
        "digest": "0" * 64,
        "key": str(uuid.uuid4()),
        "amount": "1.00",
    }

    for name, route in sorted(set(addresses())):
        if name.startswith("counter:") and name not in ("counter:login", "counter:logout"):
            client.post(path_of(route, world), fields)

    assert {model: model._base_manager.count() for model in tables} == before


@pytest.mark.parametrize("token", ["", "x" * 64], ids=["no token", "token of another session"])
def test_every_form_needs_the_token_of_its_session(world, token):
    """E4, reliability.md section 7 no. 86: a POST that another site makes a browser send does nothing."""
    client = visit("supervisor")
    forging = Client(enforce_csrf_checks=True)
    forging.cookies = client.cookies
    forging.cookies["csrf"] = "y" * 32
    wrong, asked = [], 0

    for name, route in sorted(set(addresses())):
        path = path_of(route, world)
        if path.startswith(MACHINE_PATHS):
            continue
        answer = forging.post(path, {"csrfmiddlewaretoken": token} if token else {})
        asked += 1
        if answer.status_code != 403 or "页面已过期" not in answer.content.decode():
            wrong.append(f"{name} {answer.status_code}")

    faults.report("CSRF", asked, len(wrong))
    assert wrong == []
    assert asked > 100


def test_reading_somebody_s_movements_leaves_a_line_in_the_audit(world):
    """P6: once for each case and sign-in, with the case as its reason."""
    client = visit("auditor")
    for _ in range(2):
        client.get(f"/counter/cases/{world['case_id']}/")

    lines = AuditEvent.objects.filter(action="statement.read")
    assert [line.reason for line in lines] == [f"case {world['case_id']}"]
    assert lines[0].role == "auditor"


def test_a_leaver_is_out_at_the_next_request(world):
    """P5, E10: disabling an operator ends the session, whatever he has open."""
    client = visit("supervisor")
    page = f"/counter/cases/{world['case_id']}/"
    assert client.get(page).status_code == 200

    Operator.objects.filter(username="supervisor.1").update(is_active=False)

    assert word_for(client.get(page)) == "in"
    assert word_for(client.post(f"{page}take/")) == "in"
    assert not CaseNote.objects.filter(kind="taken").exists()


def test_who_is_moved_to_another_campus_loses_its_desks_and_approvals_at_once(world):
    """C14: the case of any holder stays in sight; desks and second signatures are those of the own campus."""
    client = visit("supervisor")
    case, job = f"/counter/cases/{world['case_id']}/", f"/counter/jobs/{world['job_id']}/"
    approve = f"/counter/decisions/{world['decision_id']}/approve/"
    assert client.get(case).status_code == client.get(job).status_code == 200
    assert client.post(approve).status_code == 400

    Operator.objects.filter(username="supervisor.1").update(campus=campus("yushan"))

    assert client.get(case).status_code == 200
    assert client.get(job).status_code == client.post(approve).status_code == 404
