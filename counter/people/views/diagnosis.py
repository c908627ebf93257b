"""A card that does not work: read it, say what is wrong in words, and lead to the one safe next step (C08, R043)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.wiring import now
from counter.access import StaffRequest, actor_of, staff_required
from counter.forms import KeyField, StrictForm
from counter.jobs import LOOKS, PROBLEMS, desk_of, panel, remember, visible
from counter.pages import ACTS, staff_page
from counter.people.diagnosis import Examined, Found, diagnose, may_write
from counter.people.views.account import overview_of
from reconciliation import selectors as comparing
from reconciliation.kinds import CaseState
from terminals import partners
from terminals.kinds import JobKind, JobState
from terminals.services import jobs
from terminals.services.jobs import JobView
from transactions.days import local_day


@dataclass(frozen=True, slots=True)
class Step:
    """A finding with the address of its next step; ``writes``: the step is to write what the card lacks."""

    found: Found
    url: str
    writes: bool


class HealForm(StrictForm):
    """One confirmation."""

    key = KeyField()


@staff_required(*LOOKS)
@require_safe
def diagnose_card(request: StaffRequest, job_id: UUID) -> HttpResponse:
    """What one reading tells of the card."""
    job = visible(request, job_id)
    seen = examined(job)
    found = diagnose(seen)
    account_id = (job.result or {}).get("account_id") or job.account_id
    context: dict[str, Any] = {
        "job": job,
        "over": job.over,
        "steps": _steps(found, account_id, request),
        "result": job.result if (job.result or {}).get("account_id") else None,
        "account": overview_of(account_id) if account_id else None,
        "doors": partners.shut_doors(account_id, now=now()) if account_id else [],
        "may_write": may_write(found) and request.officer.role in ACTS,
        "reader": panel(request, account_id=account_id, job_id=None if job.over else job_id),
        "key": uuid4(),
    }
    return staff_page(request, "counter/people/diagnosis.html", context)


@staff_required(*ACTS)
@require_POST
def heal_card(request: StaffRequest, account_id: int) -> HttpResponse:
    """Order a reading that writes what the card lacks; the book stays as it is."""
    overview_of(account_id)
    form, desk = HealForm(request.POST), desk_of(request)
    if not form.is_valid() or desk is None:
        problem = jobs.OrderProblem.BAD_PARAMS if desk is not None else jobs.OrderProblem.NOT_A_DESK
        messages.error(request, str(PROBLEMS[problem]))
        return redirect("counter:account", account_id=account_id)
    order = jobs.JobOrder(
        key=form.cleaned_data["key"],
        kind=JobKind.READ,
        desk_id=desk.pk,
        account_id=account_id,
        params={"heal": True},
    )
    try:
        made = jobs.order_job(
            order, actor=actor_of(request), now=now(), own_holder_id=request.officer.holder_id
        )
        remember(request, made.id)
    except jobs.OrderRefused as refusal:
        messages.error(request, str(PROBLEMS[refusal.problem]))
    except jobs.KeyReused:
        messages.error(request, _("页面已用过，请刷新后再试"))
    return redirect("counter:account", account_id=account_id)


def examined(job: JobView) -> Examined:
    """A job as the examination sees it. Only an ended one has findings of its own."""
    return Examined(
        done=job.state is JobState.DONE,
        trouble=job.trouble,
        refusal=job.refusal,
        result=job.result,
        today=local_day(job.ordered_at),
        account_id=job.account_id,
        over=job.over,
    )


def _steps(found: Sequence[Found], account_id: int | None, request: StaffRequest) -> list[Step]:
    return [
        Step(each, _address(each.words.url_name, account_id), each.words.url_name == "heal") for each in found
    ]


def _address(name: str, account_id: int | None) -> str:
    """Where the next step is done; empty where there is no page for it, or for whom it is unknown."""
    if name == "case" and account_id:
        rows = [row for row in comparing.cases_of(account_id) if row.state is CaseState.OPEN]
        return reverse("counter:case", kwargs={"case_id": rows[0].id}) if rows else ""
    if not name.startswith("counter:"):
        return ""
    try:
        if name == "counter:cases":
            return reverse(name)
        return reverse(name, kwargs={"account_id": account_id}) if account_id else ""
    except NoReverseMatch:
        return ""
