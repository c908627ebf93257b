"""Guesses are counted before they are compared, so that no burst of parallel tries gets more than the budget.

One statement adds the guess or refuses it, and is committed before any hash is computed; a right guess takes
the count of its own channel group away. Numbers that nobody has are counted in the same way, by a keyed
digest (security.md section 4).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Max

from accounts.actors import Actor, AtCounter, Channel
from accounts.models import Attempt, Budget, LoginRecord
from accounts.services import audit

SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Allowance:
    """Failures since the last success: pauses at some counts, and the count that closes the door.

    A pause of ``None`` lasts for the rest of the day in Shanghai.
    """

    pauses: tuple[tuple[int, timedelta | None], ...]
    closed_at: int

    def pause_ends(self, now: datetime) -> tuple[list[int], list[datetime]]:
        """The counts with a pause, and when a pause that starts now would end."""
        tomorrow = now.astimezone(SHANGHAI).date() + timedelta(days=1)
        midnight = datetime.combine(tomorrow, time(), SHANGHAI)
        ends = [midnight if pause is None else now + pause for _, pause in self.pauses]
        return [count for count, _ in self.pauses], ends

    def left(self, failures: int) -> int:
        """How many more guesses are allowed before the next pause or the end."""
        return (
            min(
                count for count in (*(count for count, _ in self.pauses), self.closed_at) if count >= failures
            )
            - failures
        )


_QUARTER, _HOUR, _DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
ALLOWANCES = {
    Budget.REMOTE: Allowance(((5, _QUARTER), (10, _HOUR), (15, _DAY), (20, _DAY), (25, _DAY)), 30),
    Budget.PHYSICAL: Allowance(((5, _QUARTER),), 10),
    Budget.CONSUMPTION: Allowance(((3, None),), 6),
}


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``limit`` failures of one source within ``span``, then nothing for ``pause``."""

    limit: int
    span: timedelta
    pause: timedelta


_WEB = Window(60, _HOUR, _HOUR)
_KIOSK = Window(60, _HOUR, timedelta(minutes=5))
_CALLER = Window(10, _DAY, _DAY)
_CALL = Window(3, _DAY, _DAY)
_CHANGES = Window(10, _DAY, _DAY)
POS_ALARM = 10
"""Failures within an hour at one till that raise an alarm; a till is never blocked for it."""
GLOBAL_ALARM_FAILURES = 500
GLOBAL_ALARM_SUBJECTS = 200
CHALLENGE_SUBJECTS = 10
CHALLENGE_SPAN = timedelta(minutes=10)
CHALLENGE_WAIT = timedelta(seconds=5)
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Source:
    """Where guesses come from, with the windows that it is held to."""

    channel: Channel
    name: str
    windows: tuple[tuple[str, Window], ...] = ()

    @classmethod
    def web(cls, address: str) -> Source:
        """A network address as the trusted proxy saw it; an IPv6 network of /64 counts as one."""
        ip = ipaddress.ip_address(address)
        if isinstance(ip, ipaddress.IPv6Address):
            ip = ip.ipv4_mapped or ipaddress.ip_network(f"{ip}/64", strict=False).network_address
        name = f"web:{ip}"
        return cls(Channel.WEB, name, ((name, _WEB),))

    @classmethod
    def phone(cls, caller: str, *, call: str) -> Source:
        """A telephone number and the identity of this one call."""
        name = f"phone:{caller}"
        return cls(Channel.PHONE, name, ((name, _CALLER), (f"call:{call}", _CALL)))

    @classmethod
    def kiosk(cls, terminal_id: int, *, loads: bool) -> Source:
        """A touch-screen kiosk; ``loads`` for one that has a card reader and loads money."""
        name = f"kiosk:{terminal_id}"
        return cls(Channel.LOAD_KIOSK if loads else Channel.QUERY_KIOSK, name, ((name, _KIOSK),))

    @classmethod
    def pos(cls, terminal_id: int) -> Source:
        """A till."""
        return cls(Channel.POS, f"pos:{terminal_id}")


@dataclass(frozen=True, slots=True)
class Guess:
    """One password about to be compared.

    ``subject`` comes from ``account_subject`` or ``unknown_subject``.
    """

    subject: str
    account_id: int | None
    budget: Budget
    source: Source


@dataclass(frozen=True, slots=True)
class Ticket:
    """The answer to a reservation: may this guess be compared, and how many are left after it."""

    granted: bool
    left: int = 0
    source_blocked: bool = False


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What a remote door must ask before it takes another guess from here."""

    challenge: bool = False
    wait_until: datetime | None = None


def account_subject(account_id: int) -> str:
    """The name of an account in the counters."""
    return f"account:{account_id}"


@transaction.atomic(durable=True)
def reserve(guess: Guess, *, now: datetime) -> Ticket:
    """Count this guess, or refuse it. Committed when this returns; only a granted guess may be compared.

    Rows are always taken in the same order (source, call, account), so reservations never deadlock.
    """
    for name, window in guess.source.windows:
        if not _reserve_in_window(name, window, now=now):
            return Ticket(granted=False, source_blocked=True)
    allowance = ALLOWANCES[guess.budget]
    failures = _reserve(guess.subject, guess.budget, allowance, below=allowance.closed_at, now=now)
    if failures is None:
        return Ticket(granted=False)
    return Ticket(granted=True, left=allowance.left(failures))


@transaction.atomic(durable=True)
def reserve_spare(account_id: int, budget: Budget, *, now: datetime) -> bool:
    """Count a comparison with the *other* password, unless it would be the one that brings a pause.

    Whoever may set one password could otherwise try out the other one for free, as "equal to the other".
    """
    allowance = ALLOWANCES[budget]
    below = allowance.pauses[0][0] - 1
    return _reserve(account_subject(account_id), budget, allowance, below=below, now=now) is not None


@transaction.atomic(durable=True)
def reserve_change(account_id: int, *, now: datetime) -> bool:
    """Count a try to set a new password:

    ten a day, or the reasons of refusals would tell the initial password.
    """
    return _reserve_in_window(f"change:{account_id}", _CHANGES, now=now)


def release_change(account_id: int) -> None:
    """Take back the count of a change that was done."""
    _give_back(f"change:{account_id}")


@transaction.atomic(durable=True)
def succeeded(guess: Guess, *, actor: Actor, now: datetime) -> None:
    """Note a right password: its own channel group starts anew, and the source gets this guess back.

    At a load kiosk, where a card must be present too, it also reopens the remote door if that was closed for
    good.
    """
    _forget(guess.subject, guess.budget, above=1, actor=actor, now=now)
    if guess.source.channel is Channel.LOAD_KIOSK:
        closed = ALLOWANCES[Budget.REMOTE].closed_at
        if Attempt.objects.filter(subject=guess.subject, budget=Budget.REMOTE, failures__gte=closed).exists():
            _forget(guess.subject, Budget.REMOTE, above=0, actor=actor, now=now)
    for name, _ in guess.source.windows:
        _give_back(name)
    _note(guess, succeeded=True, now=now)


@transaction.atomic(durable=True)
def failed(guess: Guess, *, now: datetime) -> None:
    """Note a wrong or refused guess, and raise the alarms that it makes due."""
    _note(guess, succeeded=False, now=now)
    _raise_alarms(guess, now=now)


@transaction.atomic
def reset(account_id: int, budgets: frozenset[Budget], *, door: AtCounter, now: datetime) -> None:
    """Open what was closed by wrong guesses, at the counter after seeing a document."""
    for budget in sorted(budgets):
        _forget(account_subject(account_id), budget, above=0, actor=door.actor, now=now)


@transaction.atomic
def forget_old(*, now: datetime) -> int:
    """Delete sign-in records older than 90 days and counters of sources and unknown numbers that are as old."""
    oldest = now - KEPT
    deleted, _ = LoginRecord.objects.filter(at__lt=oldest).delete()
    Attempt.objects.filter(last_at__lt=oldest).exclude(subject__startswith="account:").delete()
    return deleted


def suspicion(source: Source, *, now: datetime) -> Suspicion:
    """Say whether a remote source, or the remote channels as a whole, look like somebody trying many accounts."""
    if source.channel not in {Channel.WEB, Channel.PHONE}:
        return Suspicion()
    recent = LoginRecord.objects.filter(source=source.name, succeeded=False, at__gt=now - CHALLENGE_SPAN)
    if recent.values("subject").distinct().count() >= CHALLENGE_SUBJECTS:
        last_at = recent.aggregate(last=Max("at"))["last"]
        return Suspicion(challenge=True, wait_until=last_at + CHALLENGE_WAIT)
    return Suspicion(challenge=_under_attack(now))


def _reserve(subject: str, budget: Budget, allowance: Allowance, *, below: int, now: datetime) -> int | None:
    """Add one failure if fewer than ``below`` stand and no pause runs; the new count, or None if refused."""
    counts, ends = allowance.pause_ends(now)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_attempt AS a (subject, budget, failures, since_at, last_at)
            VALUES (%(subject)s, %(budget)s, 1, %(now)s, %(now)s)
            ON CONFLICT (subject, budget) DO UPDATE SET
                failures = a.failures + 1,
                last_at = excluded.last_at,
                blocked_until = (%(ends)s::timestamptz[])[array_position(%(counts)s::int[], a.failures + 1)]
            WHERE a.failures < %(below)s AND (a.blocked_until IS NULL OR a.blocked_until <= excluded.last_at)
            RETURNING failures
            """,
            {
                "subject": subject,
                "budget": budget.value,
                "now": now,
                "counts": counts,
                "ends": ends,
                "below": below,
            },
        )
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def _reserve_in_window(name: str, window: Window, *, now: datetime) -> bool:
    """Add one failure of a source, starting a new window when the old one or its pause is over."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_attempt AS a (subject, budget, failures, since_at, last_at)
            VALUES (%(name)s, 'source', 1, %(now)s, %(now)s)
            ON CONFLICT (subject, budget) DO UPDATE SET
                failures = CASE WHEN a.since_at <= %(start)s OR a.blocked_until <= %(now)s
                    THEN 1 ELSE a.failures + 1 END,
                since_at = CASE WHEN a.since_at <= %(start)s OR a.blocked_until <= %(now)s
                    THEN excluded.since_at ELSE a.since_at END,
                last_at = excluded.last_at,
                blocked_until = CASE WHEN a.failures + 1 >= %(limit)s AND a.since_at > %(start)s
                    AND a.blocked_until IS NULL THEN %(until)s::timestamptz END
            WHERE a.blocked_until IS NULL OR a.blocked_until <= %(now)s
            RETURNING failures
            """,
            {
                "name": name,
                "now": now,
                "start": now - window.span,
                "limit": window.limit,
                "until": now + window.pause,
            },
        )
        return cursor.fetchone() is not None


def take_turn(name: str, window: Window, *, now: datetime) -> bool:
    """Count one use of something that everybody may do, but not endlessly: False when this source had its share."""
    with transaction.atomic():
        return _reserve_in_window(name, window, now=now)


def _give_back(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE accounts_attempt SET failures = greatest(failures - 1, 0), blocked_until = NULL
            WHERE subject = %s AND budget = 'source'
            """,
            [name],
        )


def _forget(subject: str, budget: Budget, *, above: int, actor: Actor, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM accounts_attempt WHERE subject = %s AND budget = %s RETURNING failures",
            [subject, budget.value],
        )
        row = cursor.fetchone()
    if row is not None and row[0] > above:
        deed = audit.Deed("attempts.reset", "attempts", f"{subject}/{budget}", before={"failures": row[0]})
        audit.record(deed, actor=actor, now=now)


def _note(guess: Guess, *, succeeded: bool, now: datetime) -> None:
    LoginRecord.objects.create(
        at=now,
        subject=guess.subject,
        account_id=guess.account_id,
        budget=guess.budget,
        channel=guess.source.channel,
        source=guess.source.name,
        succeeded=succeeded,
    )


def _raise_alarms(guess: Guess, *, now: datetime) -> None:
    """Say it once an hour: many failures at one kiosk or till, or over all remote doors."""
    alarm_at = {Channel.POS: POS_ALARM, Channel.QUERY_KIOSK: _KIOSK.limit, Channel.LOAD_KIOSK: _KIOSK.limit}
    limit = alarm_at.get(guess.source.channel)
    if limit is None:
        if _under_attack(now):
            _alarm("remote", now=now)
        return
    failures = LoginRecord.objects.filter(source=guess.source.name, succeeded=False, at__gt=now - _HOUR)
    if len(failures.values_list("id")[:limit]) >= limit:
        _alarm(guess.source.name, now=now)


def _under_attack(now: datetime) -> bool:
    failures = LoginRecord.objects.filter(succeeded=False, budget=Budget.REMOTE, at__gt=now - _HOUR)
    subjects = list(failures.values_list("subject", flat=True)[: GLOBAL_ALARM_FAILURES + 1])
    return len(subjects) > GLOBAL_ALARM_FAILURES or len(set(subjects)) > GLOBAL_ALARM_SUBJECTS


def _alarm(name: str, *, now: datetime) -> None:
    """Write one audit row, at most once an hour for all processes together."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_attempt AS a (subject, budget, failures, since_at, last_at, blocked_until)
            VALUES (%(latch)s, 'source', 1, %(now)s, %(now)s, %(until)s)
            ON CONFLICT (subject, budget) DO UPDATE SET
                failures = a.failures + 1, last_at = excluded.last_at, blocked_until = excluded.blocked_until
            WHERE a.blocked_until <= excluded.last_at
            RETURNING failures
            """,
            {"latch": f"alarm:{name}", "now": now, "until": now + _HOUR},
        )
        first = cursor.fetchone() is not None
    if first:
        audit.record(audit.Deed("alarm.guessing", "source", name), actor=Actor.system("throttle"), now=now)
