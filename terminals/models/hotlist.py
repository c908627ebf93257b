"""The hotlist: cards that a till without the network must refuse, as a row of numbered changes.

Each change takes the next version, so "everything after version n" is one short index range, may be cut anywhere,
and a terminal that has applied it knows exactly how far it is.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Hotlist(models.Model):
    """The one row that says how far the list is. Locked while the list is brought up to date."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    version = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    """When the list was last compared with cards and accounts."""

    class Meta:
        verbose_name = _("黑名单")
        verbose_name_plural = _("黑名单")
        constraints = [models.CheckConstraint(name="hotlist_one_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return str(self.version)


class HotlistEntry(models.Model):
    """The present state of one card that is, or once was, on the list."""

    uid = models.TextField(primary_key=True)
    """Lower case hex, as terminals read it."""
    refusal = models.TextField()
    """Value of ``purse.rules.Refusal``: what the till shows."""
    removed = models.BooleanField(default=False)
    version = models.BigIntegerField(unique=True)
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("黑名单卡")
        verbose_name_plural = _("黑名单卡")
        constraints = [
            models.CheckConstraint(
                name="hotlist_uid_form", condition=Q(uid__regex=r"^([0-9a-f]{8}|[0-9a-f]{14})$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.uid} {self.refusal}"
