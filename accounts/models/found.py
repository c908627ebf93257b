"""Lost cards and found ones: what holders look for, what finders tell, what the desks keep in their drawers.

A found card moves by its events alone: the columns that say where it is are written by the database (migration of this
table). What people wrote for the public board is forgotten when its time is over; the events of a card stay.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .people import Campus, Operator
from .standing import Account, Card


class FoundHow(models.TextChoices):
    """How the desk knew whose card it is."""

    READER = "reader", _("读卡")
    NUMBER = "number", _("卡面号码")
    UNKNOWN = "unknown", _("无法识别")


class FoundState(models.TextChoices):
    """Where a found card is."""

    KEPT = "kept", _("保管中")
    HANDED_OVER = "handed_over", _("已领回")
    GONE = "gone", _("过期已处理")


class FoundEventKind(models.TextChoices):
    """What happened to a found card."""

    TAKEN_IN = "taken_in", _("收到")
    REPORTED_LOST = "reported_lost", _("代为挂失")
    LEFT_IN_USE = "left_in_use", _("不挂失")
    MOVED = "moved", _("转到另一校区")
    HANDED_OVER = "handed_over", _("交还本人")
    GONE = "gone", _("过期处理")


class FoundCard(models.Model):
    """One card that somebody brought to a desk. ``account`` is empty while nobody knows whose it is."""

    key = models.UUIDField(unique=True)
    how = models.TextField(choices=FoundHow)
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, related_name="found_cards", db_index=False
    )
    card = models.ForeignKey(Card, models.PROTECT, null=True, related_name="found", db_index=False)
    printed = models.TextField(default="", db_default="", blank=True)
    """What stands on a card that belongs to nobody known here."""
    place = models.TextField()
    """Where it was found."""
    found_on = models.DateField()
    public = models.BooleanField(default=True, db_default=True)
    """Whether it stands on the public board, masked."""
    taken_in_at = models.DateTimeField()
    keep_until = models.DateField()
    """Kept so long; then a person decides what becomes of it."""
    campus = models.ForeignKey(Campus, models.PROTECT, related_name="found_cards", db_index=False)
    """Where it is now."""
    kept_at = models.TextField()
    """Which drawer or shelf, in words."""
    state = models.TextField(choices=FoundState, default=FoundState.KEPT, db_default=FoundState.KEPT.value)
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("拾到的卡")
        verbose_name_plural = _("拾到的卡")
        constraints = [
            models.UniqueConstraint(
                name="found_card_kept_once", fields=["card"], condition=Q(state=FoundState.KEPT)
            ),
            models.CheckConstraint(name="found_how_known", condition=Q(how__in=FoundHow.values)),
            models.CheckConstraint(name="found_state_known", condition=Q(state__in=FoundState.values)),
            models.CheckConstraint(
                name="found_card_has_account", condition=Q(card__isnull=True) | Q(account__isnull=False)
            ),
        ]
        indexes = [
            models.Index(name="found_kept", fields=["campus", "-id"], condition=Q(state=FoundState.KEPT)),
            models.Index(name="found_by_account", fields=["account", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.state}"


class FoundEvent(models.Model):
    """One thing that happened to a found card. Never changed, never deleted."""

    found = models.ForeignKey(FoundCard, models.PROTECT, related_name="events", db_index=False)
    seq = models.IntegerField()
    key = models.UUIDField(unique=True)
    at = models.DateTimeField()
    officer = models.ForeignKey(Operator, models.PROTECT, related_name="+", db_index=False)
    kind = models.TextField(choices=FoundEventKind)
    campus = models.ForeignKey(Campus, models.PROTECT, related_name="+", db_index=False)
    """Where the card is after it."""
    kept_at = models.TextField()
    text = models.TextField(default="", db_default="", blank=True)
    document = models.TextField(default="", db_default="", blank=True)
    """Which document the owner showed, and how it stood to the register."""

    class Meta:
        verbose_name = _("拾卡记录")
        verbose_name_plural = _("拾卡记录")
        constraints = [
            models.UniqueConstraint(name="found_event_in_order", fields=["found", "seq"]),
            models.CheckConstraint(
                name="found_event_kind_known", condition=Q(kind__in=FoundEventKind.values)
            ),
            models.CheckConstraint(
                name="found_handed_over_to_document",
                condition=~Q(kind=FoundEventKind.HANDED_OVER) | ~Q(document=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.found_id}/{self.seq} {self.kind}"


class PostState(models.TextChoices):
    """Whether a search stands on the public board."""

    WAITING = "waiting", _("等待审核")
    SHOWN = "shown", _("已公开")
    HIDDEN = "hidden", _("不公开")
    CLOSED = "closed", _("已撤下")


class LostPost(models.Model):
    """寻卡: a signed-in holder looks for his own card. Forgotten, word by word, when its time is over."""

    key = models.UUIDField(unique=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="lost_posts", db_index=False)
    campus = models.ForeignKey(Campus, models.PROTECT, related_name="lost_posts", db_index=False)
    """Where he thinks that he lost it."""
    place = models.TextField()
    lost_on = models.DateField()
    text = models.TextField(default="", db_default="", blank=True)
    posted_at = models.DateTimeField()
    expires_on = models.DateField()
    renewed = models.BooleanField(default=False, db_default=False)
    state = models.TextField(choices=PostState)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("寻卡信息")
        verbose_name_plural = _("寻卡信息")
        constraints = [
            models.CheckConstraint(name="lost_post_state_known", condition=Q(state__in=PostState.values)),
            models.CheckConstraint(
                name="lost_post_erased_is_empty", condition=Q(erased_at__isnull=True) | Q(place="", text="")
            ),
        ]
        indexes = [
            models.Index(name="lost_post_board", fields=["-id"], condition=Q(state=PostState.SHOWN)),
            models.Index(name="lost_post_by_account", fields=["account", "posted_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.state}"


class FinderReport(models.Model):
    """Somebody typed the number of a card that he found. ``account`` is empty where nobody has that number."""

    key = models.UUIDField(unique=True)
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, related_name="finder_reports", db_index=False
    )
    place = models.TextField(default="", db_default="", blank=True)
    left_at = models.TextField(default="", db_default="", blank=True)
    """Where the finder left it or will take it."""
    at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("拾卡线索")
        verbose_name_plural = _("拾卡线索")
        constraints = [
            models.CheckConstraint(
                name="finder_report_erased_is_empty",
                condition=Q(erased_at__isnull=True) | Q(place="", left_at=""),
            ),
            models.CheckConstraint(
                name="finder_report_in_order", condition=Q(erased_at__isnull=True) | Q(erased_at__gte=F("at"))
            ),
        ]
        indexes = [models.Index(name="finder_report_by_account", fields=["account", "at"])]

    def __str__(self) -> str:
        return f"{self.pk}"
