"""Tells Django about the project itself: its checks and its commands."""

from __future__ import annotations

from django.apps import AppConfig


class EcardConfig(AppConfig):
    """The house: no tables, only checks and commands."""

    name = "ecard"

    def ready(self) -> None:
        """Register the system checks."""
        from ecard import checks  # noqa: F401 (importing registers them)
