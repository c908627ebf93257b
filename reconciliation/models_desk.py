"""What people decide about cases: what one asked for, what another said to it, and what came of it.

Three tables that only grow. What is asked for is fixed by its content hash; a second person approves that hash, and
only content with that very hash is carried out (reliability.md L9). The database holds both sides to it.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class DecisionAction(models.TextChoices):
    """What can be done about a difference. The Chinese label is the word on the button."""

    SET_TO_CARD = "set_to_card", _("按卡修正")
    SET_TO_BOOK = "set_to_book", _("按库修正")
    REFUND = "refund", _("退还重复扣款")
    REVERSE = "reverse", _("冲正消费")
    UNFREEZE = "unfreeze", _("解冻")


class Needs(models.TextChoices):
    """Who must agree before anything is done."""

    ALONE = "alone", _("本人即可")
    SECOND = "second", _("须第二人复核")
    CHIEF = "chief", _("须全校主管复核")


class Decision(models.Model):
    """One thing that one person wants done about a case. Never changed, never deleted."""

    key = models.UUIDField(unique=True)
    """Made with the form that asked; also the operation key of what is posted, so that it is posted once."""
    case = models.ForeignKey("reconciliation.Case", models.PROTECT, related_name="decisions")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="decisions")
    campus = models.ForeignKey("accounts.Campus", models.PROTECT, related_name="decisions", db_index=False)
    action = models.TextField(choices=DecisionAction)
    needs = models.TextField(choices=Needs)
    amount_fen = models.BigIntegerField()
    """What is moved, in fen, never negative; 0 where no money moves."""
    content = models.JSONField()
    """Everything that was shown in the preview: what is carried out is this or nothing."""
    content_hash = models.BinaryField()
    """SHA-256 of the canonical JSON of ``content``."""
    reason = models.TextField()
    maker = models.ForeignKey("accounts.Operator", models.PROTECT, related_name="decisions", db_index=False)
    made_at = models.DateTimeField()

    class Meta:
        verbose_name = _("处理决定")
        verbose_name_plural = _("处理决定")
        constraints = [
            models.CheckConstraint(
                name="decision_action_known", condition=Q(action__in=DecisionAction.values)
            ),
            models.CheckConstraint(name="decision_needs_known", condition=Q(needs__in=Needs.values)),
            models.CheckConstraint(name="decision_amount_not_negative", condition=Q(amount_fen__gte=0)),
            models.CheckConstraint(name="decision_says_why", condition=~Q(reason="")),
        ]
        indexes = [models.Index(name="decision_by_time", fields=["campus", "made_at"])]

    def __str__(self) -> str:
        return f"{self.action} {self.case_id}"


class Verdict(models.TextChoices):
    """What became of a decision that waited."""

    APPROVED = "approved", _("同意")
    REFUSED = "refused", _("退回")
    WITHDRAWN = "withdrawn", _("撤回")


class Ruling(models.Model):
    """What the second person said, or that the first one took it back. One for each decision, never changed."""

    decision = models.OneToOneField(Decision, models.PROTECT, primary_key=True, related_name="ruling")
    verdict = models.TextField(choices=Verdict)
    content_hash = models.BinaryField()
    """Of the content that this person saw."""
    checker = models.ForeignKey("accounts.Operator", models.PROTECT, related_name="rulings", db_index=False)
    reason = models.TextField(default="", db_default="", blank=True)
    ruled_at = models.DateTimeField()

    class Meta:
        verbose_name = _("复核")
        verbose_name_plural = _("复核")
        constraints = [
            models.CheckConstraint(name="ruling_verdict_known", condition=Q(verdict__in=Verdict.values)),
            models.CheckConstraint(
                name="ruling_refusal_says_why", condition=~Q(verdict=Verdict.REFUSED) | ~Q(reason="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.decision_id} {self.verdict}"


class DecisionResult(models.Model):
    """What came of a decision: what was posted or ordered, or why nothing was. One for each, never changed."""

    decision = models.OneToOneField(Decision, models.PROTECT, primary_key=True, related_name="result")
    done = models.BooleanField()
    """False when the facts had changed since the decision was made: nothing was moved."""
    numbers = models.JSONField(default=dict)
    """What stood after it (``book_fen``, ``card_fen``), the entry or the card job."""
    why = models.TextField(default="", db_default="", blank=True)
    """Value of ``services.decisions.Obstacle`` where nothing was done."""
    by = models.ForeignKey("accounts.Operator", models.PROTECT, related_name="+", db_index=False)
    """Whose confirmation carried it out."""
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("处理结果")
        verbose_name_plural = _("处理结果")
        constraints = [
            models.CheckConstraint(
                name="decision_result_says_why", condition=Q(done=True, why="") | (Q(done=False) & ~Q(why=""))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.decision_id} {'done' if self.done else self.why}"
