"""What each staged row would do to the book: a pure decision over facts, and the gathering of those facts by the slice.

A person is known by the school number. The identity number only ever confirms: a number that the book knows otherwise
is a reason to come to the counter, never a change from a file (the initial passwords hang on it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.db.models import Count, Min, Q
from django.utils.translation import gettext_lazy as _

from accounts.keys import Secrets
from accounts.models import (
    Holder,
    Operator,
    RosterFile,
    RosterMember,
    RosterRow,
    RosterScope,
    RosterVerdict,
)
from accounts.roster_files.sheets import Problem
from accounts.sealing import Place, seal, unseal

PLAIN_FIELDS = ("name", "kind", "campus_id", "unit", "school_no")
"""What a file may change of a holder; the identity number may only be added."""


@dataclass(frozen=True, slots=True)
class Known:
    """A holder as the book has him, with his place on the roster."""

    id: int
    uid: UUID
    school_no: str
    name: str
    kind: str
    campus_id: int
    unit: str
    id_number_index: bytes | None
    group: str | None = None
    """None while he stands on no roster."""
    year: int | None = None
    left: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that decides about one row."""

    number_first_on: int
    """The first line of the file with this school number."""
    document_first_on: int | None
    same_number: Known | None
    same_document: Known | None
    own_holder_id: int | None
    """The holder row of whoever brought the file: nobody changes himself (P4)."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict, whom it concerns, what changes, and why not."""

    verdict: RosterVerdict
    holder: Known | None = None
    changes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    problem: Problem | None = None


def rule(row: RosterRow, facts: Facts) -> Ruling:
    """Say what a row without problems of its own would do."""
    if facts.number_first_on < row.line:
        return _reject(_("与第 %(line)s 行的学工号相同"), line=facts.number_first_on)
    if facts.document_first_on is not None and facts.document_first_on < row.line:
        return _reject(_("与第 %(line)s 行的证件号码相同"), line=facts.document_first_on)
    known, index = facts.same_number, _bytes(row.id_number_index)
    if known is None:
        if facts.same_document is None:
            return Ruling(RosterVerdict.NEW)
        known = facts.same_document
        if known.name != row.name:
            return _reject(_("这个证件号码已登记在另一个学工号下，且姓名不同；请持证件到柜台核对"))
    elif index is not None and known.id_number_index not in (None, index):
        return _reject(_("这个学工号已登记另一个证件号码；请持证件到柜台核对"))
    elif facts.same_document is not None and facts.same_document.id != known.id:
        return _reject(_("这个证件号码已登记在另一个学工号下；请持证件到柜台核对"))
    changes = _changes(row, known)
    if not changes:
        return Ruling(RosterVerdict.SAME, known)
    if known.id == facts.own_holder_id:
        return _reject(_("这是您本人，请由同事导入"))
    return Ruling(RosterVerdict.CHANGED, known, changes)


def _changes(row: RosterRow, known: Known) -> dict[str, list[Any]]:
    """Field → [before, after]. An empty unit in the file says nothing about the unit in the book."""
    found: dict[str, list[Any]] = {}
    for name in PLAIN_FIELDS:
        before, after = getattr(known, name), getattr(row, name)
        if after != before and not (name == "unit" and not after):
            found[name] = [before, after]
    if row.id_number_index is not None and known.id_number_index is None:
        found["id_number"] = ["", "added"]
    if known.group is not None:
        if row.group and row.group != known.group:
            found["group"] = [known.group, row.group]
        if row.year is not None and row.year != known.year:
            found["year"] = [known.year, row.year]
    if known.left:
        found["listed"] = [False, True]
    return found


def _reject(message: Any, **params: object) -> Ruling:
    return Ruling(RosterVerdict.REJECTED, problem=Problem.of(message, **params))


# --------------------------------------------------------------------------------------------------- by the slice


def compare_slice(file: RosterFile, size: int, *, secrets: Secrets) -> int:
    """Decide about the next rows of a locked file; returns how many. Six statements, however many rows."""
    rows = list(file.rows.order_by("line")[file.position : file.position + size])
    numbers = [row.school_no for row in rows if row.school_no]
    indexes = [bytes(row.id_number_index) for row in rows if row.id_number_index is not None]
    first_number = _first_lines(file, "school_no", numbers)
    first_document = _first_lines(file, "id_number_index", indexes)
    by_number, by_document = _known_holders(numbers, indexes)
    own = Operator.objects.values_list("holder_id", flat=True).get(pk=file.uploaded_by_id)
    for row in rows:
        index = _bytes(row.id_number_index)
        facts = Facts(
            number_first_on=first_number.get(row.school_no, row.line),
            document_first_on=first_document.get(index) if index else None,
            same_number=by_number.get(row.school_no),
            same_document=by_document.get(index) if index else None,
            own_holder_id=own,
        )
        _note(row, facts, secrets)
    RosterRow.objects.bulk_update(
        rows,
        ["verdict", "holder_id", "uid", "id_number_sealed", "changes", "problems", "remarks"],
        batch_size=size,
    )
    return len(rows)


def counts(file: RosterFile) -> dict[str, int]:
    """Rows by verdict, and with a list of everybody how many of the roster are not in it."""
    found = dict(file.rows.values_list("verdict").annotate(rows=Count("id")))
    return {verdict.value: found.get(verdict, 0) for verdict in RosterVerdict} | {
        "left": leaving(file).count(),
        "remarks": file.rows.exclude(remarks=[]).count(),
    }


def leaving(file: RosterFile) -> Any:
    """Members of the roster whom a list of everybody no longer names; none for a list of additions."""
    kind = {RosterScope.STUDENTS: "student", RosterScope.STAFF: "staff"}.get(RosterScope(file.scope))
    members = RosterMember.objects.filter(left_at=None, holder__kind=kind)
    if kind is None:
        return members.none()
    named = RosterRow.objects.filter(file=file, holder__isnull=False).values("holder_id")
    return members.exclude(holder_id__in=named)


def _note(row: RosterRow, facts: Facts, secrets: Secrets) -> None:
    """Write the ruling into the row."""
    if row.problems:
        row.verdict = RosterVerdict.REJECTED
        return
    ruling, was = rule(row, facts), row.holder_id
    row.verdict, row.changes = ruling.verdict, dict(ruling.changes)
    row.holder_id = ruling.holder.id if ruling.holder else None
    if ruling.problem is not None:
        row.problems = [ruling.problem.to_json()]
    uid = ruling.holder.uid if ruling.holder else uuid4() if was is not None else row.uid
    if row.uid != uid:
        _seal_for(row, uid, secrets)
    remark = Problem.of(_("同一人换了学工号；卡面印的是旧号，需换卡")).to_json()
    if "school_no" in ruling.changes and remark not in row.remarks:
        row.remarks = [*row.remarks, remark]


def _seal_for(row: RosterRow, uid: UUID, secrets: Secrets) -> None:
    """Bind the staged number to the holder it turned out to be about."""
    if row.id_number_sealed is not None:
        before, after = (Place("accounts_holder", "id_number", each) for each in (row.uid, uid))
        row.id_number_sealed = seal(unseal(bytes(row.id_number_sealed), before, secrets), after, secrets)
    row.uid = uid


def _first_lines(file: RosterFile, name: str, values: Sequence[Any]) -> dict[Any, int]:
    rows = RosterRow.objects.filter(file=file, **{f"{name}__in": values})
    return {_plain(value): line for value, line in rows.values_list(name).annotate(first=Min("line"))}


def _known_holders(
    numbers: Sequence[str], indexes: Sequence[bytes]
) -> tuple[dict[str, Known], dict[bytes, Known]]:
    holders = Holder.objects.filter(Q(school_no__in=numbers) | Q(id_number_index__in=indexes))
    found = [_known(holder) for holder in holders.select_related("member")]
    return (
        {known.school_no: known for known in found},
        {known.id_number_index: known for known in found if known.id_number_index is not None},
    )


def _known(holder: Holder) -> Known:
    member: RosterMember | None = getattr(holder, "member", None)
    return Known(
        id=holder.pk,
        uid=holder.uid,
        school_no=holder.school_no,
        name=holder.name,
        kind=holder.kind,
        campus_id=holder.campus_id,
        unit=holder.unit,
        id_number_index=_bytes(holder.id_number_index),
        group=member.group if member else None,
        year=member.year if member else None,
        left=member is not None and member.left_at is not None,
    )


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
