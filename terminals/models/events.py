"""What somebody should look at: signs that a terminal was copied, stolen, tampered with or is badly set up."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .machines import Terminal


class SecurityEventKind(models.TextChoices):
    """What was noticed."""

    BAD_SIGNATURES = "bad_signatures", _("连续签名错误")
    REPLAY = "replay", _("重复的请求")
    STALE_START = "stale_start", _("旧启动号仍在使用")
    CLONED = "cloned", _("终端被复制")
    CODE_REUSED = "code_reused", _("注册码被再次使用")
    CODE_EXPIRED = "code_expired", _("注册码过期后被使用")
    REVOKED_CALL = "revoked_call", _("已注销终端仍在请求")
    FORK = "fork", _("流水分叉")
    BROKEN_RECORD = "broken_record", _("流水记录无效")
    JOURNAL_LOST = "journal_lost", _("终端流水丢失")
    JOURNAL_GAP = "journal_gap", _("流水缺号超过一天")
    CLOCK_WRONG = "clock_wrong", _("终端时钟不准")
    ENROLLED = "enrolled", _("终端注册")
    REVOKED = "revoked", _("终端注销")


class SecurityEvent(models.Model):
    """Something noticed, with its evidence. Only added; the same thing within an hour is not told twice."""

    at = models.DateTimeField()
    kind = models.TextField(choices=SecurityEventKind)
    terminal = models.ForeignKey(Terminal, models.PROTECT, null=True, related_name="events", db_index=False)
    detail = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("安全事件")
        verbose_name_plural = _("安全事件")
        constraints = [
            models.CheckConstraint(
                name="security_event_kind_known", condition=Q(kind__in=SecurityEventKind.values)
            ),
        ]
        indexes = [
            models.Index(name="security_event_by_time", fields=["at"]),
            models.Index(name="security_event_of_terminal", fields=["terminal", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.kind}"


class GapRest(models.Model):
    """A supervisor's word that the missing records of a journal will never come: burnt, stolen, wiped. Never changed.

    The nightly alarm about that journal stays silent as long as no more than these are missing.
    """

    terminal = models.ForeignKey(Terminal, models.PROTECT, related_name="gap_rests", db_index=False)
    journal = models.TextField()
    missing = models.BigIntegerField()
    """How many numbers were missing when it was said."""
    rested_at = models.DateTimeField()
    rested_by = models.TextField()
    reason = models.TextField()

    class Meta:
        verbose_name = _("缺号确认")
        verbose_name_plural = _("缺号确认")
        constraints = [
            models.CheckConstraint(name="gap_rest_says_why", condition=~Q(reason="")),
            models.CheckConstraint(name="gap_rest_of_something", condition=Q(missing__gte=1)),
        ]
        indexes = [models.Index(name="gap_rest_of_journal", fields=["terminal", "journal", "id"])]

    def __str__(self) -> str:
        return f"{self.terminal_id} {self.journal[:8]} {self.missing}"


class BadSignature(models.Model):
    """How many wrong signatures came in a terminal's name within the present minute; the fifth raises an alarm."""

    terminal = models.OneToOneField(
        Terminal, models.PROTECT, primary_key=True, related_name="bad_signatures", db_column="terminal_id"
    )
    since_at = models.DateTimeField()
    count = models.IntegerField()

    class Meta:
        verbose_name = _("签名错误计数")
        verbose_name_plural = _("签名错误计数")
        constraints = [models.CheckConstraint(name="bad_signature_counted", condition=Q(count__gte=1))]

    def __str__(self) -> str:
        return f"{self.terminal_id}: {self.count}"
