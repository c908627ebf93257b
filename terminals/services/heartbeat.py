"""Taking in a heartbeat: how a terminal does, and whether its journal is still the one we know.

A journal that starts anew without an end, gets shorter, or shows another record under a known number was wiped, put
back or copied (reliability.md B7, B8). Nothing is decided here; somebody is told.
"""

from __future__ import annotations

from datetime import datetime

from terminals.messages.records import RecordKind
from terminals.messages.upkeep import HeartbeatRequest
from terminals.models import SecurityEventKind, TerminalContact, UploadedRecord
from terminals.services import events


def take_in(terminal: int, told: HeartbeatRequest, *, now: datetime) -> None:
    """Keep what a heartbeat says, and note what does not fit what was said before."""
    known = TerminalContact.objects.get(terminal_id=terminal)
    if _lost(known, told):
        detail = {"journal": known.journal, "last_seq": known.journal_seq, "now": told.journal}
        events.note(SecurityEventKind.JOURNAL_LOST, terminal, now=now, detail=detail)
    if _forked(terminal, told):
        detail = {"journal": told.journal, "seq": told.journal_seq, "mac": told.journal_mac}
        alike = {"journal": told.journal}
        events.note(SecurityEventKind.FORK, terminal, now=now, detail=detail, alike=alike)
    TerminalContact.objects.filter(terminal_id=terminal).update(
        heartbeat_at=now,
        hotlist_version=told.hotlist_version,
        unsent=told.unsent,
        journal=told.journal,
        journal_seq=told.journal_seq,
        journal_mac=told.journal_mac,
        offset_ms=told.offset_ms,
        free_mb=told.free_mb,
    )


def lacking_from(terminal: int, told: HeartbeatRequest) -> int | None:
    """The first number of the journal of which nothing is here, when its last record is not; two looks into an index.

    Records that have not been uploaded yet are lacking too: asking for them changes nothing. Those that were answered
    before the database was put back come again, because they are asked for.
    """
    here = UploadedRecord.objects.filter(terminal_id=terminal, journal=told.journal)
    if told.journal_seq == 0 or here.filter(seq=told.journal_seq).exists():
        return None
    newest = here.order_by("-seq").values_list("seq", flat=True).first()
    return (newest or 0) + 1


def _lost(known: TerminalContact, told: HeartbeatRequest) -> bool:
    """Whether records told of before are gone: another journal without an end of the old, or a shorter one."""
    if known.journal_seq == 0:
        return False
    if known.journal == told.journal:
        return told.journal_seq < known.journal_seq
    ended = UploadedRecord.objects.filter(
        terminal_id=known.terminal_id,
        journal=known.journal,
        kind=RecordKind.CLOSE,
        seq__gte=known.journal_seq,
    )
    return not ended.exists()


def _forked(terminal: int, told: HeartbeatRequest) -> bool:
    """Whether the newest record is here already under another MAC."""
    here = UploadedRecord.objects.filter(terminal_id=terminal, journal=told.journal, seq=told.journal_seq)
    return here.exclude(mac=told.journal_mac).exists()
