"""Sending what is due, at least once: an attempt is counted and committed, then made, then its end is noted.

A run that dies in between leaves a letter that is tried again after its pause; the letter keeps its ``uid``, by which a
mail system knows it again. What is due for one address goes in one letter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from django.db import transaction

from accounts.alerts import CODE_HOLDS, URGENT, Choice, address_of, after_the_night, group_of, read_choice
from accounts.keys import Secrets
from accounts.models import (
    AccountLife,
    AlertChoice,
    AlertContact,
    AlertDelivery,
    AlertWay,
    DeliveryState,
    NoticeKind,
)
from accounts.notices import NoticeRow, notice_row
from accounts.services.alertcontacts import code_of
from accounts.services.alertqueue import wants

PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (2, 10, 30, 120, 480))
"""After each attempt that failed; the sixth is the last one, eleven hours after the first."""
ATTEMPTS: Final = len(PAUSES) + 1
IN_ONE_LETTER: Final = 20
A_RUN: Final = 2000
"""Letters of one way in one run; the rest is for the next minute."""


class Unreachable(Exception):
    """The mail server or gateway does not answer at all. Nothing more is tried in this run."""


class Refused(Exception):
    """This letter will never be taken, as for an address that does not exist. ``str``: kind of failure, no address."""


class NotNow(Exception):
    """It did not work this time. ``str`` as above."""


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """What goes to one address. ``code`` for an address to be confirmed; else one or more ``notices``."""

    uid: UUID
    contact_uid: UUID
    way: AlertWay
    address: str
    account_no: int
    language: str
    amounts: bool
    notices: tuple[NoticeRow, ...] = ()
    code: str = ""

    def __repr__(self) -> str:
        return f"Letter({self.uid})"


Carry = Callable[[Letter], None]
"""Hands a letter over. Raises ``Unreachable``, ``Refused`` or ``NotNow``."""


class Carrier(Protocol):
    """A way out of the house: a mail server, an SMS gateway."""

    def open(self) -> AbstractContextManager[Carry]:
        """Reach the other side. Raises ``Unreachable``."""
        ...


@dataclass(slots=True)
class Tally:
    """What a run did with letters, and which ways were not open."""

    letters: Counter[DeliveryState] = field(default_factory=Counter)
    unreachable: list[AlertWay] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A letter whose attempt is counted, and the rows it stands for. None: only rows were put aside."""

    letter: Letter | None = None
    rows: tuple[AlertDelivery, ...] = ()


def send_due(
    carriers: Mapping[AlertWay, Carrier],
    *,
    clock: Callable[[], datetime],
    secrets: Secrets,
    most: int = A_RUN,
) -> Tally:
    """Send every letter that is due, way by way. Not to be called inside a transaction."""
    tally = Tally()
    for way, carrier in carriers.items():
        if _next(way, now=clock()) is None:
            continue
        try:
            with carrier.open() as carry:
                for _ in range(most):
                    contact_id = _next(way, now=clock())
                    if contact_id is None:
                        break
                    _send(_take(contact_id, now=clock(), secrets=secrets), carry, tally, clock)
        except Unreachable:
            tally.unreachable.append(way)
    return tally


def _next(way: AlertWay, *, now: datetime) -> int | None:
    """The contact whose letter is due longest."""
    due = AlertDelivery.objects.filter(state=DeliveryState.WAITING, due_at__lte=now, contact__way=way)
    return due.order_by("due_at", "id").values_list("contact_id", flat=True).first()


def _send(taken: _Taken, carry: Carry, tally: Tally, clock: Callable[[], datetime]) -> None:
    if taken.letter is None:
        return
    try:
        carry(taken.letter)
    except Unreachable as problem:
        _end(taken.rows, DeliveryState.WAITING, tally, now=clock(), error=_kind(problem))
        raise
    except NotNow as problem:
        last = [row for row in taken.rows if row.attempts >= ATTEMPTS]
        again = [row for row in taken.rows if row.attempts < ATTEMPTS]
        _end(last, DeliveryState.FAILED, tally, now=clock(), error=_kind(problem))
        _end(again, DeliveryState.WAITING, tally, now=clock(), error=_kind(problem))
    except Refused as problem:
        _end(taken.rows, DeliveryState.FAILED, tally, now=clock(), error=_kind(problem))
    else:
        _end(taken.rows, DeliveryState.SENT, tally, now=clock())


@transaction.atomic(durable=True)
def _take(contact_id: int, *, now: datetime, secrets: Secrets) -> _Taken:
    """Count an attempt of what is due for a contact; what nobody wants any more, or has to wait, is put aside."""
    contact = (
        AlertContact.objects.select_for_update(of=("self",)).select_related("account").get(pk=contact_id)
    )
    due = AlertDelivery.objects.filter(contact=contact, state=DeliveryState.WAITING, due_at__lte=now)
    rows = list(due.select_for_update(of=("self",)).select_related("notice").order_by("id")[:IN_ONE_LETTER])
    choice = AlertChoice.objects.filter(pk=contact.account_id).first()
    asleep = choice is not None and choice.quiet and after_the_night(now) != now
    codes = [row for row in rows if row.notice_id is None]
    if codes:
        wanted = [row for row in codes if _is_open(contact, row, now)]
        _put_aside([row for row in codes if row not in wanted], now=now)
    else:
        wanted = [row for row in rows if _wanted(choice, contact, row)]
        _put_aside([row for row in rows if row not in wanted], now=now)
        if asleep:
            waits = [row for row in wanted if not _is_urgent(row)]
            due.filter(pk__in=[row.pk for row in waits]).update(due_at=after_the_night(now))
            wanted = [row for row in wanted if _is_urgent(row)]
    spent = [row for row in wanted if row.attempts >= ATTEMPTS]
    due.filter(pk__in=[row.pk for row in spent]).update(state=DeliveryState.FAILED, ended_at=now)
    tried = [row for row in wanted if row.attempts < ATTEMPTS]
    for row in tried:
        row.due_at = now + PAUSES[min(row.attempts, len(PAUSES) - 1)]
        row.attempts += 1
    AlertDelivery.objects.bulk_update(tried, ["attempts", "due_at"])
    if not tried:
        return _Taken()
    asked = read_choice(choice) if choice is not None else Choice()
    return _Taken(_letter(contact, tried, asked, secrets), tuple(tried))


def _letter(contact: AlertContact, rows: list[AlertDelivery], choice: Choice, secrets: Secrets) -> Letter:
    code = rows[0].notice_id is None
    return Letter(
        uid=rows[0].uid,
        contact_uid=contact.uid,
        way=AlertWay(contact.way),
        address=address_of(contact, "pending" if code else "sealed", secrets),
        account_no=contact.account.number,
        language=choice.language,
        amounts=choice.amounts,
        notices=tuple(notice_row(row.notice) for row in rows if row.notice is not None),
        code=code_of(contact, secrets) if code else "",
    )


def _is_open(contact: AlertContact, row: AlertDelivery, now: datetime) -> bool:
    """Whether this is the code that was asked for last, and it can still be used."""
    return contact.asked_at == row.made_at and now - row.made_at < CODE_HOLDS


def _wanted(choice: AlertChoice | None, contact: AlertContact, row: AlertDelivery) -> bool:
    gone = contact.sealed is None or contact.account.life == AccountLife.CLOSED
    return not gone and row.notice is not None and wants(choice, contact.way, NoticeKind(row.notice.kind))


def _is_urgent(row: AlertDelivery) -> bool:
    return row.notice is not None and group_of(NoticeKind(row.notice.kind)) in URGENT


def _put_aside(rows: Iterable[AlertDelivery], *, now: datetime) -> None:
    ids = [row.pk for row in rows]
    if ids:
        AlertDelivery.objects.filter(pk__in=ids).update(state=DeliveryState.DROPPED, ended_at=now)


def _end(
    rows: Iterable[AlertDelivery], state: DeliveryState, tally: Tally, *, now: datetime, error: str = ""
) -> None:
    """Note how an attempt ended. ``WAITING``: it comes again after its pause."""
    ids = [row.pk for row in rows]
    if not ids:
        return
    ended_at = None if state is DeliveryState.WAITING else now
    ended = AlertDelivery.objects.filter(pk__in=ids, state=DeliveryState.WAITING)
    tally.letters[state] += ended.update(state=state, ended_at=ended_at, error=error)


def _kind(problem: Exception) -> str:
    return (str(problem) or type(problem).__name__)[:200]
