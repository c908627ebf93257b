"""The one-to-one mapping between a bank's savings card and a campus account (guide L45, L47)."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Account


class BindingState(models.TextChoices):
    """Only a confirmed binding lets money be loaded (guide L47)."""

    PENDING = "pending", _("待确认")
    CONFIRMED = "confirmed", _("已签约")
    ENDED = "ended", _("已解约")


ACTIVE = (BindingState.PENDING, BindingState.CONFIRMED)


class Binding(models.Model):
    """One bank card bound to one account. A change is an end and a new row; an ended one never comes back.

    The number is sealed (``accounts.sealing``, bound to this row's ``uid``) and found through a keyed blind index; on
    screens only its first and last four digits appear.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="bindings")
    number_sealed = models.BinaryField()
    number_index = models.BinaryField()
    """HMAC-SHA256 of the number, 32 bytes."""
    first_four = models.TextField()
    last_four = models.TextField()
    state = models.TextField(choices=BindingState)
    bound_at = models.DateTimeField()
    bound_by = models.TextField()
    """``operator:<id>`` or the file of the bank that it came with."""
    bound_place_zh = models.TextField(default="", db_default="", blank=True)
    """The desk, in words, as the holder reads it."""
    bound_place_en = models.TextField(default="", db_default="", blank=True)
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)
    """When the number was forgotten: index, seal and digits are empty since."""

    class Meta:
        verbose_name = _("银行卡签约")
        verbose_name_plural = _("银行卡签约")
        constraints = [
            models.CheckConstraint(name="binding_state_known", condition=Q(state__in=BindingState.values)),
            models.CheckConstraint(
                name="binding_digits",
                condition=Q(
                    erased_at__isnull=True,
                    first_four__regex=r"^[0-9]{4}$",
                    last_four__regex=r"^[0-9]{4}$",
                )
                | Q(
                    erased_at__isnull=False,
                    state=BindingState.ENDED,
                    first_four="",
                    last_four="",
                    number_sealed=b"",
                    number_index=b"",
                ),
            ),
            models.CheckConstraint(
                name="binding_times",
                condition=Q(state="pending", confirmed_at__isnull=True, ended_at__isnull=True)
                | Q(state="confirmed", confirmed_at__isnull=False, ended_at__isnull=True)
                | Q(state="ended", ended_at__isnull=False),
            ),
            models.UniqueConstraint(
                name="binding_one_active_per_account", fields=["account"], condition=Q(state__in=ACTIVE)
            ),
            models.UniqueConstraint(
                name="binding_one_active_per_bank_card",
                fields=["number_index"],
                condition=Q(state__in=ACTIVE),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.state}"
