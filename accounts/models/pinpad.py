"""A password that a holder is asked to key on the pad at a desk, without the clerk seeing it.

One row is one request: asked by the clerk, opened by one browser, ended once. What is keyed is never in here.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .secrets import SecretKind
from .standing import Account


class PadTask(models.TextChoices):
    """What happens on the pad."""

    SET = "set", _("持卡人设置新密码")
    SLIP = "slip", _("向持卡人显示初始密码")
    """Only for holders whose document gives no initial password (reading A16)."""


class PadState(models.TextChoices):
    """Where a request is. The first two are open."""

    WAITING = "waiting", _("等待密码键盘打开")
    OPENED = "opened", _("持卡人正在输入")
    DONE = "done", _("已完成")
    CANCELLED = "cancelled", _("已取消")
    FAILED = "failed", _("多次未成功，已结束")


OPEN_PAD = (PadState.WAITING, PadState.OPENED)


class PadRequest(models.Model):
    """One password to be keyed. ``key`` is the address of the pad page: random, for one browser, for three minutes."""

    key = models.UUIDField(primary_key=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="pad_requests", db_index=False)
    task = models.TextField(choices=PadTask)
    kind = models.TextField(choices=SecretKind)
    desk_id = models.BigIntegerField(null=True)
    """The desk (a terminal) whose pad shows it; empty where none was chosen and the link is opened by hand."""
    state = models.TextField(choices=PadState, default=PadState.WAITING)
    browser = models.TextField(default="", db_default="", blank=True)
    """A random name of the browser that opened it first; no other gets in."""
    refusals = models.SmallIntegerField(default=0, db_default=0)
    """How often something was keyed that may not become a password."""
    document = models.TextField()
    document_note = models.TextField()
    asked_by = models.TextField()
    asked_role = models.TextField()
    asked_place = models.TextField(default="", db_default="", blank=True)
    own_holder_id = models.BigIntegerField(null=True)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("密码键盘请求")
        verbose_name_plural = _("密码键盘请求")
        constraints = [
            models.CheckConstraint(name="pad_task_known", condition=Q(task__in=PadTask.values)),
            models.CheckConstraint(name="pad_kind_known", condition=Q(kind__in=SecretKind.values)),
            models.CheckConstraint(name="pad_state_known", condition=Q(state__in=PadState.values)),
            models.CheckConstraint(
                name="pad_end_whole",
                condition=Q(state__in=OPEN_PAD, ended_at__isnull=True)
                | Q(~Q(state__in=OPEN_PAD), ended_at__isnull=False),
            ),
            models.UniqueConstraint(
                name="pad_one_open_per_account", fields=["account"], condition=Q(state__in=OPEN_PAD)
            ),
        ]
        indexes = [models.Index(name="pad_open_at_desk", fields=["desk_id"], condition=Q(state__in=OPEN_PAD))]

    def __str__(self) -> str:
        return f"{self.task} {self.kind} {self.state}"
