"""Tells Django about this room."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    """The room of cardholders on the web."""

    name = "portal"
    verbose_name = _("门户")
