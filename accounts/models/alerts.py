"""What a holder wants to be told, where to, and the letters that are on their way there (use case H23).

Every alert is a ``Notice`` first. ``AlertChoice`` and ``AlertContact`` say what of it also leaves the house, and
``AlertDelivery`` is the outbox. Nothing of it is written while somebody pays: ``send_alerts`` comes by each minute.
"""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .notices import Notice
from .standing import Account

HIGHEST_ALERT_FEN = 10_000_000
"""What a threshold may be at most: no movement is larger (``purse.money``)."""
GUESSES = 5
"""How often the code of one letter may be tried."""


class AlertGroup(models.TextChoices):
    """What alerts are about, as a holder chooses them."""

    LOW = "low", _("余额不足")
    SPEND = "spend", _("大额消费")
    WAITING = "waiting", _("待领金额")
    STANDING = "standing", _("挂失与冻结")
    CARE = "care", _("拾卡与争议")


class AlertWay(models.TextChoices):
    """How a letter leaves the house."""

    MAIL = "mail", _("邮件")
    SMS = "sms", _("短信")


class DeliveryState(models.TextChoices):
    """How far a letter is."""

    WAITING = "waiting", _("待发送")
    SENT = "sent", _("已发送")
    FAILED = "failed", _("未送达")
    DROPPED = "dropped", _("已取消")
    """Nobody wants it any more: the address was taken away, or a later code was asked for."""


def _groups_only(field: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        name=f"alert_choice_{field}_known", condition=Q(**{f"{field}__contained_by": AlertGroup.values})
    )


def _threshold(field: str) -> models.CheckConstraint:
    within = Q(**{f"{field}__gte": 1, f"{field}__lte": HIGHEST_ALERT_FEN})
    return models.CheckConstraint(
        name=f"alert_choice_{field}_bounded", condition=Q(**{f"{field}__isnull": True}) | within
    )


class AlertChoice(models.Model):
    """What one holder wants to hear of. No row: what concerns the card itself, as messages on the site, no more."""

    account = models.OneToOneField(Account, models.PROTECT, primary_key=True, related_name="alert_choice")
    low_fen = models.IntegerField(null=True)
    """Tell when the book falls below this; null: never."""
    spend_fen = models.IntegerField(null=True)
    """Tell of a single purchase above this; null: never."""
    waiting = models.BooleanField(default=False)
    """Tell of money that waits to be claimed."""
    mail = ArrayField(models.TextField(), default=list)
    """The groups that go out by mail as well."""
    sms = ArrayField(models.TextField(), default=list)
    language = models.TextField(default="zh-hans")
    """Of letters; nobody's browser is there to ask."""
    amounts = models.BooleanField(default=False)
    """Whether letters may say amounts; if not they only say what kind of thing happened."""
    quiet = models.BooleanField(default=True)
    """Whether letters that can wait do so at night."""
    seen_seq = models.BigIntegerField(default=0)
    """Up to which movement of the account alerts were looked for. Movements have no gaps (L2), so none is missed."""
    low_told = models.BooleanField(default=False)
    """Whether it was said that the book is low, and no load has mended it since."""
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("提醒设置")
        verbose_name_plural = _("提醒设置")
        constraints = [
            _threshold("low_fen"),
            _threshold("spend_fen"),
            _groups_only("mail"),
            _groups_only("sms"),
            models.CheckConstraint(
                name="alert_choice_language_known", condition=Q(language__in=["zh-hans", "en"])
            ),
            models.CheckConstraint(name="alert_choice_seen_seq_counts", condition=Q(seen_seq__gte=0)),
        ]

    def __str__(self) -> str:
        return str(self.account_id)


class AlertContact(models.Model):
    """Where the letters of one account go, by one way. Sealed like every other personal data (``accounts.sealing``).

    ``pending`` is an address that was typed and not confirmed yet; until it is, the one before stays in force. Taken
    away, the row stays empty: what was sent to it still names it.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4)
    """Names the address in links of letters. A new address has a new one."""
    account = models.ForeignKey(Account, models.PROTECT, related_name="alert_contacts", db_index=False)
    way = models.TextField(choices=AlertWay)
    sealed = models.BinaryField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    pending = models.BinaryField(null=True)
    asked_at = models.DateTimeField(null=True)
    """When the code for ``pending`` was asked for; the code follows from it (``services.alertcontacts``)."""
    guesses = models.SmallIntegerField(default=0)

    class Meta:
        verbose_name = _("提醒地址")
        verbose_name_plural = _("提醒地址")
        constraints = [
            models.UniqueConstraint(name="alert_contact_once", fields=["account", "way"]),
            models.CheckConstraint(name="alert_contact_way_known", condition=Q(way__in=AlertWay.values)),
            models.CheckConstraint(
                name="alert_contact_address_whole",
                condition=Q(sealed__isnull=True, confirmed_at__isnull=True)
                | Q(sealed__isnull=False, confirmed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="alert_contact_pending_whole",
                condition=Q(pending__isnull=True, asked_at__isnull=True)
                | Q(pending__isnull=False, asked_at__isnull=False),
            ),
            models.CheckConstraint(
                name="alert_contact_guesses_bounded", condition=Q(guesses__gte=0, guesses__lte=GUESSES)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.way}"


class AlertDelivery(models.Model):
    """One notice on its way to one address, or a code (no notice). A notice goes to an address once, for ever."""

    uid = models.UUIDField(unique=True, default=uuid.uuid4)
    """The letter's name on the wire: a letter sent twice after a crash is known again by it."""
    contact = models.ForeignKey(AlertContact, models.PROTECT, related_name="deliveries", db_index=False)
    notice = models.ForeignKey(Notice, models.PROTECT, null=True, related_name="deliveries", db_index=False)
    made_at = models.DateTimeField()
    """Of a code: the ``asked_at`` that it answers."""
    due_at = models.DateTimeField()
    """Not before this moment: night, or a pause after a failed attempt."""
    attempts = models.SmallIntegerField(default=0)
    """Counted before each attempt."""
    state = models.TextField(choices=DeliveryState, default=DeliveryState.WAITING)
    ended_at = models.DateTimeField(null=True)
    error = models.TextField(default="", db_default="", blank=True)
    """What kind of failure the last attempt met; never an address."""

    class Meta:
        verbose_name = _("提醒发送")
        verbose_name_plural = _("提醒发送")
        constraints = [
            models.UniqueConstraint(name="alert_delivery_once", fields=["notice", "contact"]),
            models.CheckConstraint(
                name="alert_delivery_ends_whole",
                condition=Q(state=DeliveryState.WAITING, ended_at__isnull=True)
                | Q(
                    state__in=[DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.DROPPED],
                    ended_at__isnull=False,
                ),
            ),
            models.CheckConstraint(name="alert_delivery_attempts_count", condition=Q(attempts__gte=0)),
        ]
        indexes = [
            models.Index(
                name="alert_delivery_due", fields=["due_at", "id"], condition=Q(state=DeliveryState.WAITING)
            ),
            models.Index(name="alert_delivery_by_contact", fields=["contact", "-id"]),
            models.Index(
                name="alert_delivery_ended", fields=["ended_at"], condition=~Q(state=DeliveryState.WAITING)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.uid} {self.state}"


class AlertScan(models.Model):
    """Up to which moment of the audit notices were made; the next look goes back a day beyond it."""

    name = models.TextField(primary_key=True)
    until = models.DateTimeField()

    class Meta:
        verbose_name = _("提醒进度")
        verbose_name_plural = _("提醒进度")

    def __str__(self) -> str:
        return f"{self.name} {self.until:%F %T}"
