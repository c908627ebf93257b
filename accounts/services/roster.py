"""Taking a file of the roster in: staged row by row in slices, compared with the book, put away.

A slice is one transaction under the file's lock that moves its position with its rows, so whoever asks for the next
one may be killed anywhere and anybody may go on. Nobody is touched before ``roster_apply.apply``.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts.keys import Secrets
from accounts.models import ROSTER_ENDED, ROSTER_UNDER_WAY, RosterFile, RosterRow, RosterScope, RosterState
from accounts.roster_files import sheets
from accounts.roster_files.columns import Found, find_columns
from accounts.roster_files.persons import Reading, Rules, read_person
from accounts.roster_files.sheets import MAX_BYTES, MAX_ROWS, Problem, Table, Unreadable
from accounts.roster_files.texts import Doubtful, Encoding, Sample, read_text, samples_of
from accounts.roster_files.workbooks import read_workbook
from accounts.sealing import Place, seal, seal_bytes, unseal_bytes
from accounts.services import audit, roster_compare
from accounts.services.holders import index_of
from accounts.services.operators import Officer
from accounts.services.rows import By

SLICE = 500
"""Rows in one transaction; a slice takes some tenths of a second."""
KEPT = timedelta(days=7)
"""Staged rows of a file that ended, or that nobody finished, are deleted after this (security.md section 6)."""


@dataclass(frozen=True, slots=True, repr=False)
class Delivery:
    """A file as it came: ``key`` made by the page, ``name`` as the browser said it, ``data`` at most 10 MB."""

    key: UUID
    name: str
    data: bytes
    scope: RosterScope

    def __repr__(self) -> str:
        return f"Delivery({self.key})"


@dataclass(frozen=True, slots=True)
class Taken:
    """The file that goes on, and whether it had come before."""

    file: RosterFile
    again: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file is: rows done of rows in all, in its present state."""

    state: RosterState
    position: int
    total: int

    @property
    def over(self) -> bool:
        """Whether a person has to look now."""
        return self.state not in ROSTER_UNDER_WAY


class NotThere(LookupError):
    """No such file, or it has ended."""


def take_in(delivery: Delivery, *, officer: Officer, by: By, secrets: Secrets) -> Taken:
    """Take a file in, whole or not at all. The same key, or the same content, is the same file (items 67 and 77).

    Raises ``Unreadable`` with what is wrong with the file as a whole; nothing was kept then.
    """
    digest = sha256(delivery.data).digest()
    known = _known(delivery, digest)
    if known is not None:
        return known
    if len(delivery.data) > MAX_BYTES:
        raise Unreadable(_("文件超过 %(limit)s MB"), limit=MAX_BYTES // 1024 // 1024)
    file = RosterFile(
        id=delivery.key,
        name=shown_name(delivery.name),
        digest=digest,
        scope=delivery.scope,
        campus_id=officer.campus_id,
        uploaded_by_id=officer.id,
        uploaded_at=by.now,
    )
    try:
        _keep_cells(file, read_table(delivery.name, delivery.data), secrets)
    except Doubtful:
        file.state = RosterState.ASKING
        file.content = _sealed(file, delivery.data, secrets)
    try:
        with transaction.atomic():
            file.save(force_insert=True)
            after = {"digest": digest.hex(), "scope": file.scope, "rows": file.total}
            audit.record(
                audit.Deed("roster.upload", "roster", file.id, after=after), actor=by.actor, now=by.now
            )
    except IntegrityError:
        known = _known(delivery, digest)
        if known is None:
            raise
        return known
    return Taken(file)


def read_table(name: str, data: bytes, *, encoding: Encoding | None = None) -> Table:
    """The table of a file, by what it is and not by what it is called. Raises ``Unreadable`` and ``Doubtful``."""
    extension = name.rpartition(".")[2].lower()
    if not data:
        raise Unreadable(_("文件是空的"))
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable(_("这是旧版 xls 或加密的文件，请另存为不加密的 xlsx"))
    if extension in ("xlsm", "xltm", "xlsb"):
        raise Unreadable(_("文件含有宏，请另存为不含宏的 xlsx"))
    if extension not in ("xlsx", "csv", "txt"):
        raise Unreadable(_("只接受 xlsx 和 CSV 文件"))
    if data.startswith(b"PK\x03\x04"):
        if extension != "xlsx":
            raise Unreadable(_("扩展名是 CSV，内容却不是文本；请用表格软件另存为 xlsx 或 CSV"))
        return read_workbook(data)
    if extension == "xlsx":
        raise Unreadable(_("扩展名是 xlsx，内容却不是；请用表格软件另存为 xlsx 或 CSV"))
    return read_text(data, encoding=encoding)


def shown_name(name: str) -> str:
    """A file's name for the screen: no path, nothing that cannot be seen."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in last if character.isprintable())[:80] or "-"


def samples(file_id: UUID, secrets: Secrets) -> tuple[Sample, ...]:
    """How the first lines of a file in doubt read in each encoding. Raises ``NotThere``."""
    file = RosterFile.objects.filter(pk=file_id, state=RosterState.ASKING).first()
    if file is None:
        raise NotThere
    return samples_of(_opened(file, secrets))


@transaction.atomic
def choose_encoding(file_id: UUID, encoding: Encoding, *, by: By, secrets: Secrets) -> RosterFile:
    """Go on with a file in doubt. Raises ``Unreadable`` (the file ends then) and ``NotThere``."""
    file = RosterFile.objects.select_for_update().filter(pk=file_id, state=RosterState.ASKING).first()
    if file is None:
        raise NotThere
    _keep_cells(file, read_table(file.name, _opened(file, secrets), encoding=encoding), secrets)
    file.encoding = encoding
    file.save(update_fields=["state", "content", "total", "notes", "encoding"])
    deed = audit.Deed("roster.upload", "roster", file.id, after={"encoding": encoding.value})
    audit.record(deed, actor=by.actor, now=by.now)
    return file


def advance(file_id: UUID, *, rules: Rules, secrets: Secrets) -> Progress:
    """Do the next slice of a file that is being read or compared; ask again until ``over``. Raises ``NotThere``.

    While somebody else does a slice this returns at once with how far the file is.
    """
    with transaction.atomic():
        file = RosterFile.objects.select_for_update(skip_locked=True).filter(pk=file_id).first()
        if file is not None and file.state == RosterState.READING:
            _read_slice(file, rules, secrets)
        elif file is not None and file.state == RosterState.COMPARING:
            _compare_slice(file, secrets)
    return progress(file_id)


def progress(file_id: UUID) -> Progress:
    """How far a file is. Raises ``NotThere``."""
    found = RosterFile.objects.filter(pk=file_id).values_list("state", "position", "total").first()
    if found is None:
        raise NotThere
    return Progress(RosterState(found[0]), found[1], found[2])


@transaction.atomic
def discard(file_id: UUID, *, officer: Officer, by: By) -> None:
    """Put a file away that is not to be applied. Raises ``NotThere`` once it has ended."""
    file = RosterFile.objects.select_for_update().filter(pk=file_id).exclude(state__in=ROSTER_ENDED).first()
    if file is None:
        raise NotThere
    RosterRow.objects.filter(file=file).delete()
    end(file, RosterState.DISCARDED, officer=officer, now=by.now)
    audit.record(audit.Deed("roster.discard", "roster", file.id), actor=by.actor, now=by.now)


def end(file: RosterFile, state: RosterState, *, officer: Officer, now: datetime) -> None:
    """Close a locked file and empty it."""
    file.state, file.content, file.ended_by_id, file.ended_at = state, None, officer.id, now
    file.save(update_fields=["state", "content", "ended_by", "ended_at", "counts"])


def forget_old(*, now: datetime) -> int:
    """Delete the staged rows of files that came in more than a week ago; returns how many rows.

    The files stay as a record without anybody's data; one that nobody finished can only be discarded then.
    """
    deleted, _kinds = RosterRow.objects.filter(file__uploaded_at__lt=now - KEPT).delete()
    return deleted


# ------------------------------------------------------------------------------------------------------ inside


def _known(delivery: Delivery, digest: bytes) -> Taken | None:
    by_key = RosterFile.objects.filter(pk=delivery.key).first()
    if by_key is not None:
        if bytes(by_key.digest) != digest or by_key.scope != delivery.scope:
            raise Unreadable(_("页面已用过，请刷新后再试"))
        return Taken(by_key)
    same = RosterFile.objects.filter(digest=digest, scope=delivery.scope)
    found = same.exclude(state=RosterState.DISCARDED).first()
    return Taken(found, again=True) if found else None


def _keep_cells(file: RosterFile, table: Table, secrets: Secrets) -> None:
    found = find_columns(table)
    if len(found.rows) > MAX_ROWS:
        raise Unreadable(_("一个文件最多 %(limit)s 人，请分成几个文件"), limit=MAX_ROWS)
    kept = {"places": dict(found.places), "width": found.width, "rows": sheets.to_json(found.rows)}
    file.state, file.total = RosterState.READING, len(found.rows)
    file.notes = [note.to_json() for note in found.notes]
    file.content = _sealed(file, json.dumps(kept, ensure_ascii=False).encode(), secrets)


def _read_slice(file: RosterFile, rules: Rules, secrets: Secrets) -> None:
    kept = json.loads(_opened(file, secrets))
    rows = sheets.from_json(kept["rows"][file.position : file.position + SLICE])
    found = Found(kept["places"], kept["width"], rows, ())
    read = [read_person(row, found, rules) for row in rows]
    RosterRow.objects.bulk_create([_staged(file, reading, secrets) for reading in read])
    _move(file, len(rows), then=RosterState.COMPARING)


def _compare_slice(file: RosterFile, secrets: Secrets) -> None:
    done = roster_compare.compare_slice(file, SLICE, secrets=secrets)
    if file.position + done >= file.total:
        file.revision += 1
        file.counts = roster_compare.counts(file)
    _move(file, done, then=RosterState.READY)


def _move(file: RosterFile, done: int, *, then: RosterState) -> None:
    file.position += done
    if file.position >= file.total:
        file.state, file.position = then, 0 if then is RosterState.COMPARING else file.total
    file.save(update_fields=["state", "position", "revision", "counts"])


def _staged(file: RosterFile, reading: Reading, secrets: Secrets) -> RosterRow:
    uid = uuid4()
    number = reading.id_number
    return RosterRow(
        file=file,
        line=reading.line,
        uid=uid,
        school_no=reading.school_no,
        name=reading.name,
        kind=reading.kind,
        campus_id=reading.campus_id,
        unit=reading.unit,
        group=reading.group,
        year=reading.year,
        document_kind=reading.document_kind,
        id_number_sealed=seal(number, place_of(uid), secrets) if number else None,
        id_number_index=index_of(number, secrets) if number else None,
        problems=[problem.to_json() for problem in reading.problems],
        remarks=[remark.to_json() for remark in reading.remarks],
    )


def place_of(uid: UUID) -> Place:
    """Where a staged number is to live: its seal is made for the holder's row already."""
    return Place("accounts_holder", "id_number", uid)


def _sealed(file: RosterFile, data: bytes, secrets: Secrets) -> bytes:
    return seal_bytes(zlib.compress(data, 1), _place(file), secrets)


def _opened(file: RosterFile, secrets: Secrets) -> bytes:
    return zlib.decompress(unseal_bytes(bytes(file.content or b""), _place(file), secrets))


def _place(file: RosterFile) -> Place:
    return Place("accounts_rosterfile", "content", file.pk)


__all__ = [
    "Delivery",
    "NotThere",
    "Problem",
    "Progress",
    "Taken",
    "advance",
    "choose_encoding",
    "discard",
    "take_in",
]
