"""Tells Django about this room."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TerminalsConfig(AppConfig):
    """The room of tills, kiosks and desks."""

    name = "terminals"
    verbose_name = _("终端")
