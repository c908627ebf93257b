"""The university's numbers and words as they were, are and will be: who set which value, and from when on.

A value is never changed: a newer one takes over at its moment. One that has not begun yet may be called off, in a row
of its own. Both tables only grow (triggers), so what held on any day of the past can be read again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

NOTICE: Final = timedelta(seconds=10)
"""A value begins at least so long after it was set. Every process learns of it sooner than that
(``accounts.wiring``), so all of them change over at the same moment."""


class PolicyChange(models.Model):
    """One value of ``purse.policy.Policy`` or ``accounts.options.Options`` from a moment on.

    Of several values that have begun the one with the latest beginning holds, of equal ones the one set last.
    """

    name = models.TextField()
    value = models.JSONField()
    """Amounts in fen, durations in seconds, days as whole numbers, else a truth value or text."""
    effective_at = models.DateTimeField()
    set_at = models.DateTimeField()
    set_by = models.TextField()
    """``accounts.actors.Actor.who``."""
    agreed_by = models.TextField(default="", db_default="", blank=True)
    """The second person, where the value bounds money."""
    reason = models.TextField()
    key = models.UUIDField(unique=True)
    """Made by the page before it asked, so that a double click sets the value once."""

    class Meta:
        verbose_name = _("参数取值")
        verbose_name_plural = _("参数取值")
        constraints = [
            models.CheckConstraint(
                name="policy_begins_after_notice", condition=Q(effective_at__gte=F("set_at") + NOTICE)
            ),
            models.CheckConstraint(name="policy_says_why", condition=~Q(reason="")),
            models.CheckConstraint(name="policy_second_is_another", condition=~Q(agreed_by=F("set_by"))),
            models.CheckConstraint(
                name="policy_name_form", condition=Q(name__regex=r"^[a-z][a-z0-9_]{2,60}$")
            ),
        ]
        indexes = [models.Index(name="policy_of_name", fields=["name", "effective_at", "id"])]

    def __str__(self) -> str:
        return f"{self.name} {self.effective_at:%F %T}"


class PolicyWithdrawal(models.Model):
    """A value that was called off before it began (the database refuses a later one)."""

    change = models.OneToOneField(
        PolicyChange, models.PROTECT, primary_key=True, related_name="withdrawal", db_column="change_id"
    )
    withdrawn_at = models.DateTimeField()
    withdrawn_by = models.TextField()
    reason = models.TextField()

    class Meta:
        verbose_name = _("参数撤销")
        verbose_name_plural = _("参数撤销")
        constraints = [models.CheckConstraint(name="policy_withdrawal_says_why", condition=~Q(reason=""))]

    def __str__(self) -> str:
        return str(self.change_id)
