"""On what terms the university settles with a merchant, from which day on. Rows are only ever added.

Fee and settlement of a day are those of the newest row that had begun, so what was paid in the past can be explained.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class SettlementPeriod(models.TextChoices):
    """How often a merchant is paid."""

    DAILY = "daily", _("每日")
    WEEKLY = "weekly", _("每周")
    HALF_MONTHLY = "half_monthly", _("每半月")
    MONTHLY = "monthly", _("每月")


RATE_MAX_BP = 1_000
"""Ten per cent; a typing error is likelier above it."""


class MerchantTerms(models.Model):
    """Fee and settlement period of one merchant from a day on. Never changed, never deleted."""

    merchant = models.ForeignKey(
        "transactions.Merchant", models.PROTECT, related_name="terms", db_index=False
    )
    effective_on = models.DateField()
    fee_bp = models.IntegerField()
    """Fee on sales in hundredths of a per cent: 60 is 0.60 %."""
    settlement = models.TextField(choices=SettlementPeriod)
    set_at = models.DateTimeField()
    set_by = models.TextField()
    reason = models.TextField()
    key = models.UUIDField(unique=True)
    """Made by the page, so that a double click sets them once."""

    class Meta:
        verbose_name = _("结算条件")
        verbose_name_plural = _("结算条件")
        constraints = [
            models.CheckConstraint(
                name="merchant_terms_rate", condition=Q(fee_bp__gte=0, fee_bp__lte=RATE_MAX_BP)
            ),
            models.CheckConstraint(
                name="merchant_terms_settlement_known", condition=Q(settlement__in=SettlementPeriod.values)
            ),
            models.CheckConstraint(name="merchant_terms_say_why", condition=~Q(reason="")),
        ]
        indexes = [models.Index(name="merchant_terms_of", fields=["merchant", "effective_on", "id"])]

    def __str__(self) -> str:
        return f"{self.merchant_id} {self.effective_on}"
