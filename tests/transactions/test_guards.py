"""The locks on the ledger tables hold, whoever asks."""

import pytest
from django.db import connection


@pytest.mark.django_db
def test_the_ledger_exists_as_partitions():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'transactions_entry'::regclass")
        assert cursor.fetchone()[0] == 6
