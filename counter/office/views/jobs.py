"""What cron runs: when each job ran last, how long it took, what is late, and the runs that failed or died."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from accounts import jobs as reading
from accounts.jobs import Job, RunRow
from accounts.wiring import now
from counter.access import StaffRequest, staff_required
from counter.office.access import LOOKS
from counter.office.drawings import RUN_BARS, run_bars
from counter.office.words import COUNTS, FATES, JOB_STATES, Words
from counter.pages import staff_page
from reconciliation.retention import PERIODS, Period


@staff_required(*LOOKS)
@require_safe
def jobs(request: StaffRequest) -> HttpResponse:
    """Every job."""
    moment = now()
    context = {
        "rows": [(row, *JOB_STATES[row.state], _counts(row.last)) for row in reading.jobs(now=moment)],
        "late": reading.late_jobs(now=moment),
        "now": moment,
    }
    return staff_page(request, "counter/office/jobs.html", context)


@staff_required(*LOOKS)
@require_safe
def job(request: StaffRequest, job_name: str) -> HttpResponse:
    """One job with its latest runs."""
    runs = reading.runs_of(job_name)
    known = reading.job_named(job_name) or (Job(job_name, job_name, needed=False) if runs else None)
    if known is None:
        raise Http404
    context = {
        "job": known,
        "runs": [(run, _counts(run)) for run in runs],
        "bars": run_bars(runs),
        "width": RUN_BARS,
        "periods": _periods() if known.name == "retention" else [],
    }
    return staff_page(request, "counter/office/job.html", context)


def _periods() -> list[tuple[Period, Words, str]]:
    """The table that this job carries out."""
    return [(period, *FATES[period.fate]) for period in PERIODS]


def _counts(run: RunRow | None) -> list[tuple[Words, Any]]:
    """What a run did, in words and in their order; zeros are left out."""
    counts = run.counts if run else {}
    names = [*(name for name in COUNTS if name in counts), *(name for name in counts if name not in COUNTS)]
    return [(COUNTS.get(name, name), counts[name]) for name in names if counts[name]]
