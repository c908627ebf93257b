"""Many people at once: files of the roster on their way in, who stands on it, batches of cards, batches of closings.

What a file says is staged row by row and compared with the book; only the last step touches holders, in one
transaction. The staged rows hold personal data and are emptied when the file is done.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .people import Campus, DocumentKind, Holder, HolderKind, Operator
from .standing import Account, Card


class RosterState(models.TextChoices):
    """How far a file is. APPLIED and DISCARDED are ends."""

    ASKING = "asking", _("待选编码")
    READING = "reading", _("正在读取")
    COMPARING = "comparing", _("正在比对")
    READY = "ready", _("待确认")
    APPLIED = "applied", _("已导入")
    DISCARDED = "discarded", _("已放弃")


ROSTER_UNDER_WAY = (RosterState.READING, RosterState.COMPARING)
ROSTER_ENDED = (RosterState.APPLIED, RosterState.DISCARDED)


class RosterScope(models.TextChoices):
    """What it means that somebody is not in the file: nothing, or that he has left."""

    ADDITIONS = "additions", _("新增名单")
    STUDENTS = "students", _("全体学生名单")
    STAFF = "staff", _("全体教职工名单")


class RosterVerdict(models.TextChoices):
    """What a row would do."""

    WAITING = "waiting", _("待比对")
    NEW = "new", _("新增")
    CHANGED = "changed", _("变更")
    SAME = "same", _("无变化")
    REJECTED = "rejected", _("不能导入")


class RosterFile(models.Model):
    """One file of people, from its upload to its end. The same content is taken in once.

    ``content`` is the file (ASKING) or its cells (later), sealed; empty once the file has ended.
    """

    id = models.UUIDField(primary_key=True)
    """Made by the page, so that a double click uploads once."""
    name = models.TextField()
    digest = models.BinaryField(max_length=32)
    scope = models.TextField(choices=RosterScope)
    campus = models.ForeignKey(Campus, models.PROTECT, null=True, related_name="+")
    """Of whoever brought it; empty for somebody who serves all."""
    state = models.TextField(choices=RosterState)
    encoding = models.TextField(default="", db_default="", blank=True)
    content = models.BinaryField(null=True)
    total = models.IntegerField(default=0)
    """Rows of people in it."""
    position = models.IntegerField(default=0)
    """Rows done in the present state."""
    revision = models.IntegerField(default=0)
    """Counts the comparisons, so that what is confirmed is what was shown."""
    notes = models.JSONField(default=list)
    """What the reader of the file left out, as (sentence, numbers)."""
    uploaded_by = models.ForeignKey(Operator, models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()
    ended_by = models.ForeignKey(Operator, models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)
    """Rows by verdict, and who left; final once applied."""

    class Meta:
        verbose_name = _("名册文件")
        verbose_name_plural = _("名册文件")
        constraints = [
            models.CheckConstraint(name="roster_state_known", condition=Q(state__in=RosterState.values)),
            models.CheckConstraint(name="roster_scope_known", condition=Q(scope__in=RosterScope.values)),
            models.CheckConstraint(
                name="roster_position_in_range", condition=Q(position__gte=0, position__lte=F("total"))
            ),
            models.CheckConstraint(
                name="roster_content_until_end",
                condition=Q(state__in=ROSTER_ENDED, content__isnull=True, ended_at__isnull=False)
                | Q(~Q(state__in=ROSTER_ENDED), content__isnull=False, ended_at__isnull=True),
            ),
            models.UniqueConstraint(
                name="roster_same_file_once",
                fields=["digest", "scope"],
                condition=~Q(state=RosterState.DISCARDED),
            ),
        ]
        indexes = [models.Index(name="roster_newest", fields=["-uploaded_at"])]

    def __str__(self) -> str:
        return self.name


class RosterRow(models.Model):
    """One row of a file, as it was understood; it touches nobody before the file is applied."""

    file = models.ForeignKey(RosterFile, models.CASCADE, related_name="rows", db_index=False)
    line = models.IntegerField()
    """As a spreadsheet counts, the header included."""
    verdict = models.TextField(
        choices=RosterVerdict, default=RosterVerdict.WAITING, db_default=RosterVerdict.WAITING.value
    )
    uid = models.UUIDField(default=uuid.uuid4)
    """Of the holder, new or known: the identity number is sealed for it already."""
    school_no = models.TextField(default="", blank=True)
    name = models.TextField(default="", blank=True)
    kind = models.TextField(choices=HolderKind, default="", blank=True)
    campus = models.ForeignKey(Campus, models.PROTECT, null=True, related_name="+")
    unit = models.TextField(default="", blank=True)
    group = models.TextField(default="", blank=True)
    year = models.SmallIntegerField(null=True)
    document_kind = models.TextField(choices=DocumentKind, default=DocumentKind.NONE)
    id_number_sealed = models.BinaryField(null=True)
    id_number_index = models.BinaryField(null=True)
    holder = models.ForeignKey(Holder, models.PROTECT, null=True, related_name="+")
    changes = models.JSONField(default=dict)
    """Field → [what the book says, what the file says]; the identity number only as "added"."""
    problems = models.JSONField(default=list)
    """Why it is rejected, as (sentence, numbers)."""
    remarks = models.JSONField(default=list)
    """What somebody should look at, though it is no reason to reject."""

    class Meta:
        verbose_name = _("名册行")
        verbose_name_plural = _("名册行")
        constraints = [
            models.UniqueConstraint(name="roster_line_once", fields=["file", "line"]),
            models.CheckConstraint(
                name="roster_verdict_known", condition=Q(verdict__in=RosterVerdict.values)
            ),
            models.CheckConstraint(
                name="roster_rejected_has_reason", condition=~Q(verdict=RosterVerdict.REJECTED, problems=[])
            ),
        ]
        indexes = [
            models.Index(name="roster_row_by_number", fields=["file", "school_no"]),
            models.Index(name="roster_row_by_document", fields=["file", "id_number_index"]),
            models.Index(name="roster_row_by_verdict", fields=["file", "verdict", "line"]),
        ]

    def __str__(self) -> str:
        return f"{self.line}"


class RosterMember(models.Model):
    """That a person stands on the university's roster, as the newest file that named him says (R004).

    ``left_at`` is set when a list of everybody no longer names him; account and card are not touched by that.
    """

    holder = models.OneToOneField(Holder, models.PROTECT, primary_key=True, related_name="member")
    group = models.TextField(default="", blank=True)
    """Class or office in words."""
    year = models.SmallIntegerField(null=True)
    """The year in which a student is to leave."""
    file = models.ForeignKey(RosterFile, models.PROTECT, related_name="+")
    listed_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("在册人员")
        verbose_name_plural = _("在册人员")
        indexes = [models.Index(name="member_by_year", fields=["year"])]

    def __str__(self) -> str:
        return str(self.holder_id)


class IssueBatch(models.Model):
    """Cards to be made for many people of one campus, printed, written and handed over in one order."""

    key = models.UUIDField(unique=True)
    name = models.TextField()
    campus = models.ForeignKey(Campus, models.PROTECT, related_name="+")
    made_by = models.ForeignKey(Operator, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        verbose_name = _("制卡批次")
        verbose_name_plural = _("制卡批次")
        indexes = [models.Index(name="issue_batch_newest", fields=["-made_at"])]

    def __str__(self) -> str:
        return self.name


class IssueItem(models.Model):
    """One person's card of a batch. ``card`` is the piece of plastic that counts now; spoilt ones are VOID rows."""

    batch = models.ForeignKey(IssueBatch, models.PROTECT, related_name="items", db_index=False)
    place = models.IntegerField()
    """In the order of college, class and number, from 1."""
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    card = models.OneToOneField(Card, models.PROTECT, related_name="+")
    printed_at = models.DateTimeField(null=True)
    handed_at = models.DateTimeField(null=True)
    handed_by = models.ForeignKey(Operator, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("批次中的卡")
        verbose_name_plural = _("批次中的卡")
        constraints = [
            models.UniqueConstraint(name="issue_place_once", fields=["batch", "place"]),
            models.UniqueConstraint(name="issue_account_once", fields=["batch", "account"]),
            models.CheckConstraint(
                name="issue_handed_by_somebody",
                condition=Q(handed_at__isnull=True, handed_by__isnull=True)
                | Q(handed_at__isnull=False, handed_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id}/{self.place}"


class ClosingState(models.TextChoices):
    """How far a batch of closings is."""

    READY = "ready", _("待确认")
    RUNNING = "running", _("正在办理")
    DONE = "done", _("已办理")
    DISCARDED = "discarded", _("已放弃")


class ClosingResult(models.TextChoices):
    """What became of one account of it."""

    WAITING = "waiting", _("待办理")
    STARTED = "started", _("已开始销户")
    REFUSED = "refused", _("未办理")


class ClosingBatch(models.Model):
    """Accounts of people who leave, whose closing is begun together."""

    key = models.UUIDField(unique=True)
    name = models.TextField()
    campus = models.ForeignKey(Campus, models.PROTECT, null=True, related_name="+")
    state = models.TextField(choices=ClosingState, default=ClosingState.READY)
    made_by = models.ForeignKey(Operator, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    unknown = models.JSONField(default=list)
    """Numbers of the list that nobody with an account has."""

    class Meta:
        verbose_name = _("批量销户")
        verbose_name_plural = _("批量销户")
        constraints = [
            models.CheckConstraint(name="closing_state_known", condition=Q(state__in=ClosingState.values)),
        ]
        indexes = [models.Index(name="closing_newest", fields=["-made_at"])]

    def __str__(self) -> str:
        return self.name


class ClosingItem(models.Model):
    """One account of such a batch."""

    batch = models.ForeignKey(ClosingBatch, models.PROTECT, related_name="items", db_index=False)
    place = models.IntegerField()
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    result = models.TextField(
        choices=ClosingResult, default=ClosingResult.WAITING, db_default=ClosingResult.WAITING.value
    )
    reason = models.TextField(default="", db_default="", blank=True)
    """Why not: a value of ``services.errors.Reason`` or of the reader's own list of obstacles."""
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("批量销户中的账户")
        verbose_name_plural = _("批量销户中的账户")
        constraints = [
            models.UniqueConstraint(name="closing_place_once", fields=["batch", "place"]),
            models.UniqueConstraint(name="closing_account_once", fields=["batch", "account"]),
            models.CheckConstraint(name="closing_result_known", condition=Q(result__in=ClosingResult.values)),
            models.CheckConstraint(
                name="closing_refused_has_reason",
                condition=~Q(result=ClosingResult.REFUSED) | ~Q(reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id}/{self.place}"
