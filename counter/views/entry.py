"""The staff door: coming in, staying, going out."""

from __future__ import annotations

from django.contrib import auth
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.kinds import OperatorRole
from accounts.services import sessions
from accounts.wiring import now
from counter.access import StaffRequest, begin, ends_at, staff_required
from counter.forms import StaffLoginForm

DESK = (OperatorRole.CLERK, OperatorRole.SUPERVISOR, OperatorRole.AUDITOR)
"""Who works on cases, or looks over the shoulder of those who do (reliability.md section 3)."""
SIGNS = (*DESK, OperatorRole.CASHIER, OperatorRole.ADMIN)
"""Who asks a second person for something, is one, or watches them."""


@never_cache
@sensitive_post_parameters("password", "otp_token")
@require_http_methods(["GET", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Password and one-time code together, for the counter and for ``/admin/``."""
    form = StaffLoginForm(request, request.POST if request.method == "POST" else None)
    goal = _goal(request)
    if request.method == "POST" and form.is_valid():
        user = form.get_user()
        auth.login(request, user)
        begin(request, now=now())
        return redirect(goal)
    return render(
        request, "counter/login.html", {"form": form, "goal": goal}, status=403 if form.is_bound else 200
    )


@require_POST
@never_cache
def logout(request: HttpRequest) -> HttpResponse:
    """End the session."""
    sessions.note_end(request.session.session_key, now=now())
    auth.logout(request)
    return redirect("counter:login")


@staff_required(*OperatorRole, with_given_password=True)
@require_POST
def extend(request: StaffRequest) -> HttpResponse:
    """Stay: another quarter of an hour, as far as the ten hours allow."""
    return JsonResponse({"seconds": int((ends_at(request) - now()).total_seconds())})


@staff_required(*OperatorRole)
@require_safe
def home(request: StaffRequest) -> HttpResponse:
    """Where this operator's work is."""
    if request.officer.role == OperatorRole.CASHIER:
        return redirect("counter:cash")
    if request.officer.role == OperatorRole.ADMIN:
        return redirect("counter:office")
    return redirect("counter:cases" if request.officer.role in DESK else "admin:index")


def _goal(request: HttpRequest) -> str:
    """A staff page that was asked for, else the start."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    ours = (reverse("counter:home"), reverse("admin:index"))
    safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if safe and wanted.startswith(ours) else ours[0]
