"""Reading the audit: who did what, found by actor, deed, subject, account, time and door; page by page.

Reads only. A page costs the same at any depth: it starts behind the last row of the page before (keyset).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import Account, AuditEvent, Card, Holder, Operator

PAGE: Final = 50
EXPORT_MAX: Final = 20_000
READS: Final = ("statement.read", "holder.read_id_number", "holder.export", "ledger.export", "audit.export")
"""Deeds that are only a look at what is somebody else's (reliability.md P6)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to show. ``staff_of``: only deeds of operators of this campus; ``actions``: only these deeds."""

    since: datetime | None = None
    until: datetime | None = None
    actor: str = ""
    action: str = ""
    channel: str = ""
    object_kind: str = ""
    object_id: str = ""
    account_id: int | None = None
    staff_only: bool = False
    staff_of: int | None = None
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the audit."""

    at: datetime
    event_id: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """One deed. ``who``: the name of a member of staff, else empty; ``number``: the account that it is about."""

    id: int
    at: datetime
    actor: str
    who: str
    role: str
    channel: str
    place: str
    action: str
    object_kind: str
    object_id: str
    object_name: str
    """Of a member of staff it was done to, else empty."""
    number: int | None
    account_id: int | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first, and where the next page starts."""

    rows: tuple[EventRow, ...]
    after: Cursor | None


def page(wanted: Wanted, *, after: Cursor | None = None, size: int = PAGE) -> Page:
    """One page. Five statements at most, however many rows there are."""
    found = _chosen(wanted)
    if after is not None:
        found = found.filter(Q(at__lt=after.at) | Q(at=after.at, id__lt=after.event_id), at__lte=after.at)
    events = list(found.order_by("-at", "-id")[: size + 1])
    more, events = len(events) > size, events[:size]
    last = events[-1] if more else None
    return Page(tuple(_rows(events)), Cursor(last.at, last.pk) if last else None)


def find(event_id: int, wanted: Wanted) -> EventRow | None:
    """One deed, if it is among what may be shown."""
    found = _chosen(wanted).filter(pk=event_id).first()
    return next(iter(_rows([found]))) if found else None


def export(wanted: Wanted) -> Iterator[EventRow]:
    """Everything wanted, newest first, up to ``EXPORT_MAX`` rows."""
    after, given = None, 0
    while given < EXPORT_MAX:
        part = page(wanted, after=after, size=min(1000, EXPORT_MAX - given))
        yield from part.rows
        given += len(part.rows)
        if part.after is None:
            return
        after = part.after


def account_of(number: int) -> int | None:
    """The id of the newest account with this number."""
    return Account.objects.filter(number=number).order_by("-pk").values_list("pk", flat=True).first()


def number_of(account_id: int) -> int | None:
    """The five digits of an account."""
    return Account.objects.filter(pk=account_id).values_list("number", flat=True).first()


def _chosen(wanted: Wanted) -> QuerySet[AuditEvent]:
    found = AuditEvent.objects.all()
    plain = {
        "at__gte": wanted.since,
        "at__lt": wanted.until,
        "actor": wanted.actor,
        "action": wanted.action,
        "channel": wanted.channel,
        "object_kind": wanted.object_kind,
        "object_id": wanted.object_id,
        "action__in": wanted.actions,
    }
    found = found.filter(**{name: value for name, value in plain.items() if value})
    if wanted.account_id is not None:
        found = found.filter(_about(wanted.account_id))
    if wanted.staff_of is not None:
        ids = Operator.objects.filter(campus_id=wanted.staff_of).values_list("pk", flat=True)
        found = found.filter(actor__in=[f"operator:{each}" for each in ids])
    elif wanted.staff_only:
        found = found.filter(actor__startswith="operator:")
    return found


def _about(account_id: int) -> Q:
    """Deeds about an account, its cards, its holder and its passwords."""
    cards = Card.objects.filter(account_id=account_id).values_list("pk", flat=True)
    uid = Holder.objects.filter(accounts=account_id).values_list("uid", flat=True).first()
    return (
        Q(object_kind="account", object_id=str(account_id))
        | Q(object_kind="card", object_id__in=[str(each) for each in cards])
        | Q(object_kind="holder", object_id=str(uid))
        | Q(object_kind="secret", object_id__in=[f"{account_id}/{kind}" for kind in ("query", "consumption")])
    )


def _rows(events: Iterable[AuditEvent]) -> Iterator[EventRow]:
    events = list(events)
    names = _names(events)
    accounts = _accounts(events)
    for each in events:
        account_id, number = accounts.get((each.object_kind, each.object_id), (None, None))
        yield EventRow(
            id=each.pk,
            at=each.at,
            actor=each.actor,
            who=names.get(each.actor, ""),
            role=each.role,
            channel=each.channel,
            place=each.place,
            action=each.action,
            object_kind=each.object_kind,
            object_id=each.object_id,
            object_name=names.get(f"{each.object_kind}:{each.object_id}", ""),
            number=number,
            account_id=account_id,
            before=each.before,
            after=each.after,
            reason=each.reason,
        )


def _names(events: Iterable[AuditEvent]) -> dict[str, str]:
    """Names of the staff who did something, or to whom it was done."""
    told = {each.actor for each in events} | {f"{each.object_kind}:{each.object_id}" for each in events}
    ids = {name.partition(":")[2] for name in told if name.startswith("operator:")}
    found = Operator.objects.filter(pk__in=[int(each) for each in ids if each.isdigit()])
    return {f"operator:{each.pk}": each.get_full_name() for each in found}


def _accounts(events: Iterable[AuditEvent]) -> dict[tuple[str, str], tuple[int, int]]:
    """(kind, id) of an object → (account id, account number), for objects that belong to one account."""
    by_kind: dict[str, set[str]] = {}
    for each in events:
        by_kind.setdefault(each.object_kind, set()).add(each.object_id)
    found: dict[tuple[str, str], tuple[int, int]] = {}
    direct = {each for each in by_kind.get("account", set()) if each.isdigit()}
    secrets = {each for each in by_kind.get("secret", set()) if each.partition("/")[0].isdigit()}
    wanted = {int(name) for name in direct} | {int(name.partition("/")[0]) for name in secrets}
    numbers = dict(Account.objects.filter(pk__in=wanted).values_list("pk", "number")) if wanted else {}
    for kind, names in (("account", direct), ("secret", secrets)):
        for name in names:
            account_id = int(name.partition("/")[0])
            if account_id in numbers:
                found[kind, name] = (account_id, numbers[account_id])
    cards = {int(name) for name in by_kind.get("card", set()) if name.isdigit()}
    if cards:
        rows = Card.objects.filter(pk__in=cards, account__isnull=False)
        for pk, account_id, number in rows.values_list("pk", "account_id", "account__number"):
            found["card", str(pk)] = (account_id, number)
    holders = {UUID(name) for name in by_kind.get("holder", set()) if len(name) == 36}
    if holders:
        owned = Account.objects.filter(holder__uid__in=holders)
        for uid, account_id, number in owned.values_list("holder__uid", "pk", "number"):
            found["holder", str(uid)] = (account_id, number)
    return found
