"""Cash: drawers, the shifts in which somebody answers for one, what a customer was shown, and numbered receipts.

An entry whose contra is a drawer names the shift in ``contra_ref``; what a drawer must hold is computed from those
entries and nowhere else (reliability.md L12). The guards stand in migration 0008.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Drawer(models.Model):
    """A cash drawer at a cash point or desk of a campus (guide L37). Its code begins the numbers of its receipts."""

    campus = models.ForeignKey("accounts.Campus", models.PROTECT, related_name="drawers")
    code = models.TextField(unique=True)
    """One to three capitals and two digits, such as ``YS01``."""
    name_zh = models.TextField()
    name_en = models.TextField(default="", db_default="", blank=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("钱箱")
        verbose_name_plural = _("钱箱")
        constraints = [
            models.CheckConstraint(name="drawer_code_form", condition=Q(code__regex=r"^[A-Z]{1,3}[0-9]{2}$")),
        ]

    def __str__(self) -> str:
        return self.code


class Shift(models.Model):
    """One person's time at one drawer: open, counted and closed, accepted. Read-only after each of the steps.

    ``float_fen`` lay in the drawer at the beginning; ``expected_fen`` = float + what the entries of the shift brought.
    """

    drawer = models.ForeignKey(Drawer, models.PROTECT, related_name="shifts")
    no = models.IntegerField()
    """1, 2, 3 … per drawer."""
    officer = models.ForeignKey("accounts.Operator", models.PROTECT, related_name="shifts")
    display_key = models.UUIDField(unique=True, default=uuid.uuid4)
    """Opens the customer's display of this shift on a second screen; whoever has it sees amounts, nothing else."""
    display_seen_at = models.DateTimeField(null=True)
    """When the display last asked; a display that is silent cannot show an amount."""
    opened_at = models.DateTimeField()
    float_fen = models.BigIntegerField()
    float_count = models.JSONField(default=dict)
    """Pieces by denomination in fen, ``{"10000": 3}``; empty when only the sum was stated."""
    closed_at = models.DateTimeField(null=True)
    count = models.JSONField(null=True)
    counted_fen = models.BigIntegerField(null=True)
    expected_fen = models.BigIntegerField(null=True)
    difference_fen = models.BigIntegerField(null=True)
    """Counted minus expected."""
    reason = models.TextField(default="", db_default="", blank=True)
    closed_by = models.ForeignKey(
        "accounts.Operator", models.PROTECT, null=True, related_name="shifts_closed", db_index=False
    )
    """The supervisor who counted in place of an officer who could not; empty where he did it himself."""
    accepted_by = models.ForeignKey(
        "accounts.Operator", models.PROTECT, null=True, related_name="shifts_accepted"
    )
    accepted_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("班次")
        verbose_name_plural = _("班次")
        constraints = [
            models.UniqueConstraint(name="shift_no_once", fields=["drawer", "no"]),
            models.UniqueConstraint(
                name="shift_one_open_per_drawer", fields=["drawer"], condition=Q(closed_at__isnull=True)
            ),
            models.UniqueConstraint(
                name="shift_one_open_per_officer", fields=["officer"], condition=Q(closed_at__isnull=True)
            ),
            models.CheckConstraint(
                name="shift_float_bounded", condition=Q(float_fen__gte=0, float_fen__lte=10_000_000)
            ),
            models.CheckConstraint(
                name="shift_closed_whole",
                condition=Q(
                    closed_at__isnull=True,
                    count__isnull=True,
                    counted_fen__isnull=True,
                    expected_fen__isnull=True,
                    difference_fen__isnull=True,
                )
                | Q(
                    closed_at__isnull=False,
                    count__isnull=False,
                    counted_fen__gte=0,
                    expected_fen__isnull=False,
                    difference_fen=F("counted_fen") - F("expected_fen"),
                ),
            ),
            models.CheckConstraint(
                name="shift_difference_has_reason",
                condition=Q(difference_fen__isnull=True) | Q(difference_fen=0) | ~Q(reason=""),
            ),
            models.CheckConstraint(
                name="shift_counted_for_another",
                condition=Q(closed_by__isnull=True)
                | Q(closed_at__isnull=False) & ~Q(closed_by=F("officer")) & ~Q(reason=""),
            ),
            models.CheckConstraint(
                name="shift_accepted_by_another",
                condition=Q(accepted_at__isnull=True, accepted_by__isnull=True)
                | Q(accepted_at__isnull=False, accepted_by__isnull=False, closed_at__isnull=False)
                & ~Q(accepted_by=F("officer")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.drawer_id}/{self.no}"


class TopUpSlip(models.Model):
    """One cash top-up from the keyed amount on: announced, shown to the customer, confirmed (guide L39, R013).

    ``id`` is the key that the page made and becomes the id of the card job, so a double click tops up once.
    """

    id = models.UUIDField(primary_key=True)
    shift = models.ForeignKey(Shift, models.PROTECT, related_name="slips")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="cash_slips", db_index=False)
    fen = models.BigIntegerField()
    announced_at = models.DateTimeField()
    shown_at = models.DateTimeField(null=True)
    shown_on = models.TextField(default="", db_default="", blank=True)
    """``display``, or ``counter`` where the customer read the amount on the cashier's own screen."""
    confirmed_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("充值单")
        verbose_name_plural = _("充值单")
        constraints = [
            models.CheckConstraint(name="slip_amount_bounded", condition=Q(fen__gte=1, fen__lte=10_000_000)),
            models.CheckConstraint(
                name="slip_shown_whole",
                condition=Q(shown_at__isnull=True, shown_on="")
                | Q(shown_at__gte=F("announced_at"), shown_on__in=("display", "counter")),
            ),
            models.CheckConstraint(
                name="slip_shown_before_confirmed",
                condition=Q(confirmed_at__isnull=True)
                | Q(shown_at__isnull=False, confirmed_at__gte=F("shown_at"), dropped_at__isnull=True),
            ),
        ]
        indexes = [models.Index(name="slip_of_shift", fields=["shift", "announced_at"])]

    def __str__(self) -> str:
        return f"{self.id}"


class ReceiptKind(models.TextChoices):
    """What a receipt is for."""

    TOP_UP = "top_up", _("现金充值")
    VOID = "void", _("撤销充值")
    FEE = "fee", _("工本费")
    DEPOSIT = "deposit", _("押金")
    DEPOSIT_BACK = "deposit_back", _("退押金")
    PAYOUT = "payout", _("付现")


class ReceiptSeries(models.Model):
    """One run of receipt numbers without a gap: a drawer's, or a campus's for what is paid without cash.

    ``last_no`` goes up by one, only together with the receipt of that number (migration 0008).
    """

    code = models.TextField(primary_key=True)
    campus = models.ForeignKey("accounts.Campus", models.PROTECT, related_name="receipt_series")
    drawer = models.OneToOneField(Drawer, models.PROTECT, null=True, related_name="series")
    last_no = models.IntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = _("票据号段")
        verbose_name_plural = _("票据号段")

    def __str__(self) -> str:
        return self.code


class Receipt(models.Model):
    """A numbered receipt, issued in the transaction that moved the money (R014). Never changed, never deleted.

    Amounts in fen; ``fen`` > 0, the kind says which way. The five digits are the account (R015).
    """

    series = models.ForeignKey(ReceiptSeries, models.PROTECT, related_name="receipts", db_index=False)
    no = models.IntegerField()
    kind = models.TextField(choices=ReceiptKind)
    operation = models.UUIDField()
    """The key of what was done: a card job's id, or the order's."""
    shift = models.ForeignKey(Shift, models.PROTECT, null=True, related_name="receipts")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="receipts", db_index=False)
    account_number = models.IntegerField()
    holder_masked = models.TextField()
    fen = models.BigIntegerField()
    book_before_fen = models.BigIntegerField()
    book_after_fen = models.BigIntegerField()
    card_before_fen = models.BigIntegerField(null=True)
    card_after_fen = models.BigIntegerField(null=True)
    """What the card holds once the write that was told to it is done; null where no card took part."""
    entry_id = models.BigIntegerField()
    officer = models.ForeignKey("accounts.Operator", models.PROTECT, related_name="receipts", db_index=False)
    officer_name = models.TextField()
    place_zh = models.TextField()
    place_en = models.TextField(default="", db_default="", blank=True)
    reason = models.TextField(default="", db_default="", blank=True)
    """What it was for, in words, beyond its kind."""
    voids = models.OneToOneField("self", models.PROTECT, null=True, related_name="voided_by")
    issued_at = models.DateTimeField()

    class Meta:
        verbose_name = _("票据")
        verbose_name_plural = _("票据")
        constraints = [
            models.UniqueConstraint(name="receipt_no_once", fields=["series", "no"]),
            models.UniqueConstraint(name="receipt_operation_once", fields=["operation", "kind"]),
            models.CheckConstraint(name="receipt_no_positive", condition=Q(no__gte=1)),
            models.CheckConstraint(name="receipt_kind_known", condition=Q(kind__in=ReceiptKind.values)),
            models.CheckConstraint(
                name="receipt_amount_bounded", condition=Q(fen__gte=1, fen__lte=10_000_000)
            ),
            models.CheckConstraint(
                name="receipt_account_is_five_digits",
                condition=Q(account_number__gte=0, account_number__lte=99_999),
            ),
            models.CheckConstraint(
                name="receipt_void_names_receipt",
                condition=Q(kind=ReceiptKind.VOID, voids__isnull=False)
                | (~Q(kind=ReceiptKind.VOID) & Q(voids__isnull=True)),
            ),
        ]
        indexes = [models.Index(name="receipt_of_account", fields=["account", "-issued_at"])]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """As printed: ``YS01-000123``."""
        return f"{self.series_id}-{self.no:06d}"


class ReceiptCopy(models.Model):
    """A receipt was printed: the first time is the original, every other a copy marked 副本. Rows only grow."""

    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="copies", db_index=False)
    no = models.IntegerField()
    """0 is the original."""
    officer = models.ForeignKey("accounts.Operator", models.PROTECT, related_name="+", db_index=False)
    printed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("票据打印")
        verbose_name_plural = _("票据打印")
        constraints = [models.UniqueConstraint(name="receipt_copy_once", fields=["receipt", "no"])]

    def __str__(self) -> str:
        return f"{self.receipt_id} #{self.no}"
