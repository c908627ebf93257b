"""Tells Django about this room."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class CounterConfig(AppConfig):
    """The room of card-center staff."""

    default = True
    name = "counter"
    verbose_name = _("柜台")


class StaffAdminConfig(admin_apps.AdminConfig):
    """``django.contrib.admin`` behind the staff door; stands in INSTALLED_APPS in its place."""

    default = False
    default_site = "counter.site.StaffSite"
