"""What offline tills delivered, and what became of it. All three tables only grow.

A record is kept before anything is done with it; its verdict is a second row. A record without a verdict was
interrupted between the two and gets one when it comes again. A verdict that left it open is closed by a decision.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from terminals.messages.records import Result

from .machines import Terminal


class UploadedRecord(models.Model):
    """A genuine journal record, exactly as it came. Never changed, never deleted."""

    terminal = models.ForeignKey(Terminal, models.PROTECT, related_name="records", db_index=False)
    journal = models.TextField()
    seq = models.BigIntegerField()
    kind = models.TextField()
    prev_mac = models.TextField()
    mac = models.TextField()
    raw = models.TextField()
    """The canonical JSON that the MAC covers, with the MAC itself."""
    received_at = models.DateTimeField()

    class Meta:
        verbose_name = _("上传记录")
        verbose_name_plural = _("上传记录")
        constraints = [
            models.UniqueConstraint(name="uploaded_record_once", fields=["terminal", "journal", "seq"]),
        ]
        indexes = [models.Index(name="uploaded_record_by_time", fields=["received_at"])]

    def __str__(self) -> str:
        return f"{self.terminal_id}-{self.journal[:8]}-{self.seq}"


OPEN_VERDICT = Q(result__in=[Result.SUSPECT.value, Result.QUARANTINED.value])
"""Verdicts that leave a record to a person, or to what the card will show."""


class UploadVerdict(models.Model):
    """What became of one uploaded record when it came. Never changed: a later end is an ``UploadDecision``."""

    record = models.OneToOneField(
        UploadedRecord, models.PROTECT, primary_key=True, related_name="verdict", db_column="record_id"
    )
    result = models.TextField()
    why = models.TextField(default="", db_default="", blank=True)
    decided_at = models.DateTimeField()

    class Meta:
        verbose_name = _("上传结果")
        verbose_name_plural = _("上传结果")
        constraints = [
            models.CheckConstraint(
                name="upload_verdict_known", condition=Q(result__in=[result.value for result in Result])
            ),
        ]
        indexes = [
            models.Index(
                name="upload_verdict_odd", fields=["decided_at"], condition=~Q(result=Result.POSTED.value)
            ),
            models.Index(name="upload_verdict_open", fields=["record"], condition=OPEN_VERDICT),
        ]

    def __str__(self) -> str:
        return f"{self.record_id} {self.result}"


class Settled(models.TextChoices):
    """How a record that its verdict left open came to its end."""

    POSTED = "posted", _("已入账")
    DUPLICATE = "duplicate", _("此前已入账")
    NOT_WRITTEN = "not_written", _("未写卡，不入账")
    DISMISSED = "dismissed", _("人工驳回")


class UploadDecision(models.Model):
    """The end of an open record: the card has shown since how it was, or a person decided. One a record, for ever."""

    verdict = models.OneToOneField(
        UploadVerdict, models.PROTECT, primary_key=True, related_name="decision", db_column="record_id"
    )
    settled = models.TextField(choices=Settled)
    why = models.TextField(default="", db_default="", blank=True)
    """What the posting had to say, as in a verdict."""
    reason = models.TextField(default="", db_default="", blank=True)
    """A person's words; empty when the card itself decided."""
    decided_by = models.TextField()
    """``accounts.actors.Actor.who``."""
    decided_at = models.DateTimeField()

    class Meta:
        verbose_name = _("上传裁定")
        verbose_name_plural = _("上传裁定")
        constraints = [
            models.CheckConstraint(name="upload_decision_known", condition=Q(settled__in=Settled.values)),
        ]

    def __str__(self) -> str:
        return f"{self.verdict_id} {self.settled}"
