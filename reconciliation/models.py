"""What people work on when card and book differ, and the record of every run that compared them.

A case opens and closes itself with the difference it tells of; what happened to it stands in its notes, which only
grow. Evidence of a tampered card is different: such a case waits for a person.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Mismatch(models.TextChoices):
    """Why card and book of an account are not one (requirements.md 3.4)."""

    TORN = "TORN", _("拿卡过快")
    OFFLINE_GAP = "OFFLINE_GAP", _("脱机流水未到")
    DOUBLE = "DOUBLE", _("重复扣款")
    TORN_LOAD = "TORN_LOAD", _("款未写卡")
    EXCESS = "EXCESS", _("卡上多款")
    FORK = "FORK", _("同号异文")
    ROLLBACK = "ROLLBACK", _("旧数据还原")
    NEGATIVE = "NEGATIVE", _("库为负数")
    DISPUTE = "DISPUTE", _("持卡人争议")
    """Not found by comparing: opened with the decision about a dispute, closed when that decision ends."""


class Proposal(models.TextChoices):
    """The one safe next step; its numbers stand beside it (``Case.numbers``)."""

    WRITE_CARD = "write_card", _("持卡人下次刷卡时自动补写卡片；也可在柜台读卡器上按库修正。")
    AWAIT_UPLOAD = "await_upload", _("等待终端上传流水；终端静默满五天后平账。")
    REFUND_LATE = "refund_late", _("按流水退还重复扣除的金额。")
    WRITE_CREDIT = "write_credit", _("在圈存机或柜台把款写入卡片。")
    KEEP_CARD = "keep_card", _("收回卡片，由主管核查；不得平账。")
    VOID_CARD = "void_card", _("作废卡片并换发新卡，由主管核查。")
    COLLECT = "collect", _("先处理其余差额，余下部分向持卡人收取。")
    ANSWER = "answer", _("按争议核查的结果退款。")


class CaseState(models.TextChoices):
    """Whether somebody still has to look."""

    OPEN = "open", _("待处理")
    CLOSED = "closed", _("已结案")


class Case(models.Model):
    """One reason why card and book of one account differ; at most one open case per account and reason."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="cases")
    card = models.ForeignKey("accounts.Card", models.PROTECT, null=True, related_name="cases", db_index=False)
    """The live card when the case was last looked at."""
    campus = models.ForeignKey("accounts.Campus", models.PROTECT, related_name="cases")
    mismatch = models.TextField(choices=Mismatch)
    state = models.TextField(choices=CaseState, default=CaseState.OPEN, db_default=CaseState.OPEN.value)
    at_risk_fen = models.BigIntegerField()
    """What the difference of this kind comes to, in fen; never negative."""
    evidence = models.JSONField()
    """The arithmetic: what ``mismatch.Diagnosis.evidence`` says."""
    proposal = models.TextField(choices=Proposal)
    numbers = models.JSONField(default=dict)
    """The amounts of the proposal, in fen, by name."""
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    assignee = models.ForeignKey(
        "accounts.Operator", models.PROTECT, null=True, related_name="assigned_cases", db_index=False
    )
    """Who said that he looks after it; anybody entitled may still act."""
    held_until = models.DateField(null=True)
    """挂账: nothing is to be done before this day."""
    escalated_at = models.DateTimeField(null=True)
    """转上级: since when a supervisor is asked to look."""

    class Meta:
        verbose_name = _("案例")
        verbose_name_plural = _("案例")
        constraints = [
            models.UniqueConstraint(
                name="case_one_open_per_reason",
                fields=["account", "mismatch"],
                condition=Q(state=CaseState.OPEN),
            ),
            models.CheckConstraint(name="case_mismatch_known", condition=Q(mismatch__in=Mismatch.values)),
            models.CheckConstraint(name="case_proposal_known", condition=Q(proposal__in=Proposal.values)),
            models.CheckConstraint(name="case_amount_not_negative", condition=Q(at_risk_fen__gte=0)),
            models.CheckConstraint(
                name="case_closed_has_time",
                condition=Q(state=CaseState.OPEN, closed_at__isnull=True)
                | Q(state=CaseState.CLOSED, closed_at__gte=F("opened_at")),
            ),
        ]
        indexes = [
            models.Index(
                name="case_queue", fields=["campus", "opened_at"], condition=Q(state=CaseState.OPEN)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mismatch} {self.account_id}"


class CaseFinding(models.Model):
    """Which case a finding of a tap went into. A finding is taken up once; a new one reopens the question."""

    finding = models.OneToOneField(
        "transactions.CardFinding",
        models.PROTECT,
        primary_key=True,
        related_name="taken_up",
        db_column="finding_id",
    )
    case = models.ForeignKey(Case, models.PROTECT, related_name="findings")

    class Meta:
        verbose_name = _("案例疑点")
        verbose_name_plural = _("案例疑点")

    def __str__(self) -> str:
        return f"{self.case_id} ← {self.finding_id}"


class NoteKind(models.TextChoices):
    """What happened to a case."""

    OPENED = "opened", _("立案")
    CHANGED = "changed", _("金额变动")
    GONE = "gone", _("差额已消失，自动结案")
    REMARK = "remark", _("备注")
    DECIDED = "decided", _("人工结案")
    TAKEN = "taken", _("接手")
    ASSIGNED = "assigned", _("分派")
    HELD = "held", _("挂账")
    ESCALATED = "escalated", _("转上级")
    PROPOSED = "proposed", _("提出处理")
    APPROVED = "approved", _("复核同意")
    REFUSED = "refused", _("复核退回")
    WITHDRAWN = "withdrawn", _("撤回")
    CARRIED_OUT = "carried_out", _("已执行")
    NOT_CARRIED_OUT = "not_carried_out", _("未执行")


SAYS_WHY = (
    NoteKind.REMARK,
    NoteKind.DECIDED,
    NoteKind.HELD,
    NoteKind.ESCALATED,
    NoteKind.PROPOSED,
    NoteKind.REFUSED,
)
"""Notes of a person that are worth nothing without a reason."""


class CaseNote(models.Model):
    """One thing that happened to a case: by itself, or because a person decided. Never changed, never deleted."""

    case = models.ForeignKey(Case, models.PROTECT, related_name="notes")
    at = models.DateTimeField()
    actor = models.TextField()
    """``system:reconcile`` or ``operator:<id>``."""
    kind = models.TextField(choices=NoteKind)
    text = models.TextField(default="", db_default="", blank=True)
    """What the person wrote; empty for what happened by itself."""
    numbers = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("案例记录")
        verbose_name_plural = _("案例记录")
        constraints = [
            models.CheckConstraint(name="case_note_kind_known", condition=Q(kind__in=NoteKind.values)),
            models.CheckConstraint(
                name="case_note_of_person_says_why",
                condition=~Q(kind__in=SAYS_WHY) | ~Q(text=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case_id} {self.kind}"


class ReconcileRun(models.Model):
    """One run of the comparison. A run without ``finished_at`` was killed; whatever it had done is whole."""

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    compared = models.IntegerField(null=True)
    """Live cards compared with their books."""
    result = models.JSONField(default=dict)
    """What the command prints with ``--json`` (interfaces.md), and ``postponed``: accounts left for the next run."""

    class Meta:
        verbose_name = _("对账记录")
        verbose_name_plural = _("对账记录")
        indexes = [models.Index(name="reconcile_run_by_time", fields=["started_at"])]

    def __str__(self) -> str:
        return f"{self.started_at:%F %T}"


from .models_days import DayClose  # noqa: E402
from .models_desk import Decision, DecisionAction, DecisionResult, Ruling  # noqa: E402 - they point at Case
from .models_disputes import (  # noqa: E402
    Dispute,
    DisputeEvent,
    DisputeEventKind,
    DisputeKind,
    DisputeState,
)

__all__ = [
    "SAYS_WHY",
    "Case",
    "CaseFinding",
    "CaseNote",
    "CaseState",
    "DayClose",
    "Decision",
    "DecisionAction",
    "DecisionResult",
    "Dispute",
    "DisputeEvent",
    "DisputeEventKind",
    "DisputeKind",
    "DisputeState",
    "Mismatch",
    "NoteKind",
    "Proposal",
    "ReconcileRun",
    "Ruling",
]
