"""Which jobs cron runs, when, and how their last runs ended. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final

from django.db.models import Max, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import JobRun, RunResult
from accounts.services.runs import alive
from accounts.services.throttle import SHANGHAI

Words = str | Promise
LATE_AFTER: Final = timedelta(hours=26)
"""Cron runs nightly; nothing for so long is a missed night (screens.md 6.5)."""
DRILL_LATE_AFTER: Final = timedelta(days=35)
"""A backup that nobody has restored for longer is a hope (security.md section 6: monthly)."""
DAY: Final = timedelta(days=1)
MONTH: Final = timedelta(days=30)
MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Job:
    """A command that runs by itself. ``at``: the minute of the day in Shanghai; None: all day long, ``every`` so often.

    ``needed``: whether somebody must hear of it when it has not come to a good end for ``late_after``.
    """

    name: str
    label: Words
    at: time | None = None
    every: timedelta = DAY
    needed: bool = True
    late_after: timedelta = LATE_AFTER

    def due_after(self, moment: datetime) -> datetime:
        """When it should run next."""
        if self.at is None:
            return moment + self.every
        local = moment.astimezone(SHANGHAI)
        due = datetime.combine(local.date(), self.at, SHANGHAI)
        return due if due > local else datetime.combine(local.date() + DAY, self.at, SHANGHAI)


JOBS: Final[Sequence[Job]] = (
    Job("close_day", _("日结：封存已过的账日"), time(0, 10)),
    Job("backup", _("备份：整库加密备份"), time(1, 0)),
    Job("reconcile", _("对账：比对卡与库，平账、冻结、立案"), time(2, 0)),
    Job("verify", _("核验：检查账目的全部约束"), time(3, 0)),
    Job("retention", _("清理：按保存期限清除个人资料"), time(3, 30), needed=False),
    Job(
        "restore_drill", _("恢复演练：在临时服务器上恢复并核验备份"), every=MONTH, late_after=DRILL_LATE_AFTER
    ),
    Job("send_alerts", _("提醒：告知持卡人并发送邮件和短信"), every=MINUTE, needed=False),
    Job("sync_hotlist", _("黑名单：与卡和账户同步"), every=MINUTE, needed=False),
)
_KNOWN: Final[Mapping[str, Job]] = {job.name: job for job in JOBS}


class JobState(StrEnum):
    """What to make of a job."""

    GOOD = "good"
    RUNNING = "running"
    LATE = "late"
    """It has not come to a good end for so long that somebody must hear of it."""
    FAILED = "failed"
    """Its last run failed or died."""
    NEVER = "never"
    """It has never run here."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. ``died``: it never ended, and its process is gone."""

    id: int
    job: str
    started_at: datetime
    ended_at: datetime | None
    result: str
    counts: Mapping[str, int]
    error: str
    died: bool

    @property
    def took(self) -> timedelta | None:
        """How long it took; None while it goes on or for ever."""
        return self.ended_at - self.started_at if self.ended_at else None

    @property
    def seconds(self) -> str:
        """The same for people, ``0.4`` or ``312``."""
        if self.took is None:
            return ""
        seconds = self.took.total_seconds()
        return f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job with its newest run, its last good end and when it is due."""

    job: Job
    state: JobState
    last: RunRow | None
    good_at: datetime | None
    due_at: datetime


def jobs(*, now: datetime) -> list[JobRow]:
    """Every job that there is, and every other that ever ran here. Three statements."""
    rows = {row.job: row for row in JobRun.objects.order_by("job", "-started_at", "-id").distinct("job")}
    good = _good_ends()
    died = _died([row for row in rows.values() if row.ended_at is None])
    others = [Job(name, name, needed=False) for name in sorted(rows) if name not in _KNOWN]
    return [_job_row(job, rows.get(job.name), good.get(job.name), died, now=now) for job in (*JOBS, *others)]


def late_jobs(*, now: datetime) -> list[Job]:
    """The needed jobs that have not come to a good end for too long. One statement."""
    needed = [job for job in JOBS if job.needed]
    lately = JobRun.objects.filter(
        Q.create(
            [Q(job=job.name, result=RunResult.OK, ended_at__gte=now - job.late_after) for job in needed],
            connector=Q.OR,
        )
    )
    here = set(lately.order_by().values_list("job", flat=True).distinct())
    return [job for job in needed if job.name not in here]


def runs_of(name: str, *, newest: int = 60) -> list[RunRow]:
    """The newest runs of one job, newest first. Two statements."""
    rows = list(JobRun.objects.filter(job=name).order_by("-started_at", "-id")[:newest])
    died = _died([row for row in rows if row.ended_at is None])
    return [_run_row(row, died) for row in rows]


def job_named(name: str) -> Job | None:
    """A job that there is."""
    return _KNOWN.get(name)


def _good_ends() -> dict[str, datetime]:
    found = JobRun.objects.filter(result=RunResult.OK).order_by().values_list("job")
    return dict(found.annotate(Max("ended_at")))


def _is_late(job: Job, good_at: datetime | None, now: datetime) -> bool:
    return good_at is None or now - good_at > job.late_after


def _died(unfinished: Sequence[JobRun]) -> frozenset[int]:
    ids = [row.pk for row in unfinished]
    return frozenset(ids) - alive(ids) if ids else frozenset()


def _job_row(
    job: Job, row: JobRun | None, good_at: datetime | None, died: frozenset[int], *, now: datetime
) -> JobRow:
    last = _run_row(row, died) if row else None
    return JobRow(job, _state(job, last, good_at, now), last, good_at, _due(job, last, now))


def _due(job: Job, last: RunRow | None, now: datetime) -> datetime:
    """After the last run; a job that was missed was due then, and one that never ran is due as from now."""
    return job.due_after(last.started_at if last else now)


def _state(job: Job, last: RunRow | None, good_at: datetime | None, now: datetime) -> JobState:
    if last is None:
        return JobState.NEVER
    if last.died or last.result == RunResult.FAILED:
        return JobState.FAILED
    if last.ended_at is None:
        return JobState.RUNNING
    return JobState.LATE if job.needed and _is_late(job, good_at, now) else JobState.GOOD


def _run_row(row: JobRun, died: frozenset[int]) -> RunRow:
    return RunRow(
        id=row.pk,
        job=row.job,
        started_at=row.started_at,
        ended_at=row.ended_at,
        result=row.result,
        counts=row.counts,
        error=row.error,
        died=row.pk in died,
    )
