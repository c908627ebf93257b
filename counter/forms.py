"""What the staff types."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_otp import devices_for_user

from accounts.actors import Actor, Channel
from accounts.models import Budget, Campus, Operator
from accounts.services import throttle
from accounts.services.login import NOT_IN
from accounts.services.throttle import Guess, Source
from accounts.wiring import client_address, now, secrets


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
        """Count the guess, then compare; one sentence for every failure (security.md section 4).

        ``auth.login`` notes the verified device in the session (``django_otp``).
        """
        assert self.request is not None
        guess = guess_of(str(self.data.get("username", "")), client_address(self.request))
        if not throttle.reserve(guess, now=now()).granted:
            raise forms.ValidationError(NOT_IN)
        try:
            cleaned: dict[str, Any] = super().clean()
            operator = self._verified(cleaned)
        except forms.ValidationError:
            throttle.failed(guess, now=now())
            raise
        actor = Actor.operator(
            operator.pk, role=operator.role, channel=Channel.COUNTER, place=guess.source.name
        )
        throttle.succeeded(guess, actor=actor, now=now())
        return cleaned

    def _verified(self, cleaned: dict[str, Any]) -> Operator:
        """The operator whose password was right, if the code of the one authenticator is right too."""
        operator = self.get_user()
        assert isinstance(operator, Operator)
        with transaction.atomic():
            device = next(iter(devices_for_user(operator, for_verify=True)), None)
            verified = device is not None and device.verify_token(cleaned.get("otp_token"))
        if not verified:
            raise forms.ValidationError(NOT_IN)
        operator.otp_device = device  # type: ignore[attr-defined]
        return operator


def guess_of(username: str, address: str) -> Guess:
    """A staff password about to be compared, for a name that exists or not."""
    return Guess(subject_of(username), None, Budget.REMOTE, Source.web(address))


def subject_of(username: str) -> str:
    """Under which name the guesses for an operator are counted."""
    return f"operator:{secrets().blind('operator', username.lower()[:200]).hex()[:32]}"


class CasesForm(forms.Form):
    """Which campus's cases. Who belongs to one campus is not asked."""

    campus = forms.ModelChoiceField(
        label=_("校区"),
        queryset=Campus.objects.order_by("pk"),
        required=False,
        empty_label=_("全部校区"),
        to_field_name="code",
    )
