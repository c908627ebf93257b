"""What cron did: one row for each run of a command, begun before the work and ended after it.

A row without an end whose process is gone is a crash: a run holds the advisory lock (``RUN_LOCK``, its id) as long as
its connection lives, so nobody has to guess from the clock.
"""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

RUN_LOCK: Final = 0x0EC1
"""First half of the advisory lock of a run; the second half is its id."""


class RunResult(models.TextChoices):
    """How a run ended."""

    OK = "ok", _("完成")
    FAILED = "failed", _("失败")
    REFUSED = "refused", _("未执行")
    """Another run was under way, or the clocks were apart: nothing was done."""


class JobRun(models.Model):
    """One run of one job. Written twice: when it begins and when it ends; never again (trigger)."""

    id = models.AutoField(primary_key=True)
    job = models.TextField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    result = models.TextField(choices=RunResult, default="", db_default="", blank=True)
    """Empty while it goes on, and for ever if its process died."""
    counts = models.JSONField(default=dict)
    """What it did, as whole numbers by name."""
    error = models.TextField(default="", db_default="", blank=True)
    """Kind and message of what stopped it; no personal data (the messages of our own refusals have none)."""

    class Meta:
        verbose_name = _("任务运行")
        verbose_name_plural = _("任务运行")
        constraints = [
            models.CheckConstraint(name="job_run_name_form", condition=Q(job__regex=r"^[a-z][a-z_]{2,40}$")),
            models.CheckConstraint(
                name="job_run_ends_whole",
                condition=Q(ended_at__isnull=True, result="", error="")
                | Q(ended_at__gte=F("started_at"), result__in=RunResult.values),
            ),
            models.CheckConstraint(
                name="job_run_failure_says_why",
                condition=Q(result__in=["", RunResult.OK]) | ~Q(error=""),
            ),
        ]
        indexes = [models.Index(name="job_run_newest", fields=["job", "-started_at"])]

    def __str__(self) -> str:
        return f"{self.job} {self.started_at:%F %T}"
