"""The reader panel: which desk this browser works at, the job that runs there, and how far it is.

Any staff page includes ``counter/_reader.html`` with ``reader=panel(request, …)``. A page that orders a job itself
(set, load, mark, prepare) calls ``terminals.services.jobs.order_job`` and then ``remember(request, job.id)``.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor, Channel
from accounts.kinds import OperatorRole
from accounts.wiring import client_address, now
from counter import jobwords
from counter.access import StaffRequest, staff_required
from counter.pages import staff_page
from terminals import selectors
from terminals.kinds import JobKind, JobState
from terminals.services import jobs
from terminals.services.jobs import JobView

WORKS = (OperatorRole.CLERK, OperatorRole.SUPERVISOR, OperatorRole.CASHIER)
"""Who works at a desk with a reader."""
LOOKS = (*WORKS, OperatorRole.AUDITOR)
_DESK, _JOB = "desk", "desk_job"

PROBLEMS = {
    jobs.OrderProblem.NOT_A_DESK: _("本柜台没有可用的读卡程序，请重新选择柜台。"),
    jobs.OrderProblem.DESK_BUSY: _("本柜台还有一项读卡任务没有结束。"),
    jobs.OrderProblem.OWN_ACCOUNT: _("不能办理本人的账户。"),
    jobs.OrderProblem.WRONG_CARD: _("该账户没有这张卡。"),
    jobs.OrderProblem.BAD_PARAMS: _("任务内容不正确。"),
}


@dataclass(frozen=True, slots=True)
class ReaderPanel:
    """All that ``counter/_reader.html`` shows. ``desk`` is None until one is chosen."""

    desks: Sequence[Any]
    desk: Any | None
    agent_there: bool
    job: JobView | None
    says: str
    then: str
    tone: str
    key: uuid.UUID
    """For the next order: a double click orders once."""
    account_id: int | None
    here: str
    may_work: bool

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """What the job went through: time of day, state, trouble, in words."""
        if self.job is None:
            return []
        return [
            (f"{localtime(at):%H:%M:%S}", str(JobState(state).label), jobwords.trouble(trouble))
            for at, state, trouble in self.job.steps
        ]

    @property
    def figures(self) -> dict[str, Any] | None:
        """What card and book hold by the end of the job, in fen; None when no card of ours was read."""
        told = self.job.result if self.job and self.job.over else None
        if not told or not told.get("account_id"):
            return None
        written = (
            self.job is not None and self.job.state is JobState.DONE and told.get("after_fen") is not None
        )
        card_fen = told["after_fen"] if written else told["card_fen"]
        return {
            "card_fen": card_fen,
            "book_fen": told["book_fen"],
            "difference_fen": card_fen - told["book_fen"],
            "number": told["number"],
        }

    @property
    def live(self) -> bool:
        """Whether the script has to look again."""
        return self.job is not None and not self.job.over


def panel(
    request: StaffRequest, *, account_id: int | None = None, job_id: uuid.UUID | None = None
) -> ReaderPanel:
    """The panel for this browser. ``account_id``: whose card to read; ``job_id``: a job to show, else the last."""
    job = _shown(request, job_id)
    desk = desk_of(request)
    what, then = jobwords.says(job) if job else ("", "")
    return ReaderPanel(
        desks=_desks(request),
        desk=desk,
        agent_there=desk is not None and _is_there(desk, job),
        job=job,
        says=str(what),
        then=str(then),
        tone=jobwords.tone(job) if job else "",
        key=uuid.uuid4(),
        account_id=account_id,
        here=request.get_full_path(),
        may_work=request.officer.role in WORKS,
    )


def desk_of(request: StaffRequest) -> Any | None:
    """The desk that this browser works at, if one was chosen and is still in service on the operator's campus."""
    chosen = request.session.get(_DESK)
    return next((desk for desk in _desks(request) if desk.pk == chosen), None)


def remember(request: HttpRequest, job_id: uuid.UUID) -> None:
    """Show this job in the panel from now on."""
    request.session[_JOB] = str(job_id)


@staff_required(*WORKS)
@require_POST
def choose_desk(request: StaffRequest) -> HttpResponse:
    """Work at one of the campus's desks from now on."""
    wanted = request.POST.get("desk", "")
    known = {str(desk.pk): desk.pk for desk in jobs.desks(campus_id=request.officer.campus_id)}
    if wanted not in known:
        messages.error(request, str(PROBLEMS[jobs.OrderProblem.NOT_A_DESK]))
    else:
        request.session[_DESK] = known[wanted]
        request.session.pop(_JOB, None)
    return redirect(_back(request))


@staff_required(*WORKS)
@require_POST
def read(request: StaffRequest) -> HttpResponse:
    """Order a look at the card on the reader; of one account's card, or of whatever lies there."""
    desk = desk_of(request)
    try:
        if desk is None:
            raise jobs.OrderRefused(jobs.OrderProblem.NOT_A_DESK)
        order = jobs.JobOrder(
            key=_uuid(request.POST.get("key", "")),
            kind=JobKind.READ,
            desk_id=desk.pk,
            account_id=_number(request.POST.get("account", "")),
        )
        job = jobs.order_job(
            order, actor=actor_of(request), now=now(), own_holder_id=request.officer.holder_id
        )
        remember(request, job.id)
    except jobs.OrderRefused as refusal:
        messages.error(request, str(PROBLEMS[refusal.problem]))
        if refusal.job is not None:
            remember(request, refusal.job)
    except jobs.KeyReused:
        messages.error(request, str(PROBLEMS[jobs.OrderProblem.BAD_PARAMS]))
    return redirect(_back(request))


@staff_required(*LOOKS)
@require_safe
def job(request: StaffRequest, job_id: uuid.UUID) -> HttpResponseBase:
    """One job: a page for people, JSON for the script of the panel."""
    found = visible(request, job_id)
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse(to_json(found))
    return staff_page(request, "counter/job.html", {"reader": panel(request, job_id=job_id)})


@staff_required(*WORKS)
@require_POST
def cancel(request: StaffRequest, job_id: uuid.UUID) -> HttpResponse:
    """Cancel a job, or give it up once something was written and the card does not come back."""
    found = visible(request, job_id)
    actor = actor_of(request)
    if not jobs.cancel_job(found.id, actor=actor, now=now()) and request.POST.get("give_up") == "1":
        jobs.give_up_job(found.id, actor=actor, now=now())
    return redirect(_back(request))


def visible(request: StaffRequest, job_id: uuid.UUID) -> JobView:
    """A job of a desk that this operator may look at; another campus's is simply not there (404)."""
    try:
        found = jobs.job_state(job_id, now=now())
    except jobs.NoSuchJob:
        raise Http404 from None
    campus_id = request.officer.campus_id
    mine = campus_id is None or any(desk.pk == found.desk_id for desk in _desks(request))
    if not mine and selectors.campus_of(found.desk_id) != campus_id:
        raise Http404
    return found


def to_json(found: JobView) -> dict[str, Any]:
    """What the script needs: words to put up, and whether to look again."""
    what, then = jobwords.says(found)
    return {
        "id": str(found.id),
        "kind": found.kind.value,
        "state": found.state.value,
        "over": found.over,
        "says": str(what),
        "then": str(then),
        "tone": jobwords.tone(found),
        "may_cancel": found.may_be_cancelled,
        "told": found.told,
        "trouble": found.trouble,
        "refusal": found.refusal,
        "result": found.result,
    }


def actor_of(request: StaffRequest) -> Actor:
    """The operator at the counter, for services."""
    person = request.officer
    return Actor.operator(person.id, role=person.role, channel=Channel.COUNTER, place=client_address(request))


def _desks(request: StaffRequest) -> Sequence[Any]:
    """The desks of the operator's campus, read once for a page."""
    kept: Sequence[Any] | None = getattr(request, "desks", None)
    if kept is None:
        kept = request.desks = jobs.desks(campus_id=request.officer.campus_id)
    return kept


def _is_there(desk: Any, job: JobView | None) -> bool:
    """Whether the desk's agent has spoken lately; the job shown knows it already."""
    if job is not None and job.desk_id == desk.pk:
        return job.agent_there
    return jobs.agent_there(desk.pk, now=now())


def _shown(request: StaffRequest, job_id: uuid.UUID | None) -> JobView | None:
    wanted = job_id or request.session.get(_JOB)
    if wanted is None:
        return None
    try:
        return visible(request, uuid.UUID(str(wanted)))
    except (Http404, ValueError):
        return None


def _back(request: HttpRequest) -> str:
    """The page that the form stood on, if it is one of ours."""
    wanted = request.POST.get("next", "")
    home = reverse("counter:home")
    return wanted if url_has_allowed_host_and_scheme(wanted, None) and wanted.startswith(home) else home


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise jobs.OrderRefused(jobs.OrderProblem.BAD_PARAMS, field="key") from None


def _number(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise jobs.OrderRefused(jobs.OrderProblem.BAD_PARAMS, field="account")
    return int(text)


urlpatterns = [
    path("desk/", choose_desk, name="choose_desk"),
    path("jobs/read/", read, name="read_card"),
    path("jobs/<uuid:job_id>/", job, name="job"),
    path("jobs/<uuid:job_id>/cancel/", cancel, name="cancel_job"),
]
"""Included by ``counter.urls``, in its namespace."""
