"""Asking for the one-time code again before a step that needs a fresh one (security.md section 3)."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.services import throttle
from accounts.services.login import NOT_IN
from accounts.services.operators import guess_of
from accounts.wiring import client_address, now, secrets
from counter.access import StaffRequest, actor_of, has_fresh_code, note_code
from counter.forms import StrictForm, verified_device
from counter.wiring import policy


def asks_code(request: StaffRequest) -> bool:
    """Whether a form has to ask for a code: the last one no longer speaks for such a step."""
    return not has_fresh_code(request, now=now(), policy=policy())


def code_is_right(request: StaffRequest, form: StrictForm) -> bool:
    """Whether the code of the session is fresh, or a fresh one was typed; a wrong one is counted like a password.

    ``form`` has a field ``otp_token`` (``counter.forms.CodeField``); what is wrong is added to it.
    """
    if not asks_code(request):
        return True
    typed = form.cleaned_data["otp_token"]
    if not typed:
        form.add_error("otp_token", _("请输入动态码"))
        return False
    guess = guess_of(request.user.get_username(), client_address(request), secrets=secrets())
    if not throttle.reserve(guess, now=now()).granted:
        form.add_error(None, str(NOT_IN))
        return False
    if verified_device(request.user, typed) is None:
        throttle.failed(guess, now=now())
        form.add_error("otp_token", _("动态码不正确或已用过，请等下一个"))
        return False
    throttle.succeeded(guess, actor=actor_of(request), now=now())
    note_code(request, now=now())
    return True
