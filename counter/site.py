"""Django's admin behind the staff door: one login page, password and one-time code, nothing can be changed in it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.models import Group
from django.db.models.base import ModelBase
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.wiring import now
from counter.access import is_present

LEFT_OUT = (Group, TOTPDevice)


class StaffSite(AdminSite):
    """The back office, read only."""

    site_header = _("校园卡后台")
    site_title = _("校园卡后台")
    index_title = _("数据（只读）")
    enable_nav_sidebar = True

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Leave out what other packages bring along: groups are not used here, authenticators are secrets."""
        models = [model_or_iterable] if isinstance(model_or_iterable, ModelBase) else model_or_iterable
        super().register([model for model in models if model not in LEFT_OUT], admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """A verified operator with a password of his own and the right to the back office, whose session is alive."""
        user: Any = request.user
        return is_present(request, now=now()) and user.is_staff and not user.must_change_password

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Everybody of the staff comes in through the same door."""
        target = request.GET.get("next") or reverse("admin:index")
        return redirect(f"{reverse('counter:login')}?{urlencode({'next': target})}")

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Nothing is changed in here, passwords neither."""
        raise Http404

    def password_change_done(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Nothing was changed in here."""
        raise Http404
