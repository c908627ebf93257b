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
