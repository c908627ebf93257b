"""Terminals, the codes that enrol them, and their last contact.

No key of a terminal is stored: the server derives them from its master (security.md section 5), so whoever reads this
table can forge nothing. The contact row changes with every request and therefore stands alone.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class TerminalKind(models.TextChoices):
    """What a machine is for; decides what it may ask (``terminals.services.rights``) and which card keys it gets."""

    TILL = "till", _("消费终端")
    DESK = "desk", _("柜台终端")
    KIOSK = "kiosk", _("圈存机")
    QUERY_KIOSK = "query_kiosk", _("查询机")
    DOOR = "door", _("门禁")


class Terminal(models.Model):
    """An enrolled machine. ``epoch`` names its present keys, 0 until it is enrolled for the first time.

    Keys of an epoch below ``epoch`` but not below ``min_epoch`` still deliver journals for a while; those below
    ``min_epoch`` open nothing.
    """

    id = models.AutoField(primary_key=True)
    """On every record and on the ring of every card, so it must stay below 2**32."""
    name_zh = models.TextField()
    name_en = models.TextField(default="", db_default="", blank=True)
    kind = models.TextField(choices=TerminalKind)
    campus = models.ForeignKey("accounts.Campus", models.PROTECT, related_name="terminals")
    merchant = models.ForeignKey("transactions.Merchant", models.PROTECT, null=True, related_name="terminals")
    """Whose sales a till makes; other kinds sell nothing."""
    place = models.TextField(default="", db_default="", blank=True)
    may_sell_offline = models.BooleanField(default=False, db_default=False)
    epoch = models.IntegerField(default=0, db_default=0)
    min_epoch = models.IntegerField(default=1, db_default=1)
    enrolled_at = models.DateTimeField(null=True)
    """Of the present epoch."""
    revoked_at = models.DateTimeField(null=True)
    cloned_epoch = models.IntegerField(default=0, db_default=0)
    """The newest epoch whose keys were seen in two machines. As long as it is the present one: quarantined."""

    class Meta:
        verbose_name = _("终端")
        verbose_name_plural = _("终端")
        constraints = [
            models.CheckConstraint(name="terminal_kind_known", condition=Q(kind__in=TerminalKind.values)),
            models.CheckConstraint(
                name="terminal_merchant_of_tills",
                condition=Q(kind=TerminalKind.TILL, merchant__isnull=False)
                | Q(~Q(kind=TerminalKind.TILL), merchant__isnull=True, may_sell_offline=False),
            ),
            models.CheckConstraint(
                name="terminal_epochs_in_order",
                condition=Q(epoch__gte=0, min_epoch__gte=1, min_epoch__lte=F("epoch") + 1),
            ),
            models.CheckConstraint(
                name="terminal_cloned_epoch_was_there",
                condition=Q(cloned_epoch__gte=0, cloned_epoch__lte=F("epoch")),
            ),
            models.CheckConstraint(
                name="terminal_enrolled_has_epoch",
                condition=Q(enrolled_at__isnull=True) | Q(epoch__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name_zh} ({self.id})"


class TerminalContact(models.Model):
    """What a terminal said last. Written with every request, so nothing here is indexed and pages keep free space.

    (``boot``, ``last_seq``) only ever goes up: a request that does not raise it has been heard before.
    """

    terminal = models.OneToOneField(
        Terminal, models.PROTECT, primary_key=True, related_name="contact", db_column="terminal_id"
    )
    last_contact_at = models.DateTimeField(null=True)
    """Server time of the last signed contact; the five days of a levelling count from here (guide L109)."""
    boot = models.BigIntegerField(default=0, db_default=0)
    last_seq = models.BigIntegerField(default=0, db_default=0)
    heartbeat_at = models.DateTimeField(null=True)
    """When the columns below were true."""
    hotlist_version = models.BigIntegerField(default=0, db_default=0)
    unsent = models.IntegerField(default=0, db_default=0)
    journal = models.TextField(default="", db_default="", blank=True)
    journal_seq = models.BigIntegerField(default=0, db_default=0)
    journal_mac = models.TextField(default="", db_default="", blank=True)
    offset_ms = models.BigIntegerField(default=0, db_default=0)
    """The error of its clock as the terminal knows it: server time less terminal time."""
    free_mb = models.IntegerField(null=True)

    class Meta:
        verbose_name = _("终端联系")
        verbose_name_plural = _("终端联系")
        constraints = [
            models.CheckConstraint(
                name="contact_not_negative", condition=Q(boot__gte=0, last_seq__gte=0, unsent__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.terminal_id} {self.last_contact_at}"


class EnrolmentCode(models.Model):
    """Lets one machine become one terminal, once, within a day. Only the SHA-256 of the 128-bit code is kept."""

    code_hash = models.BinaryField(unique=True)
    terminal = models.ForeignKey(Terminal, models.PROTECT, related_name="codes")
    issued_at = models.DateTimeField()
    issued_by = models.TextField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_from = models.TextField(default="", db_default="", blank=True)
    withdrawn_at = models.DateTimeField(null=True)
    """Set when a newer code was issued or the terminal revoked before this one was used."""

    class Meta:
        verbose_name = _("注册码")
        verbose_name_plural = _("注册码")
        constraints = [
            models.UniqueConstraint(
                name="enrolment_one_open_code",
                fields=["terminal"],
                condition=Q(used_at__isnull=True, withdrawn_at__isnull=True),
            ),
            models.CheckConstraint(name="enrolment_ends", condition=Q(expires_at__gt=F("issued_at"))),
        ]

    def __str__(self) -> str:
        return f"{self.terminal_id} {self.issued_at:%F %T}"
