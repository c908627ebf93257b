"""The ledger and what stands beside it. Rows are only ever added; the database refuses anything else.

The tables are made by SQL (migration 0002: monthly partitions, triggers, grants), so these models are for reading.
Writing is done by ``transactions.services`` through ``transactions.ledger`` alone.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from transactions.models_cash import (
    Drawer,
    Receipt,
    ReceiptCopy,
    ReceiptKind,
    ReceiptSeries,
    Shift,
    TopUpSlip,
)
from transactions.models_holds import CardHold
from transactions.models_merchants import MerchantTerms, SettlementPeriod

__all__ = [
    "SEQ_BITS",
    "Answer",
    "CardFinding",
    "CardHold",
    "Contra",
    "Drawer",
    "Entry",
    "EntryKind",
    "Merchant",
    "MerchantCategory",
    "MerchantTerms",
    "Mode",
    "OfflineTrace",
    "OutcomeNote",
    "Receipt",
    "ReceiptCopy",
    "ReceiptKind",
    "ReceiptSeries",
    "Refund",
    "Reversal",
    "SettlementPeriod",
    "Shift",
    "ShutDay",
    "TopUpSlip",
    "entry_id",
]

SEQ_BITS = 32


class EntryKind(models.TextChoices):
    """Why money moved. The Chinese label is the word on statements."""

    PURCHASE = "purchase", _("消费")
    OFFLINE_SALE = "offline_sale", _("脱机消费")
    VOID = "void", _("撤销")
    TOP_UP = "top_up", _("现金充值")
    BANK_LOAD = "bank_load", _("圈存")
    SUBSIDY = "subsidy", _("补助")
    CLAIM = "claim", _("领取")
    LEVELLING = "levelling", _("平账")
    REFUND = "refund", _("退还")
    FEE = "fee", _("工本费")
    OPENING = "opening", _("期初")
    ADJUSTMENT = "adjustment", _("调账")
    REVERSAL = "reversal", _("冲正")
    DEPOSIT = "deposit", _("押金")
    PAYOUT = "payout", _("付现")
    HOLD = "hold", _("换卡预留")


class Contra(models.TextChoices):
    """The other side of a movement; ``none`` when money only changes between book and unclaimed of one account."""

    NONE = "none", _("无")
    MERCHANT = "merchant", _("商户")
    DRAWER = "drawer", _("现金")
    BANK = "bank", _("银行")
    SUBSIDY = "subsidy", _("补助款")
    LEVELLING = "levelling", _("平账过渡")
    FEE = "fee", _("费用")
    OPENING = "opening", _("期初")
    DEPOSIT = "deposit", _("押金")
    HOLD = "hold", _("换卡预留")


class Mode(models.TextChoices):
    """How the movement came to be."""

    ONLINE = "online", _("联机")
    OFFLINE = "offline", _("脱机")
    SERVER = "server", _("系统")


class MerchantCategory(models.TextChoices):
    """What a merchant sells, as analysis and rights need it."""

    CANTEEN = "canteen", _("食堂")
    SHOP = "shop", _("超市")
    BATH = "bath", _("浴室")
    BUS = "bus", _("班车")
    PRINT = "print", _("文印")
    OTHER = "other", _("其他")


class Merchant(models.Model):
    """A canteen or contracted shop (签约商户, guide L79). It has no stored book: sums come from its entries."""

    name_zh = models.TextField()
    name_en = models.TextField(default="", blank=True)
    campus = models.ForeignKey("accounts.Campus", models.PROTECT, related_name="merchants")
    category = models.TextField(choices=MerchantCategory, default=MerchantCategory.CANTEEN)
    contract_no = models.TextField(default="", db_default="", blank=True)
    contract_from = models.DateField()
    contract_until = models.DateField(null=True)
    """Its last day; null: until further notice. Outside of it no till of the merchant sells (R034)."""

    class Meta:
        verbose_name = _("商户")
        verbose_name_plural = _("商户")
        constraints = [
            models.CheckConstraint(
                name="merchant_category_known", condition=models.Q(category__in=MerchantCategory.values)
            ),
            models.CheckConstraint(
                name="merchant_contract_in_order",
                condition=models.Q(contract_until__isnull=True)
                | models.Q(contract_until__gte=models.F("contract_from")),
            ),
        ]

    def __str__(self) -> str:
        return self.name_zh


class Entry(models.Model):
    """One movement of money of one account, once. Never changed, never deleted (reliability.md L5).

    One row names both sides: what book and unclaimed gain, the contra gives (``contra_change_fen``), so the books
    balance by construction. ``id`` is account id and sequence in one number, so that a statement is a range of the
    primary key.
    """

    id = models.BigIntegerField(primary_key=True)
    account = models.ForeignKey("accounts.Account", models.DO_NOTHING, related_name="entries", db_index=False)
    seq = models.BigIntegerField()
    """1, 2, 3 … per account without a gap."""
    kind = models.TextField(choices=EntryKind)
    book_change_fen = models.BigIntegerField()
    unclaimed_change_fen = models.BigIntegerField(default=0)
    book_after_fen = models.BigIntegerField()
    unclaimed_after_fen = models.BigIntegerField()
    contra = models.TextField(choices=Contra)
    contra_ref = models.BigIntegerField(null=True)
    """Which merchant, drawer or bank file; null where the contra is one of a kind."""
    source_key = models.UUIDField()
    """The operation that caused it; its answer stands in the register (``Answer``)."""
    card_id = models.BigIntegerField(null=True)
    purse_side = models.TextField(null=True)  # noqa: DJ001 - the table says NULL for no purse
    purse_seq = models.IntegerField(null=True)
    """The sequence number it claimed on the card when it was posted; null when nothing must reach a card.

    A levelling claims none: there it is the number of the sighting that it used (``CardFacts.levelled_seq``)."""
    occurred_at = models.DateTimeField()
    posted_at = models.DateTimeField()
    day = models.DateField()
    """Ledger day: the Shanghai date of posting (L7)."""
    terminal_id = models.BigIntegerField(null=True)
    mode = models.TextField(choices=Mode)
    reverses = models.BigIntegerField(null=True)
    corrects = models.BigIntegerField(null=True)
    note = models.TextField(default="")

    class Meta:
        verbose_name = _("流水")
        verbose_name_plural = _("流水")

    def __str__(self) -> str:
        return f"{self.account_id}/{self.seq}"

    @property
    def contra_change_fen(self) -> int:
        """What the other side gains, in fen."""
        return -(self.book_change_fen + self.unclaimed_change_fen)


class Answer(models.Model):
    """What an operation key was answered, kept for ever: asking again gets the same answer and moves nothing.

    ``asked`` is a SHA-256 of the content, ``told`` the slot images given to the terminal
    (``{"spend": [seq, total_fen], "load": […]}``), ``reply`` the answer itself.
    """

    key = models.UUIDField(primary_key=True)
    op = models.TextField()
    asked = models.BinaryField()
    account_id = models.BigIntegerField(null=True)
    card_id = models.BigIntegerField(null=True)
    entry_seq = models.BigIntegerField(null=True)
    terminal_id = models.BigIntegerField(null=True)
    journal_seq = models.BigIntegerField(null=True)
    told = models.JSONField(null=True)
    reply = models.JSONField()
    answered_at = models.DateTimeField()

    class Meta:
        verbose_name = _("操作应答")
        verbose_name_plural = _("操作应答")

    def __str__(self) -> str:
        return str(self.key)


class Reversal(models.Model):
    """Which entry took which one back. The primary key says that an entry is reversed at most once (L5)."""

    entry_id = models.BigIntegerField(primary_key=True)
    reversed_by = models.BigIntegerField(unique=True)

    class Meta:
        verbose_name = _("冲正")
        verbose_name_plural = _("冲正")

    def __str__(self) -> str:
        return f"{self.entry_id} ← {self.reversed_by}"


class Refund(models.Model):
    """Which refund gave a late entry back. The primary key says that a late entry is refunded at most once."""

    entry_id = models.BigIntegerField(primary_key=True)
    refunded_by = models.BigIntegerField(unique=True)

    class Meta:
        verbose_name = _("退还登记")
        verbose_name_plural = _("退还登记")

    def __str__(self) -> str:
        return f"{self.entry_id} ← {self.refunded_by}"


class OfflineTrace(models.Model):
    """What a card told of its offline sales when it was first seen with them: who holds the records, and since when.

    From the ring on the card (docs/decisions/0010). ``terminal_id``, ``journal_seq`` and ``fen`` are null where the
    ring did not say; then only number and time are known.
    """

    id = models.BigAutoField(primary_key=True)
    card_id = models.BigIntegerField()
    card_seq = models.IntegerField()
    terminal_id = models.BigIntegerField(null=True)
    journal_seq = models.BigIntegerField(null=True)
    fen = models.IntegerField(null=True)
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = _("脱机痕迹")
        verbose_name_plural = _("脱机痕迹")
        constraints = [models.UniqueConstraint(name="offline_trace_once", fields=["card_id", "card_seq"])]

    def __str__(self) -> str:
        return f"{self.card_id} {self.card_seq}"


class OutcomeNote(models.Model):
    """A card write that did not simply succeed, as its terminal reported it. A plain success leaves no note."""

    id = models.BigAutoField(primary_key=True)
    key = models.UUIDField()
    outcome = models.TextField()
    account_id = models.BigIntegerField(null=True)
    entry_seq = models.BigIntegerField(null=True)
    terminal_id = models.BigIntegerField()
    noted_at = models.DateTimeField()

    class Meta:
        verbose_name = _("写卡结果")
        verbose_name_plural = _("写卡结果")
        constraints = [models.UniqueConstraint(name="outcome_note_once", fields=["key", "outcome"])]

    def __str__(self) -> str:
        return f"{self.key} {self.outcome}"


class CardFinding(models.Model):
    """Evidence that only tampering, a clone, a restored dump or a fault explains (``purse.evidence.Finding``).

    The tap was refused; ``reconciliation`` makes a case of it. One row for each distinct sighting.
    """

    id = models.BigAutoField(primary_key=True)
    account_id = models.BigIntegerField()
    card_id = models.BigIntegerField()
    kind = models.TextField()
    sighting = models.TextField()
    """What was seen, ``5/120/0 2/1000`` (seq/total/offline of spend, seq/total of load).

    The same sighting again is not a second finding."""
    detail = models.JSONField()
    terminal_id = models.BigIntegerField(null=True)
    found_at = models.DateTimeField()

    class Meta:
        verbose_name = _("卡片疑点")
        verbose_name_plural = _("卡片疑点")
        constraints = [
            models.UniqueConstraint(name="card_finding_once", fields=["card_id", "kind", "sighting"])
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.sighting}"


class ShutDay(models.Model):
    """A ledger day that is over: no entry is posted to it any more, nor to any day before it (L7)."""

    day = models.DateField(primary_key=True)
    shut_at = models.DateTimeField()

    class Meta:
        verbose_name = _("已关闭日")
        verbose_name_plural = _("已关闭日")

    def __str__(self) -> str:
        return f"{self.day}"


def entry_id(account_id: int, seq: int) -> int:
    """The primary key of an entry: account and sequence in one number, so that a statement is one index range."""
    return account_id << SEQ_BITS | seq
