"""Tells Django about this room."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SelfserviceConfig(AppConfig):
    """The room of machines without staff."""

    name = "selfservice"
    verbose_name = _("自助")
