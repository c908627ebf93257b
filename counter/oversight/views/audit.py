"""The audit: search, one deed with before and after, export, and who looked at what is somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from accounts import trail
from accounts.csvfile import csv_lines
from accounts.kinds import OperatorRole
from accounts.services.trail import note_export
from accounts.trail import READS, EventRow, Wanted
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, staff_required
from counter.oversight import auditwords
from counter.oversight.forms import AuditForm, DeedForm
from counter.pages import staff_page
from counter.stepup import asks_code, code_is_right

LOOKS = (OperatorRole.SUPERVISOR, OperatorRole.AUDITOR)
_HEAD = (
    gettext_lazy("序号"),
    gettext_lazy("时间"),
    gettext_lazy("操作人"),
    gettext_lazy("岗位"),
    gettext_lazy("渠道"),
    gettext_lazy("地点"),
    gettext_lazy("操作"),
    gettext_lazy("对象"),
    gettext_lazy("之前"),
    gettext_lazy("之后"),
    gettext_lazy("理由"),
)


@staff_required(*LOOKS)
@require_safe
def audit(request: StaffRequest) -> HttpResponse:
    """Who did what: a supervisor sees the staff of his campus, an auditor everything."""
    return _search(request, "counter/oversight/audit.html", _scope(request))


@staff_required(*LOOKS)
@require_safe
def accesses(request: StaffRequest) -> HttpResponse:
    """Who looked at what is somebody else's, and why (P6)."""
    return _search(request, "counter/oversight/accesses.html", replace(_scope(request), actions=READS))


@staff_required(*LOOKS)
@require_safe
def accesses_of(request: StaffRequest, account_id: int) -> HttpResponse:
    """Who looked at this holder's data, whatever his campus: what he may ask for (PIPL art. 45)."""
    number = trail.number_of(account_id)
    if number is None:
        raise Http404
    page = trail.page(Wanted(actions=READS, account_id=account_id), size=200)
    context = {"rows": _shown(page.rows), "number": number, "account_id": account_id}
    return staff_page(request, "counter/oversight/accesses_of.html", context)


@staff_required(*LOOKS)
@require_safe
def event(request: StaffRequest, event_id: int) -> HttpResponse:
    """One deed with everything that was kept of it."""
    row = trail.find(event_id, _scope(request))
    if row is None:
        raise Http404
    context = {"shown": _shown([row])[0], "changes": list(auditwords.changes(row))}
    return staff_page(request, "counter/oversight/event.html", context)


@staff_required(OperatorRole.AUDITOR)
@sensitive_post_parameters("otp_token")
@require_POST
def export_audit(request: StaffRequest) -> HttpResponseBase:
    """What was searched for as CSV, with a fresh code and a reason, both in the audit."""
    search, form = AuditForm(request.GET), DeedForm(request.POST)
    right = search.is_valid() and form.is_valid()
    if not right or not code_is_right(request, form):
        status = 403 if right else 400
        return _search(request, "counter/oversight/audit.html", _scope(request), form, status=status)
    wanted = search.wanted(_scope(request))
    query = {name: str(value) for name, value in request.GET.items() if value}
    moment = now()
    note_export(query, form.cleaned_data["reason"], actor=actor_of(request), now=moment)
    answer = StreamingHttpResponse(_csv(wanted), content_type="text/csv; charset=utf-8")
    name = f"audit-{localtime(moment):%Y%m%d-%H%M}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _scope(request: StaffRequest) -> Wanted:
    """What this person may see: a supervisor the deeds of the staff that he answers for."""
    person = request.officer
    if person.role is OperatorRole.AUDITOR:
        return Wanted()
    return Wanted(staff_only=True, staff_of=person.campus_id)


def _search(
    request: StaffRequest, template: str, scope: Wanted, export: DeedForm | None = None, *, status: int = 200
) -> HttpResponse:
    form = AuditForm(request.GET)
    context: dict[str, Any] = {"form": form, "export_form": export, "asks_code": asks_code(request)}
    if not form.is_valid():
        return staff_page(request, template, context | {"refused": True}, status=400)
    page = trail.page(form.wanted(scope), after=form.cleaned_data["after"])
    after = f"{page.after.at.isoformat()}~{page.after.event_id}" if page.after else ""
    context |= {
        "rows": _shown(page.rows),
        "after": after,
        "first": form.cleaned_data["after"] is None,
        "exports": request.officer.role is OperatorRole.AUDITOR,
        "query": request.GET.urlencode(),
    }
    return staff_page(request, template, context, status=status)


def _shown(rows: Any) -> list[dict[str, Any]]:
    return [
        {
            "row": row,
            "deed": auditwords.deed_word(row.action),
            "who": auditwords.who_word(row),
            "role": auditwords.role_word(row),
            "door": auditwords.door_word(row.channel),
            "object": auditwords.object_word(row),
        }
        for row in rows
    ]


def _csv(wanted: Wanted) -> Iterator[str]:
    return csv_lines([str(name) for name in _HEAD], (_cells(row) for row in trail.export(wanted)))


def _cells(row: EventRow) -> list[str]:
    facts = list(auditwords.changes(row))
    return [
        str(row.id),
        f"{localtime(row.at):%Y-%m-%d %H:%M:%S}",
        auditwords.who_word(row),
        auditwords.role_word(row),
        auditwords.door_word(row.channel),
        row.place,
        auditwords.deed_word(row.action),
        auditwords.object_word(row),
        "; ".join(f"{fact.label}: {fact.before}" for fact in facts if fact.before),
        "; ".join(f"{fact.label}: {fact.after}" for fact in facts if fact.after),
        row.reason,
    ]
