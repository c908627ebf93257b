"""The last step of a file: what was shown is written, in one transaction, or nothing is.

Set-based: the rows were read, checked, sealed and compared before, so some dozen statements do five thousand people.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from accounts.models import RosterFile, RosterRow, RosterScope, RosterState, RosterVerdict
from accounts.services import audit, roster, roster_compare
from accounts.services.operators import Officer
from accounts.services.rows import By

_WRITES = (RosterVerdict.NEW, RosterVerdict.CHANGED)


class NotApplied(Exception):
    """Nothing was written. ``again``: the book has moved since the comparison, which is made anew."""

    def __init__(self, *, again: bool = False) -> None:
        super().__init__("compared anew" if again else "not ready")
        self.again = again


class _Moved(Exception):
    """A row of the comparison is no longer true."""


def apply(file_id: UUID, revision: int, *, officer: Officer, by: By) -> RosterFile:
    """Write a file that is READY and has no rejected row, exactly as compared in ``revision``. Safe to repeat.

    Raises ``NotApplied``; when the book has moved meanwhile the file goes back to comparing. ``roster.NotThere``.
    """
    try:
        with transaction.atomic():
            return _apply(file_id, revision, officer=officer, by=by)
    except (_Moved, IntegrityError):
        _compare_again(file_id)
        raise NotApplied(again=True) from None


def _apply(file_id: UUID, revision: int, *, officer: Officer, by: By) -> RosterFile:
    file = RosterFile.objects.select_for_update().filter(pk=file_id).first()
    if file is None:
        raise roster.NotThere
    if file.state == RosterState.APPLIED:
        return file
    staged = RosterRow.objects.filter(file=file)
    if file.state != RosterState.READY or file.revision != revision or staged.count() != file.total:
        raise NotApplied
    if staged.filter(verdict=RosterVerdict.REJECTED).exists():
        raise NotApplied
    _write_new(file)
    _write_changed(file)
    _write_members(file, by)
    file.counts = file.counts | {"left": _mark_left(file, by)}
    _write_audit(file, by)
    staged.update(id_number_sealed=None, id_number_index=None)
    roster.end(file, RosterState.APPLIED, officer=officer, now=by.now)
    after = {"digest": bytes(file.digest).hex(), **file.counts}
    audit.record(audit.Deed("roster.apply", "roster", file.id, after=after), actor=by.actor, now=by.now)
    return file


@transaction.atomic
def _compare_again(file_id: UUID) -> None:
    file = RosterFile.objects.select_for_update().filter(pk=file_id, state=RosterState.READY).first()
    if file is None:
        return
    file.state, file.position = RosterState.COMPARING, 0
    file.save(update_fields=["state", "position"])
    file.rows.exclude(verdict=RosterVerdict.WAITING).update(verdict=RosterVerdict.WAITING)


def _write_new(file: RosterFile) -> None:
    """Register everybody who is new. A number or a person that came in elsewhere meanwhile breaks a unique index."""
    _run(
        """
        INSERT INTO accounts_holder (uid, school_no, name, kind, campus_id, unit, document_kind,
            id_number_sealed, id_number_index)
        SELECT uid, school_no, name, kind, campus_id, unit, document_kind, id_number_sealed, id_number_index
        FROM accounts_rosterrow WHERE file_id = %(file)s AND verdict = 'new' ORDER BY line
        """,
        file,
    )
    _run(
        """
        UPDATE accounts_rosterrow r SET holder_id = h.id FROM accounts_holder h
        WHERE r.file_id = %(file)s AND r.verdict = 'new' AND h.uid = r.uid
        """,
        file,
    )


def _write_changed(file: RosterFile) -> None:
    """Change who is known, if the book still says what the comparison saw."""
    changed = _run(
        """
        UPDATE accounts_holder h SET school_no = r.school_no, name = r.name, kind = r.kind, campus_id = r.campus_id,
            unit = CASE WHEN r.changes ? 'unit' THEN r.unit ELSE h.unit END,
            document_kind = CASE WHEN r.changes ? 'id_number' THEN r.document_kind ELSE h.document_kind END,
            id_number_sealed = CASE WHEN r.changes ? 'id_number' THEN r.id_number_sealed ELSE h.id_number_sealed END,
            id_number_index = CASE WHEN r.changes ? 'id_number' THEN r.id_number_index ELSE h.id_number_index END
        FROM accounts_rosterrow r
        WHERE r.file_id = %(file)s AND r.verdict = 'changed' AND h.id = r.holder_id AND h.uid = r.uid
            AND h.school_no = coalesce(r.changes->'school_no'->>0, r.school_no)
            AND h.name = coalesce(r.changes->'name'->>0, r.name)
            AND h.kind = coalesce(r.changes->'kind'->>0, r.kind)
            AND h.campus_id = coalesce((r.changes->'campus_id'->>0)::bigint, r.campus_id)
            AND (NOT r.changes ? 'unit' OR h.unit = r.changes->'unit'->>0)
            AND (NOT r.changes ? 'id_number' OR h.id_number_index IS NULL)
        """,
        file,
    )
    if changed != RosterRow.objects.filter(file=file, verdict=RosterVerdict.CHANGED).count():
        raise _Moved


def _write_members(file: RosterFile, by: By) -> None:
    """Everybody in the file stands on the roster from now on."""
    _run(
        """
        INSERT INTO accounts_rostermember AS m (holder_id, "group", year, file_id, listed_at)
        SELECT holder_id, "group", year, file_id, %(now)s FROM accounts_rosterrow WHERE file_id = %(file)s
        ON CONFLICT (holder_id) DO UPDATE SET
            "group" = CASE WHEN excluded."group" = '' THEN m."group" ELSE excluded."group" END,
            year = coalesce(excluded.year, m.year),
            file_id = excluded.file_id,
            listed_at = CASE WHEN m.left_at IS NULL THEN m.listed_at ELSE excluded.listed_at END,
            left_at = NULL
        """,
        file,
        now=by.now,
    )


def _mark_left(file: RosterFile, by: By) -> int:
    """Note who a list of everybody no longer names. Accounts and cards are another matter (graduation)."""
    if file.scope == RosterScope.ADDITIONS:
        return 0
    return int(roster_compare.leaving(file).update(left_at=by.now))


def _write_audit(file: RosterFile, by: By) -> None:
    """One row for each person who was registered or changed; no name and no number in it."""
    rows = RosterRow.objects.filter(file=file, verdict__in=_WRITES).order_by("line")
    deeds: list[audit.Deed] = []
    for row in rows.values_list("verdict", "uid", "kind", "document_kind", "changes"):
        verdict, uid, kind, document, changes = row
        if verdict == RosterVerdict.NEW:
            told = {"kind": kind, "document": document, "roster": str(file.id)}
            deeds.append(audit.Deed("holder.register", "holder", uid, after=told))
        else:
            changed = {"fields": sorted(changes), "roster": str(file.id)}
            deeds.append(audit.Deed("holder.change", "holder", uid, after=changed))
    audit.record_many(deeds, actor=by.actor, now=by.now)


def _run(statement: str, file: RosterFile, **params: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"file": file.pk, **params})
        return int(cursor.rowcount)
