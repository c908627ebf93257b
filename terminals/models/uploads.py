"""What offline tills delivered, and what became of it. Both tables only grow.

A record is kept before anything is done with it; its verdict is a second row. A record without a verdict was
interrupted between the two and gets one when it comes again.
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


class UploadVerdict(models.Model):
    """What became of one uploaded record. Never changed; a person's later decision is a case, not a new verdict."""

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
        ]

    def __str__(self) -> str:
        return f"{self.record_id} {self.result}"
