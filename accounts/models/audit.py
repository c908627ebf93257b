"""Who did what, when, through which door, and what it was before and after.

Append-only in three locks: row triggers, a TRUNCATE trigger, and an application role that owns nothing and
may only read and add. A wrong entry is explained by another entry.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

STANDING_DEEDS = ("card.report_lost", "card.lift_loss", "account.freeze", "account.unfreeze")
"""What a holder is told of, whoever did it and whatever else happened in the same transaction."""


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
            models.Index(
                name="audit_of_standing", fields=["at"], condition=models.Q(action__in=STANDING_DEEDS)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.action}"


class AuditSeal(models.Model):
    """What a stretch of the audit came to when it was sealed: HMAC over the seal before and every row of it.

    Made by ``close_day``; ``verify`` computes it again. The head, copied off the machine, tells of a database that was
    put back or rewritten as a whole.
    """

    day = models.DateField()
    """The day in Shanghai on which it was sealed; goes into the digest."""
    sealed_at = models.DateTimeField()
    last_id = models.BigIntegerField(unique=True)
    """The newest row it covers; it begins behind the last row of the seal before."""
    events = models.BigIntegerField()
    key_mark = models.BinaryField()
    """By which the key is known again, so that another key is not taken for a forged row."""
    previous = models.BinaryField()
    digest = models.BinaryField()
    tags = models.BinaryField()
    """Four bytes for each row, to find the one that changed."""

    class Meta:
        verbose_name = _("审计封签")
        verbose_name_plural = _("审计封签")
        constraints = [
            models.CheckConstraint(name="audit_seal_has_rows", condition=models.Q(events__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.day} …{self.last_id}"
