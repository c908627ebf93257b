"""Everybody's own page: who I am here, where I am signed in, what was tried at my door, another password."""

from __future__ import annotations

from django.contrib import auth, messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import staff
from accounts.kinds import OperatorRole
from accounts.services import sessions, staffing
from accounts.services.staffing import NotStaffed, Problem
from accounts.wiring import now, secrets
from counter.access import StaffRequest, actor_of, hand_of, staff_required
from counter.oversight.forms import OwnPasswordForm
from counter.oversight.staff_kinds import PROBLEMS
from counter.pages import staff_page

_FIELDS = {Problem.WRONG_PASSWORD: "old"}


@staff_required(*OperatorRole)
@require_safe
def me(request: StaffRequest) -> HttpResponse:
    """My own page."""
    person = request.officer
    context = {
        "person": staff.find(person.id),
        "sessions": sessions.sessions_of(person.id, now=now(), here=request.session.session_key),
        "logins": staff.logins(request.user.get_username(), secrets=secrets()),
    }
    return staff_page(request, "counter/oversight/me.html", context)


@staff_required(*OperatorRole, with_given_password=True)
@sensitive_post_parameters("old", "new", "again")
@require_http_methods(["GET", "POST"])
def own_password(request: StaffRequest) -> HttpResponse:
    """Choose another password; every other session of mine ends."""
    form = OwnPasswordForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid() and _changed(request, form):
            messages.success(request, _("密码已修改，其他会话已结束。"))
            return redirect("counter:me")
    context = {"form": form, "given": request.user.must_change_password}
    return staff_page(request, "counter/oversight/own_password.html", context, status=status)


@staff_required(*OperatorRole)
@require_POST
def end_own_sessions(request: StaffRequest) -> HttpResponse:
    """End every session of mine but this one."""
    here = request.session.session_key
    ended = sessions.end_others(request.officer.id, keep=here, actor=actor_of(request), now=now())
    messages.success(request, _("已结束 %(number)s 个其他会话。") % {"number": ended})
    return redirect("counter:me")


def _changed(request: StaffRequest, form: OwnPasswordForm) -> bool:
    old, new = form.cleaned_data["old"], form.cleaned_data["new"]
    key = request.session.session_key
    try:
        staffing.change_own_password(
            old, new, hand=hand_of(request), now=now(), secrets=secrets(), session_key=key
        )
    except NotStaffed as refusal:
        field = _FIELDS.get(refusal.problem, "new")
        for message in refusal.messages or (PROBLEMS[refusal.problem],):
            form.add_error(field, message)
        return False
    request.user.refresh_from_db()
    auth.update_session_auth_hash(request, request.user)
    sessions.move(key, request.session.session_key)
    return True
