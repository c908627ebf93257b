"""Where members of staff are signed in: one row for each time, kept as a record after the session is over."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class StaffSession(models.Model):
    """One sign-in of an operator. The session itself is Django's; ``session_key`` finds it, to end it at once."""

    operator = models.ForeignKey("accounts.Operator", models.PROTECT, related_name="staff_sessions")
    session_key = models.TextField(unique=True)
    began_at = models.DateTimeField()
    place = models.TextField()
    """Network address."""
    agent = models.TextField(default="", db_default="", blank=True)
    """What the browser calls itself, cut short."""
    ended_at = models.DateTimeField(null=True)
    """When it was ended: by signing out, or by somebody else; empty for one that ran out."""

    class Meta:
        verbose_name = _("工作人员会话")
        verbose_name_plural = _("工作人员会话")
        constraints = [
            models.CheckConstraint(
                name="staff_session_ends_after_it_began",
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=models.F("began_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operator_id} {self.began_at:%F %T}"
