"""Tells Django about this room."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """The room of holders, accounts and cards."""

    name = "accounts"
    verbose_name = _("账户与卡")
