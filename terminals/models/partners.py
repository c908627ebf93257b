"""Other systems of the university that ask who may in: library, gates, doors, PC rooms (R002, R057, A08).

A key belongs to one system and says what it may ask; that is never changed, a different right is a different key. No
key is stored: like a terminal's it is derived from the master, so whoever reads these tables can ask nothing. Nothing
here tells who went where: an accepted question leaves a number in a day's count, a refused one its reason for a week.
"""

from __future__ import annotations

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Service

ASKABLE: Final = (
    Service.DORM_DOOR,
    Service.LIBRARY_GATE,
    Service.LENDING,
    Service.PC_ROOM,
    Service.BUS,
    Service.BATH,
    Service.IDENTITY,
)
"""The services of the guide (L13) at which somebody else's machine asks; the others take money at a till of ours."""


class Partner(models.Model):
    """One system with its key.

    ``epoch`` names the present key, ``kept_epoch`` one of before that is still good until ``kept_until``.
    """

    id = models.AutoField(primary_key=True)
    name_zh = models.TextField()
    name_en = models.TextField(default="", db_default="", blank=True)
    contact = models.TextField()
    """Whom to call: the department that runs it, with a telephone or e-mail. Never a holder."""
    services = ArrayField(models.TextField(choices=Service))
    campuses = models.ManyToManyField("accounts.Campus", related_name="partners")
    """Where its doors stand."""
    tells_name = models.BooleanField(default=False, db_default=False)
    """Whether a yes comes with the masked name."""
    tells_school_no = models.BooleanField(default=False, db_default=False)
    by_number = models.BooleanField(default=False, db_default=False)
    """Whether it may ask by account or school number, without a card."""
    addresses = ArrayField(models.TextField(), default=list, db_default=[])
    """Networks that it asks from, such as ``10.8.0.0/24``; empty: any."""
    per_minute = models.IntegerField(default=600, db_default=600)
    expires_on = models.DateField()
    """The last day of the key, included."""
    epoch = models.IntegerField(default=1, db_default=1)
    kept_epoch = models.IntegerField(default=0, db_default=0)
    kept_until = models.DateTimeField(null=True)
    made_at = models.DateTimeField()
    turned_at = models.DateTimeField()
    """Since when ``epoch`` is good."""
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("接入系统")
        verbose_name_plural = _("接入系统")
        constraints = [
            models.CheckConstraint(
                name="partner_services_askable",
                condition=Q(
                    services__contained_by=[service.value for service in ASKABLE], services__len__gte=1
                ),
            ),
            models.CheckConstraint(
                name="partner_per_minute_bounded", condition=Q(per_minute__range=(1, 6000))
            ),
            models.CheckConstraint(
                name="partner_epochs_in_order",
                condition=Q(epoch__gte=1, kept_epoch__gte=0, kept_epoch__lt=F("epoch"))
                & (Q(kept_epoch=0, kept_until__isnull=True) | Q(kept_epoch__gte=1, kept_until__isnull=False)),
            ),
            models.CheckConstraint(name="partner_named", condition=~Q(name_zh="") & ~Q(contact="")),
        ]

    def __str__(self) -> str:
        return f"{self.name_zh} ({self.id})"


class PartnerContact(models.Model):
    """When a key asked last and how often in this minute. Written with every question, so nothing here is indexed."""

    partner = models.OneToOneField(
        Partner, models.PROTECT, primary_key=True, related_name="last_contact", db_column="partner_id"
    )
    used_at = models.DateTimeField(null=True)
    used_epoch = models.IntegerField(default=0, db_default=0)
    """The newest key that was ever used: what is kept beside the next one."""
    minute_at = models.DateTimeField(null=True)
    in_minute = models.IntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = _("接入系统联系")
        verbose_name_plural = _("接入系统联系")
        constraints = [
            models.CheckConstraint(
                name="partner_contact_counted", condition=Q(in_minute__gte=0, used_epoch__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.partner_id} {self.used_at}"


class PartnerDay(models.Model):
    """What a key asked on one day, as numbers: nobody can be found in them."""

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="days", db_index=False)
    on = models.DateField()
    asked = models.IntegerField(default=0, db_default=0)
    """Questions that were genuine and new."""
    refused = models.IntegerField(default=0, db_default=0)
    """Of these, the ones answered with no."""
    unknown = models.IntegerField(default=0, db_default=0)
    """Of these again, the ones about a card or number that we do not know: many by number are a search for people."""
    rejected = models.IntegerField(default=0, db_default=0)
    """Calls that were not let in: wrong signature, replay, wrong address, over the limit, outside of its rights."""

    class Meta:
        verbose_name = _("接入系统日计数")
        verbose_name_plural = _("接入系统日计数")
        constraints = [
            models.UniqueConstraint(name="partner_day_once", fields=["partner", "on"]),
            models.CheckConstraint(
                name="partner_day_counted",
                condition=Q(
                    unknown__gte=0, rejected__gte=0, refused__gte=F("unknown"), asked__gte=F("refused")
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.partner_id} {self.on}"


class PartnerNonce(models.Model):
    """A question that was heard, so that it is not heard again. Forgotten after ten minutes; tells of nobody."""

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+", db_index=False)
    nonce = models.BinaryField()
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("接入请求随机数")
        verbose_name_plural = _("接入请求随机数")
        constraints = [models.UniqueConstraint(name="partner_nonce_once", fields=["partner", "nonce"])]
        indexes = [models.Index(name="partner_nonce_by_age", fields=["partner", "at"])]

    def __str__(self) -> str:
        return f"{self.partner_id} {self.at}"


class DoorRefusal(models.Model):
    """A no, so that the desk can tell a holder why a door stayed shut. Forgotten after seven days.

    Which door is not asked and not kept; a yes leaves no such row.
    """

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="refusals", db_index=False)
    account = models.ForeignKey(
        "accounts.Account", models.PROTECT, related_name="door_refusals", db_index=False
    )
    service = models.TextField(choices=Service)
    denial = models.TextField()
    """Value of ``accounts.rights.Denial``."""
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("识别拒绝记录")
        verbose_name_plural = _("识别拒绝记录")
        constraints = [
            models.CheckConstraint(
                name="door_refusal_service_known", condition=Q(service__in=Service.values)
            ),
        ]
        indexes = [
            models.Index(name="door_refusal_of_account", fields=["account", "at"]),
            models.Index(name="door_refusal_of_partner", fields=["partner", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.denial}"
