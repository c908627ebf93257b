"""A supervisor, and a browser where he is signed in."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Operator, OperatorRole
from tests.counter.pages import browser_of
from tests.reconciliation import desk


@pytest.fixture
def li(db) -> Operator:
    return desk.operator("li", OperatorRole.SUPERVISOR)


@pytest.fixture
def web(li) -> Client:
    return browser_of(li)
