"""What one member of staff wants done and another must agree to: asked for, ruled on, carried out once.

Three tables that only grow. A request is fixed by the hash of its content; a second person agrees to that hash, and
only content with that very hash is carried out, once (reliability.md L9). The database holds both sides to it.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class RequestNeeds(models.TextChoices):
    """Who must agree."""

    SECOND = "second", _("须一位主管复核")
    CHIEF = "chief", _("须全校主管复核")
    ADMIN = "admin", _("须另一位管理员同意")


class Request(models.Model):
    """One deed that takes two people. Never changed, never deleted."""

    key = models.UUIDField(unique=True)
    """Made with the form that asked, so that asking again is harmless."""
    kind = models.TextField()
    """What is asked for, such as ``top_up.void``; the screens know its words and who carries it out."""
    account = models.ForeignKey(
        "accounts.Account", models.PROTECT, null=True, related_name="requests", db_index=False
    )
    operator = models.ForeignKey(
        "accounts.Operator", models.PROTECT, null=True, related_name="requests_about", db_index=False
    )
    """The member of staff whom it is about; has no say in it."""
    campus = models.ForeignKey(
        "accounts.Campus", models.PROTECT, null=True, related_name="requests", db_index=False
    )
    """Where the maker stands; empty for what concerns every campus."""
    needs = models.TextField(choices=RequestNeeds)
    amount_fen = models.BigIntegerField()
    """What is moved, in fen, never negative; 0 where no money moves."""
    canonical = models.TextField()
    """The content as canonical JSON: what is carried out is this or nothing."""
    content_hash = models.BinaryField()
    """SHA-256 of ``canonical``."""
    reason = models.TextField()
    maker = models.ForeignKey(
        "accounts.Operator", models.PROTECT, related_name="requests_made", db_index=False
    )
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    """Until when it may be agreed to and carried out."""

    class Meta:
        verbose_name = _("复核申请")
        verbose_name_plural = _("复核申请")
        constraints = [
            models.CheckConstraint(name="request_needs_known", condition=Q(needs__in=RequestNeeds.values)),
            models.CheckConstraint(name="request_amount_not_negative", condition=Q(amount_fen__gte=0)),
            models.CheckConstraint(name="request_says_why", condition=~Q(reason="")),
            models.CheckConstraint(name="request_ends", condition=Q(expires_at__gt=models.F("made_at"))),
            models.CheckConstraint(
                name="request_kind_form", condition=Q(kind__regex=r"^[a-z_]{2,30}\.[a-z_]{2,30}$")
            ),
        ]
        indexes = [
            models.Index(name="request_by_time", fields=["campus", "made_at"]),
            models.Index(name="request_by_account", fields=["account", "made_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def content(self) -> dict[str, Any]:
        """What was shown and is carried out."""
        found: dict[str, Any] = json.loads(self.canonical)
        return found


class RequestVerdict(models.TextChoices):
    """What became of a request that waited."""

    AGREED = "agreed", _("同意")
    REFUSED = "refused", _("退回")
    WITHDRAWN = "withdrawn", _("撤回")


class RequestRuling(models.Model):
    """What the second person said, or that the first one took it back. One for each request, never changed."""

    request = models.OneToOneField(Request, models.PROTECT, primary_key=True, related_name="ruling")
    verdict = models.TextField(choices=RequestVerdict)
    content_hash = models.BinaryField()
    """Of the content that this person saw."""
    checker = models.ForeignKey(
        "accounts.Operator", models.PROTECT, related_name="request_rulings", db_index=False
    )
    reason = models.TextField(default="", db_default="", blank=True)
    ruled_at = models.DateTimeField()

    class Meta:
        verbose_name = _("申请复核")
        verbose_name_plural = _("申请复核")
        constraints = [
            models.CheckConstraint(
                name="request_verdict_known", condition=Q(verdict__in=RequestVerdict.values)
            ),
            models.CheckConstraint(
                name="request_refusal_says_why",
                condition=~Q(verdict=RequestVerdict.REFUSED) | ~Q(reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.verdict}"


class RequestResult(models.Model):
    """That a request was carried out, or ended without it. One for each, never changed: nothing is used twice."""

    request = models.OneToOneField(Request, models.PROTECT, primary_key=True, related_name="result")
    done = models.BooleanField()
    """False when it was taken back after the agreement, or when what it rests on had changed: nothing was done."""
    content_hash = models.BinaryField()
    """Of what was carried out."""
    why = models.TextField(default="", db_default="", blank=True)
    by = models.ForeignKey("accounts.Operator", models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("申请结果")
        verbose_name_plural = _("申请结果")
        constraints = [
            models.CheckConstraint(
                name="request_result_says_why", condition=Q(done=True, why="") | (Q(done=False) & ~Q(why=""))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {'done' if self.done else self.why}"
