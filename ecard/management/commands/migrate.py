"""`migrate` as the owner of the tables, with the application's role there before the first grant."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate

from ecard.database import as_owner, ensure_app_role, grant_framework_tables, wait_for_other_migrations


class Command(migrate.Command):
    """Django's own command, run with the login of DATABASE_OWNER_URL."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        with as_owner(options["database"]):
            wait_for_other_migrations(options["database"])
            ensure_app_role(options["database"])
            output = super().execute(*args, **options)
            grant_framework_tables(options["database"])
        return output

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """All checks but those of the database: they are about the application's role."""
        return super().get_check_kwargs(options) | {"databases": None}
