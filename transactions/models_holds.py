"""Money of a lost card that is held back while records of it may still be in silent tills (guide L31, reading A23)."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class CardHold(models.Model):
    """``fen`` taken out of the book when a card was replaced, and given back once: on its day, or earlier by a person.

    Between the two entries the money stands against the contra ``hold``. Of a row only its end may be added.
    """

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="holds", db_index=False)
    card_id = models.BigIntegerField()
    """The card whose records may still come."""
    fen = models.BigIntegerField()
    until_at = models.DateTimeField()
    entry_id = models.BigIntegerField(unique=True)
    made_at = models.DateTimeField()
    released_entry_id = models.BigIntegerField(null=True, unique=True)
    released_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("换卡预留")
        verbose_name_plural = _("换卡预留")
        constraints = [
            models.CheckConstraint(name="hold_amount_bounded", condition=Q(fen__gte=1, fen__lte=10_000_000)),
            models.CheckConstraint(name="hold_ends_later", condition=Q(until_at__gt=F("made_at"))),
            models.CheckConstraint(
                name="hold_end_whole",
                condition=Q(released_entry_id=None, released_at=None)
                | Q(released_entry_id__isnull=False, released_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="hold_of_account", fields=["account"]),
            models.Index(name="hold_open_by_day", fields=["until_at"], condition=Q(released_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.fen}"
