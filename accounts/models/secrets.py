"""Passwords, and the counters that make six digits enough.

A password is stored as Argon2id over a keyed digest, so this table alone tells nothing
(``accounts.pinhash``). ``Attempt`` counts guesses before they are compared; ``LoginRecord`` remembers them
for 90 days, without any password and without unknown names.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .standing import Account


class SecretKind(models.TextChoices):
    """The two passwords of an account (guide L151)."""

    QUERY = "query", _("查询密码")
    CONSUMPTION = "consumption", _("消费密码")


class Secret(models.Model):
    """One password of one account. No row means that it has none, and no password is right.

    ``pin_hash`` empty means: still the initial password of the guide (L131). It follows from the sealed
    identity number and is derived from it at each comparison, so that nothing about it needs to be stored.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="secrets", db_index=False)
    kind = models.TextField(choices=SecretKind)
    pin_hash = models.TextField(null=True)  # noqa: DJ001 - empty and absent are different here
    is_default = models.BooleanField(default=False)
    """Given by the center, not chosen by the holder:

    derived from the identity number or printed on a slip.
    """
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("密码")
        verbose_name_plural = _("密码")
        constraints = [
            models.UniqueConstraint(name="secret_one_per_kind", fields=["account", "kind"]),
            models.CheckConstraint(name="secret_kind_known", condition=Q(kind__in=SecretKind.values)),
            models.CheckConstraint(
                name="secret_hash_peppered_or_initial",
                condition=Q(pin_hash__startswith="pin2$") | Q(pin_hash__isnull=True, is_default=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.kind}"


class Budget(models.TextChoices):
    """Which purse of guesses an attempt is paid from."""

    REMOTE = "remote", _("网站与电话")
    PHYSICAL = "physical", _("查询机与圈存机")
    CONSUMPTION = "consumption", _("消费密码")
    SOURCE = "source", _("来源")


class Attempt(models.Model):
    """Guesses since the last success, counted before each comparison. One row per subject and budget.

    ``subject`` is ``account:<id>``, ``unknown:<hmac>`` or a source such as ``web:203.0.113.7`` or ``pos:17``.
    """

    subject = models.TextField()
    budget = models.TextField(choices=Budget)
    failures = models.IntegerField()
    since_at = models.DateTimeField()
    """First guess of this count, or the start of the window for a source."""
    last_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("密码尝试计数")
        verbose_name_plural = _("密码尝试计数")
        constraints = [
            models.UniqueConstraint(name="attempt_one_count", fields=["subject", "budget"]),
            models.CheckConstraint(name="attempt_budget_known", condition=Q(budget__in=Budget.values)),
            models.CheckConstraint(name="attempt_failures_not_negative", condition=Q(failures__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.budget}: {self.failures}"


class LoginRecord(models.Model):
    """One password tried: where, for whom, and whether it was right. Shown to the holder; kept 90 days."""

    at = models.DateTimeField()
    subject = models.TextField()
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, related_name="login_records", db_index=False
    )
    budget = models.TextField(choices=Budget)
    channel = models.TextField()
    source = models.TextField()
    succeeded = models.BooleanField()

    class Meta:
        verbose_name = _("登录记录")
        verbose_name_plural = _("登录记录")
        indexes = [
            models.Index(
                name="login_failed_by_source", fields=["source", "at"], condition=Q(succeeded=False)
            ),
            models.Index(name="login_failed_by_time", fields=["at"], condition=Q(succeeded=False)),
            models.Index(name="login_by_account", fields=["account", "at"]),
            models.Index(
                name="login_of_staff", fields=["subject", "at"], condition=Q(subject__startswith="operator:")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.channel}"
