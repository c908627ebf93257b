"""What the application may do in the database, and what only the owner of the tables may."""

from __future__ import annotations

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import ProgrammingError, connection, transaction

from ecard.database import as_owner


def current_role() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return cursor.fetchone()[0]


@pytest.mark.django_db
def test_a_test_has_the_rights_of_the_application():
    assert current_role() == "ecard_app"


@pytest.mark.django_db
def test_the_application_may_not_empty_a_table():
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("TRUNCATE django_session")


@pytest.mark.django_db(transaction=True)
def test_the_owner_is_there_inside_the_block_only():
    with as_owner():
        assert current_role() == "ecard_owner"

    assert current_role() == "ecard_app"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", ["first", "second"])
def test_what_the_migrations_wrote_is_there_again_after_a_test_with_commits(turn):
    assert ContentType.objects.filter(app_label="sessions").exists()

    ContentType.objects.create(app_label="scratch", model="scratch")

    assert ContentType.objects.filter(app_label="scratch").count() == 1


@pytest.mark.django_db
def test_a_page_waits_two_seconds_for_a_lock_and_five_for_a_statement():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("2s", "5s")
