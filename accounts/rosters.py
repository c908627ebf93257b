"""What the screens read of rosters and photos. Nothing in it changes a row.

Names come out whole here: whoever looks whether a file was understood has to read them. The pages are for the desk's
staff.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from accounts.models import (
    Campus,
    Holder,
    HolderKind,
    Photo,
    PhotoItem,
    PhotoUpload,
    PhotoVerdict,
    RosterFile,
    RosterMember,
    RosterRow,
    RosterScope,
    RosterState,
    RosterVerdict,
)
from accounts.roster_files.persons import Rules
from accounts.roster_files.sheets import Problem

PAGE = 50
NEWEST = 8


def rules(today: date) -> Rules:
    """What rows of a file are read against."""
    names: dict[str, int] = {}
    for campus in Campus.objects.all():
        names |= {name.casefold(): campus.pk for name in (campus.code, campus.name_zh, campus.name_en)}
    return Rules(names, today)


def is_on_roster(holder_id: int) -> bool:
    """Whether a person stands on the roster now (R004)."""
    return RosterMember.objects.filter(holder_id=holder_id, left_at=None).exists()


# ---------------------------------------------------------------------------------------------------------- files


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file of the roster as its page shows it."""

    id: UUID
    name: str
    scope: RosterScope
    campus_id: int | None
    state: RosterState
    position: int
    total: int
    revision: int
    notes: tuple[Problem, ...]
    counts: dict[str, int]
    uploaded_by: str
    uploaded_at: datetime
    ended_by: str
    ended_at: datetime | None

    @property
    def share(self) -> int:
        """How far it is, in per cent: reading is the first half, comparing the second."""
        if self.state not in (RosterState.READING, RosterState.COMPARING):
            return 100
        half = self.position * 50 // max(1, self.total)
        return half if self.state is RosterState.READING else 50 + half

    @property
    def may_apply(self) -> bool:
        """Whether it only waits for the confirmation."""
        return self.state is RosterState.READY and not self.counts.get("rejected")


@dataclass(frozen=True, slots=True)
class Change:
    """One field that a row would change."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RowFacts:
    """A row as it was understood."""

    line: int
    verdict: RosterVerdict
    school_no: str
    name: str
    kind: str
    campus_id: int | None
    unit: str
    group: str
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    remarks: tuple[Problem, ...]


def file_facts(file_id: UUID) -> FileFacts | None:
    """One file, or None."""
    file = RosterFile.objects.select_related("uploaded_by", "ended_by").filter(pk=file_id).first()
    return _file(file) if file else None


def newest_files(campus_id: int | None) -> list[FileFacts]:
    """The latest files of a campus and of those who serve all, newest first."""
    files = _of_campus(RosterFile.objects.select_related("uploaded_by", "ended_by"), campus_id)
    return [_file(file) for file in files.defer("content").order_by("-uploaded_at")[:NEWEST]]


def rows(file_id: UUID, verdict: RosterVerdict | None, *, after_line: int = 0) -> list[RowFacts]:
    """The next rows of a file, one more than a page so that the page knows whether it ends."""
    found = RosterRow.objects.filter(file_id=file_id, line__gt=after_line)
    if verdict is not None:
        found = found.filter(verdict=verdict)
    return [_row(row) for row in found.order_by("line")[: PAGE + 1]]


def rejected(file_id: UUID) -> Iterable[RowFacts]:
    """Every row that keeps a file back."""
    found = RosterRow.objects.filter(file_id=file_id, verdict=RosterVerdict.REJECTED)
    return (_row(row) for row in found.order_by("line").iterator(chunk_size=1000))


def leavers(file_id: UUID, *, newest: int = 100) -> list[Holder]:
    """Who is not in a list of everybody: before it is applied as the comparison has it, afterwards as it was noted."""
    from accounts.services.roster_compare import leaving

    file = RosterFile.objects.defer("content").get(pk=file_id)
    if file.state == RosterState.APPLIED:
        kind = {RosterScope.STUDENTS: "student", RosterScope.STAFF: "staff"}.get(RosterScope(file.scope), "")
        found = Holder.objects.filter(member__left_at=file.ended_at, kind=kind)
    else:
        found = Holder.objects.filter(pk__in=leaving(file).values("holder_id"))
    return list(found.order_by("unit", "school_no")[:newest])


def _file(file: RosterFile) -> FileFacts:
    return FileFacts(
        id=file.pk,
        name=file.name,
        scope=RosterScope(file.scope),
        campus_id=file.campus_id,
        state=RosterState(file.state),
        position=file.position,
        total=file.total,
        revision=file.revision,
        notes=tuple(Problem.from_json(note) for note in file.notes),
        counts={verdict.value: 0 for verdict in RosterVerdict} | {"left": 0} | dict(file.counts),
        uploaded_by=file.uploaded_by.get_full_name(),
        uploaded_at=file.uploaded_at,
        ended_by=file.ended_by.get_full_name() if file.ended_by else "",
        ended_at=file.ended_at,
    )


def _row(row: RosterRow) -> RowFacts:
    return RowFacts(
        line=row.line,
        verdict=RosterVerdict(row.verdict),
        school_no=row.school_no,
        name=row.name,
        kind=str(HolderKind(row.kind).label) if row.kind else "",
        campus_id=row.campus_id,
        unit=row.unit,
        group=row.group,
        changes=tuple(
            Change(name, str(before), str(after)) for name, (before, after) in sorted(row.changes.items())
        ),
        problems=tuple(Problem.from_json(kept) for kept in row.problems),
        remarks=tuple(Problem.from_json(kept) for kept in row.remarks),
    )


# ---------------------------------------------------------------------------------------------------------- photos


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """An archive of photos: how far it is, and what became of its pictures."""

    id: UUID
    name: str
    campus_id: int | None
    position: int
    total: int
    uploaded_by: str
    uploaded_at: datetime
    ended_at: datetime | None
    counts: dict[str, int]

    @property
    def share(self) -> int:
        """How far it is, in per cent."""
        return self.position * 100 // max(1, self.total)


def photo_of(holder_id: int) -> bytes | None:
    """The picture of a person as JPEG."""
    image = Photo.objects.filter(holder_id=holder_id).values_list("image", flat=True).first()
    return None if image is None else bytes(image)


def archive_facts(archive_id: UUID) -> ArchiveFacts | None:
    """One archive, or None."""
    found = PhotoUpload.objects.select_related("uploaded_by").filter(pk=archive_id).first()
    return _archive(found) if found else None


def newest_archives(campus_id: int | None) -> list[ArchiveFacts]:
    """The latest archives of a campus and of those who serve all."""
    found = _of_campus(PhotoUpload.objects.select_related("uploaded_by"), campus_id)
    return [_archive(upload) for upload in found.order_by("-uploaded_at")[:NEWEST]]


def refused_photos(archive_id: UUID, *, newest: int = 200) -> list[tuple[str, str]]:
    """(name of the file, why) of the pictures that were not taken."""
    found = PhotoItem.objects.filter(upload_id=archive_id, verdict=PhotoVerdict.REJECTED).defer("content")
    return [
        (item.name, " ".join(str(Problem.from_json(kept)) for kept in item.problems))
        for item in found.order_by("place")[:newest]
    ]


def without_photo(campus_id: int | None) -> QuerySet[Holder]:
    """Who stands on the roster and has no picture, in the order of the colleges."""
    found = Holder.objects.filter(
        member__left_at=None,
        member__isnull=False,
        photo=None,
        kind__in=(HolderKind.STUDENT, HolderKind.STAFF),
    )
    if campus_id is not None:
        found = found.filter(campus_id=campus_id)
    return found.order_by("unit", "school_no")


def _archive(upload: PhotoUpload) -> ArchiveFacts:
    counts = dict(upload.items.values_list("verdict").annotate(items=Count("id")))
    return ArchiveFacts(
        id=upload.pk,
        name=upload.name,
        campus_id=upload.campus_id,
        position=upload.position,
        total=upload.total,
        uploaded_by=upload.uploaded_by.get_full_name(),
        uploaded_at=upload.uploaded_at,
        ended_at=upload.ended_at,
        counts={verdict.value: counts.get(verdict, 0) for verdict in PhotoVerdict},
    )


def _of_campus(rows: Any, campus_id: int | None) -> Any:
    return rows if campus_id is None else rows.filter(Q(campus_id=campus_id) | Q(campus_id=None))
