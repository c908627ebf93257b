"""Who did what, when, through which door, and what it was before and after.

Append-only in three locks: row triggers, a TRUNCATE trigger, and an application role that owns nothing and
may only read and add. A wrong entry is explained by another entry.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEvent(models.Model):
    """One deed. Written in the same transaction as what it tells of; never changed, never deleted.

    Holds no password, no name and no identity number: people appear as ``holder:<uid>`` or ``operator:<id>``.
    """

    at = models.DateTimeField()
    actor = models.TextField()
    role = models.TextField()
    channel = models.TextField()
    place = models.TextField(default="", db_default="", blank=True)
    """Terminal or network address the deed came from."""
    action = models.TextField()
    """A verb with its noun, such as ``card.report_lost``."""
    object_kind = models.TextField()
    object_id = models.TextField()
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.TextField(default="", db_default="", blank=True)

    class Meta:
        verbose_name = _("审计记录")
        verbose_name_plural = _("审计记录")
        indexes = [
            models.Index(name="audit_by_object", fields=["object_kind", "object_id", "at"]),
            models.Index(name="audit_by_actor", fields=["actor", "at"]),
            models.Index(name="audit_by_time", fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.action}"
