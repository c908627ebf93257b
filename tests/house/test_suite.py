"""What the suite itself promises: nothing of one test is left for the next."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from accounts.models import Campus
from tests import conftest

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_tables_are_emptied_after_a_straggling_request_and_not_before():
    """It writes before that, and not into the next test."""
    has_begun, may_end = threading.Event(), threading.Event()

    def straggle():
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(
                "INSERT INTO accounts_campus (code, name_zh, name_en) VALUES ('late', '迟', 'Late')"
            )
            has_begun.set()
            may_end.wait(5)
            cursor.execute("COMMIT")
        connection.close()

    request = threading.Thread(target=straggle)
    request.start()
    has_begun.wait(5)
    threading.Timer(0.2, may_end.set).start()
    conftest._empty_tables(None)
    request.join()

    assert not Campus.objects.filter(code="late").exists()
