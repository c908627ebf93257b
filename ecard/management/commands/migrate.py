"""`migrate` as the owner of the tables, with the application's role there before the first grant."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate

from ecard.database import as_owner, ensure_app_role, grant_framework_tables


class Command(migrate.Command):
    """Django's own command, run with the login of DATABASE_OWNER_URL."""

    def handle(self, *args: Any, **options: Any) -> None:
        with as_owner(options["database"]):
            ensure_app_role(options["database"])
            super().handle(*args, **options)
            grant_framework_tables(options["database"])
