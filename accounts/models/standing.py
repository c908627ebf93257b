"""Accounts and cards: the two hot tables, and the record of loss reports.

A debit locks exactly one row, the account, and compares-and-swaps on its ``version``: every change that can
turn a verdict adds one to it. Nothing that a tap changes is indexed and both tables keep free space, so that
updates stay in the page.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .people import Campus, Holder


class ServiceKind(models.TextChoices):
    """The two classes of cards (guide L17-19)."""

    FORMAL = "formal", _("正式卡")
    NAMED = "named", _("记名卡")


class AccountLife(models.TextChoices):
    """The life of an account, in this order and never backwards, except CLOSING given up back to OPEN."""

    PENDING = "pending", _("待开户")
    OPEN = "open", _("正常")
    CLOSING = "closing", _("销户中")
    CLOSED = "closed", _("已销户")


class CardLife(models.TextChoices):
    """The life of a piece of plastic. ISSUED and ACTIVE are live; of the rest only EXPIRED can come back."""

    BLANK = "blank", _("空白")
    ISSUED = "issued", _("已发")
    ACTIVE = "active", _("在用")
    REPLACED = "replaced", _("已换卡")
    RETURNED = "returned", _("已退卡")
    EXPIRED = "expired", _("已过期")
    DAMAGED = "damaged", _("已损坏")
    VOID = "void", _("作废")


LIVE_CARD = (CardLife.ISSUED, CardLife.ACTIVE)
"""The lives in which a card can still be used. One such card per account, one per UID."""

LIMIT_MAX_FEN = 60_000
"""What the database allows as a daily limit at most; the policy may allow less (reading A12)."""


class Account(models.Model):
    """One holder's purse at the university, known by the five digits on every receipt (guide L39).

    Money columns are written by ``transactions`` only. ``book_fen`` may be negative after late uploads; the
    account is frozen then (guide L95). ``frozen_reasons`` holds values of ``purse.rules.FreezeReason``; empty
    means not frozen.
    """

    number = models.IntegerField()
    holder = models.ForeignKey(Holder, models.PROTECT, related_name="accounts")
    campus = models.ForeignKey(Campus, models.PROTECT, related_name="accounts")
    kind = models.TextField(choices=ServiceKind, default=ServiceKind.FORMAL)
    life = models.TextField(
        choices=AccountLife, default=AccountLife.PENDING, db_default=AccountLife.PENDING.value
    )
    frozen_reasons = ArrayField(models.TextField(), default=list, db_default=[])
    frozen_at = models.DateTimeField(null=True)
    daily_limit_fen = models.IntegerField(default=5000, db_default=5000)
    book_fen = models.BigIntegerField(default=0, db_default=0)
    unclaimed_fen = models.BigIntegerField(default=0, db_default=0)
    entry_seq = models.BigIntegerField(default=0, db_default=0)
    version = models.BigIntegerField(default=0, db_default=0)
    spent_on = models.DateField(null=True)
    spent_fen = models.IntegerField(default=0, db_default=0)
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("账户")
        verbose_name_plural = _("账户")
        constraints = [
            models.UniqueConstraint(
                name="account_number_unique_in_use", fields=["number"], condition=~Q(life=AccountLife.CLOSED)
            ),
        ]
        indexes = [models.Index(name="account_number_all", fields=["number"])]

    def __str__(self) -> str:
        return str(self.number)

    @property
    def frozen(self) -> bool:
        """Whether any reason freezes this account and its card."""
        return bool(self.frozen_reasons)


class Card(models.Model):
    """One card of an account, with the server's mirror of its purse as last proven by a reader.

    ``legs`` and ``images`` hold, by side, the open legs and the slot images told to terminals
    (``purse.evidence``). The flag ``lost`` is independent of any freeze: clearing one never clears the other
    (reading A8).
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="cards", db_index=False)
    uid = models.TextField()
    """UID of the chip, upper case hex, 4 or 7 bytes; empty only while a card is BLANK or spoilt."""
    issue_no = models.SmallIntegerField(default=1)
    """Counts the cards of one account from 1; never reused."""
    kind = models.TextField(choices=ServiceKind, default=ServiceKind.FORMAL)
    life = models.TextField(choices=CardLife, default=CardLife.BLANK, db_default=CardLife.BLANK.value)
    lost = models.BooleanField(default=False, db_default=False)
    lost_at = models.DateTimeField(null=True)
    expires_on = models.DateField(null=True)
    spend_seq = models.IntegerField(default=0, db_default=0)
    spend_total_fen = models.BigIntegerField(default=0, db_default=0)
    offline_spent_fen = models.IntegerField(default=0, db_default=0)
    load_seq = models.IntegerField(default=0, db_default=0)
    load_total_fen = models.BigIntegerField(default=0, db_default=0)
    stop_marked = models.BooleanField(default=False, db_default=False)
    """Whether a stop mark is known to stand on the card itself."""
    late_fen = models.BigIntegerField(default=0, db_default=0)
    levelled_seq = models.IntegerField(default=0, db_default=0)
    """The highest spend sequence of which a levelling made the book say what the card shows; never goes down.

    An uploaded record up to here was deducted already: it is *late* (tap-protocol.md)."""
    legs = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    images = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    seen_at = models.DateTimeField(null=True)
    seen_terminal = models.BigIntegerField(null=True)
    seen_place = models.TextField(default="", db_default="", blank=True)

    class Meta:
        verbose_name = _("卡")
        verbose_name_plural = _("卡")
        constraints = [
            models.UniqueConstraint(
                name="card_one_live_per_account", fields=["account"], condition=Q(life__in=LIVE_CARD)
            ),
            models.UniqueConstraint(
                name="card_uid_unique_live", fields=["uid"], condition=Q(life__in=LIVE_CARD)
            ),
            models.UniqueConstraint(name="card_issue_no_once", fields=["account", "issue_no"]),
        ]
        indexes = [models.Index(name="card_uid_all", fields=["uid"])]

    def __str__(self) -> str:
        return f"{self.uid} ({self.issue_no})"

    @property
    def card_fen(self) -> int:
        """What the card holds by the last proven totals, in fen."""
        return self.load_total_fen - self.spend_total_fen


class LossReport(models.Model):
    """One accepted loss report, with the reference number (受理号) that the holder is told. Never changed."""

    key = models.UUIDField(unique=True)
    """Made by the caller before asking; the same key again returns the same report."""
    reference = models.TextField(unique=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="loss_reports")
    card = models.ForeignKey(Card, models.PROTECT, null=True, related_name="loss_reports")
    effect = models.TextField()
    """``card_lost`` or ``already_lost`` (value of ``services.standing.LossEffect``)."""
    channel = models.TextField()
    reported_at = models.DateTimeField()
    already_since_at = models.DateTimeField(null=True)
    """When the card had been reported before, if it had."""

    class Meta:
        verbose_name = _("挂失记录")
        verbose_name_plural = _("挂失记录")
        constraints = [
            models.CheckConstraint(name="loss_reference_form", condition=Q(reference__regex=r"^[0-9]{12}$")),
            models.CheckConstraint(
                name="loss_effect_consistent",
                condition=Q(effect="card_lost", already_since_at__isnull=True)
                | Q(effect="already_lost", already_since_at__lte=F("reported_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.reference
