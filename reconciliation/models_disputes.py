"""What holders complain of: one movement they do not agree with, or a top-up that never came.

A dispute is opened once and then only grows by its events; who has it and how far it is follow from the events alone,
because the database writes those columns itself (migration 0008). No money moves here: what is to be given back is a
``Decision`` like every other.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class DisputeKind(models.TextChoices):
    """What the holder says is wrong (guide L81)."""

    WRONG_AMOUNT = "wrong_amount", _("金额打错")
    DOUBLE = "double", _("重复扣款")
    NOT_MINE = "not_mine", _("未消费")
    TOP_UP_MISSING = "top_up_missing", _("充值未到账")


class DisputeState(models.TextChoices):
    """How far a dispute is."""

    OPEN = "open", _("待受理")
    TAKEN = "taken", _("核查中")
    ASKED = "asked", _("等您补充")
    PROPOSED = "proposed", _("退款审批中")
    REFUNDED = "refunded", _("已退款")
    SETTLED = "settled", _("已办结")
    REFUSED = "refused", _("不予退款")
    WITHDRAWN = "withdrawn", _("已撤回")


OPEN_STATES = (DisputeState.OPEN, DisputeState.TAKEN, DisputeState.ASKED, DisputeState.PROPOSED)
"""Somebody still has to do something."""
WORKABLE = (DisputeState.OPEN, DisputeState.TAKEN, DisputeState.ASKED)
"""It may be answered: no refund waits for its second person."""


class DisputeEventKind(models.TextChoices):
    """What happened to a dispute. All but ``REMARKED`` are shown to the holder."""

    OPENED = "opened", _("提出")
    TAKEN = "taken", _("受理")
    ASKED = "asked", _("请持卡人补充")
    ADDED = "added", _("持卡人补充")
    REMARKED = "remarked", _("内部备注")
    PROPOSED = "proposed", _("提出退款")
    RETURNED = "returned", _("退款未获同意，继续核查")
    REFUNDED = "refunded", _("已退款")
    SETTLED = "settled", _("办结答复")
    REFUSED = "refused", _("不予退款")
    WITHDRAWN = "withdrawn", _("撤回")


_EVENT, _STATE = DisputeEventKind, DisputeState
STEPS: dict[DisputeEventKind, dict[DisputeState, DisputeState]] = {
    _EVENT.TAKEN: {_STATE.OPEN: _STATE.TAKEN, _STATE.TAKEN: _STATE.TAKEN, _STATE.ASKED: _STATE.ASKED},
    _EVENT.ASKED: dict.fromkeys(WORKABLE, _STATE.ASKED),
    _EVENT.ADDED: {
        _STATE.OPEN: _STATE.OPEN,
        _STATE.TAKEN: _STATE.TAKEN,
        _STATE.ASKED: _STATE.TAKEN,
        _STATE.PROPOSED: _STATE.PROPOSED,
    },
    _EVENT.REMARKED: {state: state for state in DisputeState},
    _EVENT.PROPOSED: dict.fromkeys(WORKABLE, _STATE.PROPOSED),
    _EVENT.RETURNED: {_STATE.PROPOSED: _STATE.TAKEN},
    _EVENT.REFUNDED: {_STATE.PROPOSED: _STATE.REFUNDED},
    _EVENT.SETTLED: dict.fromkeys(WORKABLE, _STATE.SETTLED),
    _EVENT.REFUSED: dict.fromkeys(WORKABLE, _STATE.REFUSED),
    _EVENT.WITHDRAWN: dict.fromkeys(WORKABLE, _STATE.WITHDRAWN),
}
"""From which state an event leads to which; the database has the same table and refuses everything else."""
SAYS_WHAT = (_EVENT.ASKED, _EVENT.ADDED, _EVENT.REMARKED, _EVENT.SETTLED, _EVENT.REFUSED)
"""Events that are nothing without words."""


class Dispute(models.Model):
    """One complaint about one movement, or about a top-up without one. The facts of its opening never change."""

    key = models.UUIDField(unique=True)
    """Made with the form: sent twice it is one dispute."""
    reference = models.TextField(unique=True)
    """受理号: twelve digits that can be read out on the telephone."""
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="disputes", db_index=False)
    campus = models.ForeignKey("accounts.Campus", models.PROTECT, related_name="disputes", db_index=False)
    """Whose desk answers: the account's. Any other desk may, too (guide L111)."""
    kind = models.TextField(choices=DisputeKind)
    entry_seq = models.BigIntegerField(null=True)
    """Which movement of the account; null for a top-up that is not on the statement."""
    twin_seq = models.BigIntegerField(null=True)
    """The movement that looks like the same one, as found when the dispute was opened."""
    fen = models.BigIntegerField()
    """What the movement came to, or what the holder says he paid in; in fen, positive."""
    happened_on = models.DateField()
    """The day of the movement, or the day that the holder names; within sixty days of the opening."""
    receipt_no = models.TextField(default="", db_default="", blank=True)
    text = models.TextField()
    opened_at = models.DateTimeField()
    channel = models.TextField()
    document = models.TextField(default="", db_default="", blank=True)
    """Which document the desk saw, and how it stood to the register; empty on the web."""
    due_on = models.DateField()
    """Promised: the tenth working day."""
    state = models.TextField(
        choices=DisputeState, default=DisputeState.OPEN, db_default=DisputeState.OPEN.value
    )
    assignee = models.ForeignKey(
        "accounts.Operator", models.PROTECT, null=True, related_name="assigned_disputes", db_index=False
    )
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("争议")
        verbose_name_plural = _("争议")
        constraints = [
            models.UniqueConstraint(
                name="dispute_one_per_movement",
                fields=["account", "entry_seq"],
                condition=Q(entry_seq__isnull=False) & ~Q(state=DisputeState.WITHDRAWN),
            ),
            models.UniqueConstraint(
                name="dispute_one_per_missing_top_up",
                fields=["account", "happened_on", "fen"],
                condition=Q(entry_seq__isnull=True) & ~Q(state=DisputeState.WITHDRAWN),
            ),
            models.CheckConstraint(name="dispute_kind_known", condition=Q(kind__in=DisputeKind.values)),
            models.CheckConstraint(name="dispute_state_known", condition=Q(state__in=DisputeState.values)),
            models.CheckConstraint(
                name="dispute_amount_positive", condition=Q(fen__gt=0, fen__lte=10_000_000)
            ),
            models.CheckConstraint(
                name="dispute_names_a_movement",
                condition=Q(entry_seq__gt=0) | Q(entry_seq__isnull=True, kind=DisputeKind.TOP_UP_MISSING),
            ),
            models.CheckConstraint(
                name="dispute_reference_form", condition=Q(reference__regex=r"^[0-9]{12}$")
            ),
        ]
        indexes = [
            models.Index(name="dispute_by_account", fields=["account", "-id"]),
            models.Index(
                name="dispute_open_by_due", fields=["due_on", "id"], condition=Q(state__in=OPEN_STATES)
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class DisputeEvent(models.Model):
    """One thing that happened to a dispute. Never changed, never deleted; numbered without a gap."""

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="events", db_index=False)
    seq = models.IntegerField()
    key = models.UUIDField(unique=True)
    """Made with the form: the same press of the button is one event."""
    at = models.DateTimeField()
    actor = models.TextField()
    """``holder:<uid>``, ``operator:<id>``."""
    officer = models.ForeignKey(
        "accounts.Operator", models.PROTECT, null=True, related_name="+", db_index=False
    )
    kind = models.TextField(choices=DisputeEventKind)
    state = models.TextField(choices=DisputeState)
    """After it; worked out by the database."""
    text = models.TextField(default="", db_default="", blank=True)
    decision = models.ForeignKey(
        "reconciliation.Decision", models.PROTECT, null=True, related_name="dispute_events"
    )

    class Meta:
        verbose_name = _("争议记录")
        verbose_name_plural = _("争议记录")
        constraints = [
            models.UniqueConstraint(name="dispute_event_in_order", fields=["dispute", "seq"]),
            models.UniqueConstraint(
                name="dispute_decision_once", fields=["decision", "kind"], condition=Q(decision__isnull=False)
            ),
            models.CheckConstraint(
                name="dispute_event_kind_known", condition=Q(kind__in=DisputeEventKind.values)
            ),
            models.CheckConstraint(
                name="dispute_event_says_what", condition=~Q(kind__in=SAYS_WHAT) | ~Q(text="")
            ),
            models.CheckConstraint(
                name="dispute_refund_has_decision",
                condition=~Q(kind__in=(_EVENT.PROPOSED, _EVENT.RETURNED, _EVENT.REFUNDED))
                | Q(decision__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dispute_id}/{self.seq} {self.kind}"
