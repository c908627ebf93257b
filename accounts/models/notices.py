"""What the system has to tell a holder: on his pages, and from there by the ways that he chose (``alerts``)."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .standing import Account


class NoticeKind(models.TextChoices):
    """What it is about. The sentences stand where they are shown (``portal.carewords``, ``portal.alertwords``)."""

    CARD_FOUND = "card_found", _("有人拾到您的卡")
    CARD_KEPT = "card_kept", _("您的卡在管理中心")
    CARD_MOVED = "card_moved", _("您的卡转到另一校区")
    CARD_RETURNED = "card_returned", _("您的卡已领回")
    CARD_GONE = "card_gone", _("拾到的卡已过保管期")
    POST_HIDDEN = "post_hidden", _("您的寻卡信息没有公开")
    DISPUTE_OPENED = "dispute_opened", _("争议已受理登记")
    DISPUTE_ASKED = "dispute_asked", _("请补充争议材料")
    DISPUTE_REFUNDED = "dispute_refunded", _("争议已退款")
    DISPUTE_SETTLED = "dispute_settled", _("争议已答复")
    DISPUTE_REFUSED = "dispute_refused", _("争议不予退款")
    LOW_BOOK = "low_book", _("余额低于提醒值")
    LARGE_SPEND = "large_spend", _("一笔大额消费")
    MONEY_WAITING = "money_waiting", _("有待领金额")
    CARD_LOST = "card_lost", _("卡已挂失")
    LOSS_LIFTED = "loss_lifted", _("卡已解挂")
    FROZEN = "frozen", _("账户已冻结")
    UNFROZEN = "unfrozen", _("账户已解冻")


ALERT_KINDS = (
    *(NoticeKind.LOW_BOOK, NoticeKind.LARGE_SPEND, NoticeKind.MONEY_WAITING),
    *(NoticeKind.CARD_LOST, NoticeKind.LOSS_LIFTED, NoticeKind.FROZEN, NoticeKind.UNFROZEN),
)
"""What ``send_alerts`` finds. Of one cause it tells once, however often it looks."""


class Notice(models.Model):
    """One message to one holder. Its content never changes; it is read once."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="notices", db_index=False)
    kind = models.TextField(choices=NoticeKind)
    about = models.TextField()
    """Which thing: ``dispute:12``, ``found:7``, ``entry:41`` (of the account), ``audit:9``."""
    facts = models.JSONField(default=dict)
    """Amounts in fen, places and reference numbers, by name; never a third person's data."""
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    passed_on_at = models.DateTimeField(null=True)
    """When it was looked at for letters: whatever has none yet is found by that, however late it was committed."""

    class Meta:
        verbose_name = _("通知")
        verbose_name_plural = _("通知")
        constraints = [
            models.CheckConstraint(name="notice_kind_known", condition=Q(kind__in=NoticeKind.values)),
            models.CheckConstraint(
                name="notice_read_after_it_came",
                condition=Q(read_at__isnull=True) | Q(read_at__gte=F("at")),
            ),
            models.UniqueConstraint(
                name="notice_once_per_cause",
                fields=["account", "kind", "about"],
                condition=Q(kind__in=ALERT_KINDS),
            ),
        ]
        indexes = [
            models.Index(name="notice_by_account", fields=["account", "-id"]),
            models.Index(name="notice_unread", fields=["account"], condition=Q(read_at__isnull=True)),
            models.Index(name="notice_to_pass_on", fields=["id"], condition=Q(passed_on_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.account_id}"
