"""Reading what stands about terminals, for screens, reconciliation and monitoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from terminals.models import (
    OPEN_VERDICT,
    SecurityEvent,
    SecurityEventKind,
    Terminal,
    TerminalContact,
    TerminalKind,
    UploadedRecord,
    UploadVerdict,
)

SILENT = timedelta(minutes=10)
"""A till speaks every minute; after this long without a word it is offline (screens.md 6.1)."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A terminal in service and how long it has been silent, in whole 24 hours; None when it was never heard."""

    terminal: Terminal
    silent_days: int | None


@dataclass(frozen=True, slots=True)
class JournalGap:
    """Records that a terminal has and the server lacks, up to the last number known of that journal."""

    terminal_id: int
    journal: str
    missing: int
    last_seq: int


def silent_tills(*, now: datetime) -> Sequence[Terminal]:
    """The tills in service that have not been heard of for ``SILENT``: they may sell offline without being asked."""
    silent = Q(contact__last_contact_at__isnull=True) | Q(contact__last_contact_at__lt=now - SILENT)
    in_service = Terminal.objects.filter(
        kind=TerminalKind.TILL, enrolled_at__isnull=False, revoked_at__isnull=True
    )
    return list(in_service.filter(silent).order_by("pk"))


def watched(*, now: datetime) -> list[Watched]:
    """Every terminal in service with its contact, the longest silent first; five days let gaps be levelled (L109)."""
    terminals = (
        Terminal.objects.filter(revoked_at=None, epoch__gte=1)
        .select_related("contact", "merchant", "campus")
        .order_by(F("contact__last_contact_at").asc(nulls_first=True), "id")
    )
    return [Watched(terminal, _days(terminal.contact.last_contact_at, now)) for terminal in terminals]


def campus_of(terminal_id: int) -> int | None:
    """The campus that a terminal stands on; None for an unknown one."""
    return Terminal.objects.filter(id=terminal_id).values_list("campus_id", flat=True).first()


def silent_since(terminal_id: int) -> datetime | None:
    """The last signed contact of a terminal, or its enrolment when it never made one; None for an unknown one."""
    return (
        Terminal.objects.filter(id=terminal_id)
        .values_list(Coalesce("contact__last_contact_at", "enrolled_at"), flat=True)
        .first()
    )


def silent_terminals(*, now: datetime, silence: timedelta) -> QuerySet[Terminal]:
    """Terminals that may hold offline records and have been silent for ``silence`` or longer.

    A revoked terminal counts too: its journal may still hold sales.
    """
    offline = Terminal.objects.filter(may_sell_offline=True, epoch__gte=1)
    heard = Coalesce("contact__last_contact_at", "enrolled_at")
    return offline.annotate(heard_at=heard).filter(heard_at__lte=now - silence).order_by("heard_at", "id")


@dataclass(frozen=True, slots=True)
class RecordHolder:
    """A terminal that sells offline, or did: when it was heard last, and when it last said that nothing is unsent."""

    terminal_id: int
    heard_at: datetime | None
    """Last signed contact, or its enrolment when it made none."""
    clear_at: datetime | None
    """Its newest heartbeat, if that said that every record had been uploaded."""
    sells_offline: bool


def record_holders() -> dict[int, RecordHolder]:
    """Every terminal that was ever enrolled, revoked ones too: their journals may still hold sales. One statement."""
    rows = Terminal.objects.filter(epoch__gte=1).values_list(
        "id",
        Coalesce("contact__last_contact_at", "enrolled_at"),
        "contact__heartbeat_at",
        "contact__unsent",
        "may_sell_offline",
    )
    return {
        row_id: RecordHolder(row_id, heard_at, told_at if unsent == 0 else None, sells)
        for row_id, heard_at, told_at, unsent, sells in rows
    }


def journal_gaps() -> list[JournalGap]:
    """Journals with missing records, those at the end included: the heartbeat tells the last one (B4, B7)."""
    told = {
        (terminal_id, journal): seq
        for terminal_id, journal, seq in TerminalContact.objects.filter(journal_seq__gt=0).values_list(
            "terminal_id", "journal", "journal_seq"
        )
    }
    here = UploadedRecord.objects.values_list("terminal_id", "journal").annotate(Count("id"), Max("seq"))
    gaps = []
    for terminal_id, journal, count, last_here in here.order_by("terminal_id", "journal"):
        last = max(last_here, told.pop((terminal_id, journal), 0))
        if last > count:
            gaps.append(JournalGap(terminal_id, journal, last - count, last))
    gaps += [JournalGap(terminal_id, journal, seq, seq) for (terminal_id, journal), seq in told.items()]
    return gaps


@dataclass(frozen=True, slots=True)
class Hole:
    """Numbers that are missing in a journal below one that is here; ``since`` the first of those above came."""

    terminal_id: int
    journal: str
    first_seq: int
    missing: int
    since: datetime


# A record stands at a place below its number if and only if something is missing before it.
_HOLES = """
    WITH holed AS (
        SELECT terminal_id, journal FROM terminals_uploadedrecord
        GROUP BY terminal_id, journal HAVING max(seq) > count(*)
    ), placed AS (
        SELECT terminal_id, journal, seq, received_at,
            row_number() OVER (PARTITION BY terminal_id, journal ORDER BY seq) AS place
        FROM terminals_uploadedrecord JOIN holed USING (terminal_id, journal)
    )
    SELECT terminal_id, journal, min(place), max(seq - place), min(received_at)
    FROM placed WHERE seq > place
    GROUP BY terminal_id, journal HAVING min(received_at) <= %s ORDER BY terminal_id, journal
"""


def holes(*, open_since: datetime) -> list[Hole]:
    """Journals in which a number has been missing since that moment, or for longer (B4). One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLES, [open_since])
        return [Hole(*row) for row in cursor.fetchall()]


def alarmed_holes(*, since: datetime) -> dict[tuple[int, str], int]:
    """How many records are missing in each journal that an alarm was raised for since then, by terminal and journal."""
    told = SecurityEvent.objects.filter(kind=SecurityEventKind.JOURNAL_GAP, at__gte=since).order_by("at")
    rows = told.values_list("terminal_id", "detail__journal", "detail__missing")
    return {(terminal_id, journal): missing for terminal_id, journal, missing in rows if terminal_id}


def odd_uploads(*, since: datetime) -> QuerySet[UploadVerdict]:
    """Uploaded records that were not simply posted, newest first."""
    return (
        UploadVerdict.objects.filter(decided_at__gte=since)
        .exclude(result="posted")
        .select_related("record", "record__terminal")
        .order_by("-decided_at")
    )


def open_uploads() -> QuerySet[UploadVerdict]:
    """Uploaded records that wait for a person, or for what the card will show; newest first.

    ``terminals.services.uploads.release`` and ``dismiss`` end them.
    """
    return (
        UploadVerdict.objects.filter(OPEN_VERDICT, decision=None)
        .select_related("record", "record__terminal")
        .order_by("-decided_at")
    )


def recent_events(*, since: datetime) -> QuerySet[SecurityEvent]:
    """Security events, newest first."""
    return SecurityEvent.objects.filter(at__gte=since).select_related("terminal").order_by("-at")


def unsent_total() -> int:
    """How many offline records the terminals said they still hold."""
    return int(TerminalContact.objects.aggregate(total=Coalesce(Sum("unsent"), 0))["total"])


def _days(heard_at: datetime | None, now: datetime) -> int | None:
    return (now - heard_at).days if heard_at else None
