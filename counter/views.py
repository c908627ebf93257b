"""The first staff pages: the door, and the queue of open cases."""

from __future__ import annotations

from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import OperatorRole
from accounts.wiring import now
from counter.access import StaffRequest, begin, staff_required
from counter.forms import CasesForm, StaffLoginForm
from reconciliation import selectors

DESK = (OperatorRole.CLERK, OperatorRole.SUPERVISOR, OperatorRole.AUDITOR)
"""Who works on cases, or looks over the shoulder of those who do (reliability.md section 3)."""


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
    auth.logout(request)
    return redirect("counter:login")


@staff_required(*OperatorRole)
@require_safe
def home(request: StaffRequest) -> HttpResponse:
    """Where this operator's work is."""
    return redirect("counter:cases" if request.user.role in DESK else "admin:index")


@staff_required(*DESK)
@require_safe
def cases(request: StaffRequest) -> HttpResponse:
    """The open cases of the operator's campus (who serves all may choose), and whether the nightly run was on time."""
    own = request.user.campus
    form = CasesForm(request.GET)
    if not form.is_valid():
        return render(request, "counter/cases.html", {"form": form, "refused": True}, status=400)
    campus = own or form.cleaned_data["campus"]
    campus_id = campus.pk if campus else None
    counts = selectors.open_counts(campus_id)
    context = {
        "form": None if own else form,
        "campus": campus,
        "cases": selectors.open_cases(campus_id),
        "counts": [(mismatch.label, count) for mismatch, count in counts.items() if count],
        "run": selectors.last_run(),
        "late": selectors.is_late(now=now()),
    }
    return render(request, "counter/cases.html", context)


def _goal(request: HttpRequest) -> str:
    """A staff page that was asked for, else the start."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    ours = (reverse("counter:home"), reverse("admin:index"))
    safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if safe and wanted.startswith(ours) else ours[0]
