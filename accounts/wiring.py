"""The one place where this room meets the settings. For views and commands, never for services."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from accounts.keys import Secrets


@cache
def secrets() -> Secrets:
    """The keys of this installation, read once per process."""
    return Secrets(peppers=settings.PIN_PEPPERS, field_keys=settings.FIELD_KEYS, index_key=settings.INDEX_KEY)
