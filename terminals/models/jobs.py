"""What the screens ask a desk to do with a card, how far it is, and how it ended.

A browser never talks to a reader: the page orders a job, the agent beside it takes it over the signed terminal API.
The identity of a job never changes, its end is an end, and every step it took stays (migration 0004).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .machines import Terminal


class JobKind(models.TextChoices):
    """What is to be done with the card on the reader."""

    READ = "read", _("读卡")
    SET = "set", _("按库修正卡片")
    LOAD = "load", _("充值")
    UNLOAD = "unload", _("撤销充值")
    MARK = "mark", _("停用标记")
    PREPARE = "prepare", _("制卡")
    EXTEND = "extend", _("写入有效期")


class JobState(models.TextChoices):
    """Where a job is. The last six are ends; ``state_unknown`` may still turn out to be ``done``."""

    ORDERED = "ordered", _("等待读卡程序")
    TAKEN = "taken", _("读卡程序已接收")
    CARD_AWAITED = "card_awaited", _("请放卡")
    READING = "reading", _("正在读卡")
    WRITING = "writing", _("正在写卡，请勿取卡")
    DONE = "done", _("完成")
    REFUSED = "refused", _("未执行")
    FAILED_UNCHANGED = "failed_unchanged", _("失败，卡与库未变")
    STATE_UNKNOWN = "state_unknown", _("写卡结果待确认")
    EXPIRED = "expired", _("超时未放卡")
    CANCELLED = "cancelled", _("已取消")


OPEN_STATES = (
    JobState.ORDERED,
    JobState.TAKEN,
    JobState.CARD_AWAITED,
    JobState.READING,
    JobState.WRITING,
)


class CardJob(models.Model):
    """One order to one desk. ``id`` is the key that the page made before it asked, so a double click orders once."""

    id = models.UUIDField(primary_key=True)
    kind = models.TextField(choices=JobKind)
    desk = models.ForeignKey(Terminal, models.PROTECT, related_name="jobs", db_index=False)
    account = models.ForeignKey("accounts.Account", models.PROTECT, null=True, related_name="card_jobs")
    """Whose card is expected; null for a read of whatever lies there."""
    card = models.ForeignKey("accounts.Card", models.PROTECT, null=True, related_name="jobs")
    """Which card of the account is expected; for ``prepare`` the blank row that the chip will become."""
    params = models.JSONField(default=dict)
    ordered_by = models.TextField()
    ordered_role = models.TextField()
    ordered_channel = models.TextField()
    ordered_place = models.TextField(default="", db_default="", blank=True)
    ordered_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    """When it ends by itself unless a card write has begun."""
    state = models.TextField(choices=JobState, default=JobState.ORDERED, db_default=JobState.ORDERED.value)
    trouble = models.TextField(default="", db_default="", blank=True)
    """What is in the way now (value of ``terminals.messages.jobs.Trouble``); empty when nothing is."""
    refusal = models.TextField(default="", db_default="", blank=True)
    """Why it was not done (``purse.rules.Refusal`` or ``transactions.services.desk.DeskRefusal``)."""
    uid = models.TextField(default="", db_default="", blank=True)
    """The card that was used, lower case hex."""
    entry_seq = models.BigIntegerField(null=True)
    """The entry that this job posted to its account; set once, in the transaction that posts it."""
    told = models.BooleanField(default=False, db_default=False)
    """Whether an image was given to the desk: from then on the card may have changed."""
    card_outcome = models.TextField(default="", db_default="", blank=True)
    """How the last card write ended (``purse.procedures.Outcome``); empty when none was reported."""
    result = models.JSONField(null=True)
    """What was read, in the words of ``transactions.services.desk.Reading.to_json``."""
    taken_at = models.DateTimeField(null=True)
    heard_at = models.DateTimeField(null=True)
    """When the agent last said something about this job."""
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("卡片任务")
        verbose_name_plural = _("卡片任务")
        constraints = [
            models.CheckConstraint(name="card_job_kind_known", condition=Q(kind__in=JobKind.values)),
            models.CheckConstraint(name="card_job_state_known", condition=Q(state__in=JobState.values)),
            models.CheckConstraint(
                name="card_job_end_has_time",
                condition=Q(state__in=OPEN_STATES, ended_at__isnull=True)
                | (~Q(state__in=OPEN_STATES) & Q(ended_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="card_job_names_its_account",
                condition=Q(kind=JobKind.READ) | Q(account__isnull=False),
            ),
            models.CheckConstraint(
                name="card_job_only_loads_book",
                condition=Q(entry_seq__isnull=True) | Q(kind__in=(JobKind.LOAD, JobKind.UNLOAD)),
            ),
            models.UniqueConstraint(
                name="card_job_one_open_per_desk", fields=["desk"], condition=Q(state__in=OPEN_STATES)
            ),
        ]
        indexes = [models.Index(name="card_job_of_desk", fields=["desk", "ordered_at"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.state} ({self.id})"

    @property
    def is_open(self) -> bool:
        """Whether it still goes on."""
        return self.state in OPEN_STATES


class CardJobStep(models.Model):
    """One step of a job, as its agent or a person told it. Only added."""

    job = models.ForeignKey(CardJob, models.PROTECT, related_name="steps", db_index=False)
    at = models.DateTimeField()
    state = models.TextField()
    trouble = models.TextField(default="", db_default="", blank=True)
    key = models.UUIDField(null=True, unique=True)
    """The operation key under which the desk asked, where this step is a card that was shown to the server."""
    detail = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("卡片任务步骤")
        verbose_name_plural = _("卡片任务步骤")
        indexes = [models.Index(name="card_job_step_of_job", fields=["job", "id"])]

    def __str__(self) -> str:
        return f"{self.job_id} {self.state}"
