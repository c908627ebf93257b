"""The one place where this room meets settings. For commands, never for services."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings

from reconciliation.digest import DayKeys


@cache
def day_keys() -> DayKeys:
    """The keys that seal closed days, read once per process."""
    return DayKeys(settings.DAY_KEYS)


def exports_folder() -> Path:
    """Where copies for people and auditors are written unless somebody says otherwise."""
    return Path(settings.BASE_DIR) / "var" / "exports"


def audit_key() -> bytes:
    """The key that seals the audit."""
    key: bytes = settings.AUDIT_KEY
    return key
