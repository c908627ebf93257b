"""Two logins to one database: the application's everyday role, and the owner of the tables for moments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections

from ecard.localdb import APP_ROLE

_LOGIN = ("USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
_MIGRATING = 0x6563617264  # "ecard"; advisory locks are counted per database
FRAMEWORK_APPS = ("django_", "auth_", "otp_")


@contextmanager
def as_owner(alias: str = "default") -> Iterator[None]:
    """Let this thread's connection log in as the owner of the tables inside the block; may be nested.

    Only `migrate` and the making and emptying of test databases use it. Outside an atomic block only:
    the connection is closed on both sides.
    """
    connection = connections[alias]
    before = {name: connection.settings_dict[name] for name in _LOGIN}
    connection.close()
    connection.settings_dict.update({name: settings.DATABASE_OWNER[name] for name in _LOGIN})
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


def wait_for_other_migrations(alias: str = "default") -> None:
    """Take the lock that lets one process migrate at a time; it is released with the connection."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SET lock_timeout = 0")  # another process may be at it for minutes
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATING])
        cursor.execute("RESET lock_timeout")


def ensure_app_role(alias: str = "default") -> None:
    """Create the application's role where there is none, so that migrations can grant to it.

    Raises:
        django.db.ProgrammingError: the owner's login may not create roles and nobody has created it.
    """
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE])
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE ROLE {APP_ROLE} NOLOGIN")
            cursor.execute(f"GRANT {APP_ROLE} TO CURRENT_USER")


def grant_framework_tables(alias: str = "default") -> None:
    """Let the application use the tables of Django itself; the rooms grant their own in their migrations."""
    connection = connections[alias]
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for table in (table for table in tables if table.startswith(FRAMEWORK_APPS)):
            rights = "SELECT" if table == "django_migrations" else "SELECT, INSERT, UPDATE, DELETE"
            cursor.execute(f"GRANT {rights} ON {quote(table)} TO {APP_ROLE}")
