"""A browser with a member of staff signed in, and what stands on the pages it shows."""

from __future__ import annotations

import re
from datetime import timedelta

from django.test import Client
from django.utils import timezone

from accounts.models import Operator
from reconciliation.models import Case
from tests.counter.test_permissions import staff_session


def text_of(answer) -> str:
    return answer.content.decode()


def plain(answer) -> str:
    """The words of a page without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text_of(answer)))


def browser_of(person: Operator) -> Client:
    client = Client()
    staff_session(client, person)
    return client


def hidden(page: str, name: str) -> str:
    return re.search(rf'name="{name}" value="([^"]+)"', page)[1]


def filled(web: Client, case: Case, action: str, query: str = "", **fields: str) -> dict[str, str]:
    """The confirmation form as the page showed it, filled in."""
    page = text_of(web.get(f"/counter/cases/{case.pk}/decide/{action}/{query}"))
    return {"key": hidden(page, "key"), "digest": hidden(page, "digest"), "reason": "按流水核对"} | fields


def send(web: Client, case: Case, action: str, fields: dict[str, str], query: str = ""):
    return web.post(f"/counter/cases/{case.pk}/decide/{action}/{query}", fields)


def old_code(client: Client, minutes: float) -> None:
    """The last one-time code was right so long ago."""
    session = client.session
    session["staff_code"] = (timezone.now() - timedelta(minutes=minutes)).isoformat()
    session.save()
