"""Tells Django about this room."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CounterConfig(AppConfig):
    """The room of card-center staff."""

    name = "counter"
    verbose_name = _("柜台")
