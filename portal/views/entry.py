"""Coming in and going out. Every failure looks the same (reliability.md E3)."""

from __future__ import annotations

import secrets as random

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.actors import Channel
from accounts.pinhash import Busy
from accounts.services.login import LoginOutcome, LoginResult, authenticate_holder
from accounts.wiring import now, secrets
from portal import holder_session
from portal.doors import source_of
from portal.forms import LoginForm, SumField

_SUM = "sum"


@never_cache
@sensitive_post_parameters("pin")
@require_http_methods(["GET", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Sign in with a number and the query password, towards the page that was asked for."""
    goal = _goal(request)
    form = LoginForm(request.POST if request.method == "POST" else None)
    if _SUM in request.session:
        form.fields["sum"] = SumField()
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                result = _authenticate(request, form)
            except Busy:
                return _page(request, form, goal, status=503, error=_("系统繁忙，请稍后再试"))
            if result.outcome is LoginOutcome.IN and result.account_id is not None:
                return _welcome(request, result, goal)
            status = 403
            form.add_error(None, str(result.message))
    return _page(request, form, goal, status=status)


@require_POST
@never_cache
def logout(request: HttpRequest) -> HttpResponse:
    """End the session and leave nothing in the browser."""
    holder_session.sign_out(request)
    response = redirect("portal:home")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@require_POST
@never_cache
def extend(request: HttpRequest) -> JsonResponse:
    """Stay signed in: answers how many seconds are left, 401 when it is too late."""
    moment = now()
    session = holder_session.current(request, now=moment)
    if session is None:
        return JsonResponse({"seconds": 0}, status=401)
    return JsonResponse({"seconds": int((session.ends_at - moment).total_seconds())})


def _authenticate(request: HttpRequest, form: LoginForm) -> LoginResult:
    expected = request.session.pop(_SUM, None)
    passed = expected is not None and form.cleaned_data.get("sum", "").strip() == str(sum(expected))
    result = authenticate_holder(
        form.cleaned_data["identifier"],
        form.cleaned_data["pin"],
        Channel.WEB,
        source_of(request),
        now=now(),
        secrets=secrets(),
        challenge_passed=passed,
    )
    if result.outcome is LoginOutcome.CHALLENGE:
        request.session[_SUM] = [random.randbelow(20) + 1, random.randbelow(20) + 1]
        form.fields["sum"] = SumField()
    return result


def _welcome(request: HttpRequest, result: LoginResult, goal: str) -> HttpResponse:
    assert result.account_id is not None
    holder_session.sign_in(request, result.account_id, now=now())
    if result.must_change and goal != reverse("portal:loss"):
        return redirect("portal:security")
    return redirect(goal)


def _goal(request: HttpRequest) -> str:
    """The personal page that was asked for, else the overview; never another site, never a public page."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    own = reverse("portal:overview")
    safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if safe and wanted.startswith(own) else own


def _page(
    request: HttpRequest, form: LoginForm, goal: str, *, status: int = 200, error: str = ""
) -> HttpResponse:
    context = {
        "form": form,
        "goal": goal,
        "for_loss": goal == reverse("portal:loss"),
        "sum": request.session.get(_SUM),
        "error": error,
    }
    response = render(request, "portal/login.html", context, status=status)
    if status == 503:
        response.headers["Retry-After"] = "5"
    return response
