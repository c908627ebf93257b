"""What the staff types."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_otp import devices_for_user

from accounts.models import Campus
from accounts.services.login import NOT_IN


class StaffLoginForm(AuthenticationForm):
    """User name, password and the code of the moment. Whatever is wrong, the words are the same."""

    otp_token = forms.CharField(
        label=_("动态码"),
        help_text=_("手机验证器上的 6 位数字"),
        required=False,
        max_length=16,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
    error_messages = {"invalid_login": NOT_IN, "inactive": NOT_IN}

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = _("用户名")
        self.fields["password"].label = _("密码")

    def clean(self) -> dict[str, Any]:
        """Password first, then the code of the operator's one authenticator; one sentence for every failure.

        ``auth.login`` notes the verified device in the session (``django_otp``).
        """
        cleaned: dict[str, Any] = super().clean()
        operator = self.get_user()
        with transaction.atomic():
            device = next(iter(devices_for_user(operator, for_verify=True)), None)
            verified = device is not None and device.verify_token(cleaned.get("otp_token"))
        if not verified:
            raise forms.ValidationError(NOT_IN)
        operator.otp_device = device  # type: ignore[attr-defined]
        return cleaned


class CasesForm(forms.Form):
    """Which campus's cases. Who belongs to one campus is not asked."""

    campus = forms.ModelChoiceField(
        label=_("校区"),
        queryset=Campus.objects.order_by("pk"),
        required=False,
        empty_label=_("全部校区"),
        to_field_name="code",
    )
