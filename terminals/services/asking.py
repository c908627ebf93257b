"""Answering other systems: is this question new and within bounds, and may whoever bears this card in?

Three statements for a yes, four for a no. Their commits do not wait for the disk: nobody's money depends on them, and a
number that is forgotten in a crash is refused by its time two minutes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection

from accounts.checks.identifiers import AccountNumber, SchoolNumber
from accounts.models import Service
from accounts.rights import Bearer, Denial, Door, bearer_of_card, bearer_of_number
from terminals.messages.signing import PartnerStamp
from terminals.models import DoorRefusal, Partner
from transactions.days import SHANGHAI, local_day

MINUTE: Final = timedelta(minutes=1)
NONCES_KEPT: Final = timedelta(minutes=10)
"""Longer than a question may be old or early (twice two minutes)."""
OFFLINE: Final = timedelta(days=7)
"""How long a door without the network may repeat a yes by itself."""
REFUSALS_KEPT: Final = timedelta(days=7)

_RELAXED = "quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))"
_ADMIT = f"""
    WITH {_RELAXED}, swept AS (
        DELETE FROM terminals_partnernonce WHERE id IN (
            SELECT id FROM terminals_partnernonce WHERE partner_id = %(partner)s AND at < %(gone)s
            ORDER BY at LIMIT 4 FOR UPDATE SKIP LOCKED
        )
    ), fresh AS (
        INSERT INTO terminals_partnernonce (partner_id, nonce, at) VALUES (%(partner)s, %(nonce)s, %(now)s)
        ON CONFLICT (partner_id, nonce) DO NOTHING RETURNING partner_id
    ), used AS (
        UPDATE terminals_partnercontact SET used_at = %(now)s, used_epoch = greatest(used_epoch, %(epoch)s),
            in_minute = CASE WHEN minute_at > %(minute)s THEN in_minute + 1 ELSE 1 END,
            minute_at = CASE WHEN minute_at > %(minute)s THEN minute_at ELSE %(now)s END
        WHERE partner_id IN (SELECT partner_id FROM fresh) RETURNING in_minute
    ), counted AS (
        INSERT INTO terminals_partnerday AS d (partner_id, "on", asked)
        SELECT partner_id, %(today)s, 1 FROM fresh
        ON CONFLICT (partner_id, "on") DO UPDATE SET asked = d.asked + 1
    )
    SELECT (SELECT in_minute FROM used), (SELECT count(*) FROM quick)
"""  # noqa: S608 - fixed
_REJECT = f"""
    WITH {_RELAXED}, counted AS (
        INSERT INTO terminals_partnerday AS d (partner_id, "on", rejected) VALUES (%(partner)s, %(today)s, 1)
        ON CONFLICT (partner_id, "on") DO UPDATE SET rejected = d.rejected + 1
    )
    SELECT count(*) FROM quick
"""  # noqa: S608 - fixed
# Whoever holds the card to the reader again and again leaves one row a minute.
_REFUSE = f"""
    WITH {_RELAXED}, counted AS (
        UPDATE terminals_partnerday SET refused = refused + 1, unknown = unknown + %(unknown)s
        WHERE partner_id = %(partner)s AND "on" = %(today)s
    ), told AS (
        INSERT INTO terminals_doorrefusal (partner_id, account_id, service, denial, at)
        SELECT %(partner)s, %(account)s::bigint, %(service)s, %(denial)s, %(now)s
        WHERE %(account)s::bigint IS NOT NULL AND NOT EXISTS (
            SELECT FROM terminals_doorrefusal WHERE account_id = %(account)s::bigint AND at > %(minute)s
                AND partner_id = %(partner)s AND service = %(service)s AND denial = %(denial)s
        )
    )
    SELECT count(*) FROM quick
"""  # noqa: S608 - fixed


@dataclass(frozen=True, slots=True)
class Key:
    """What another system may ask, as it stands at this moment."""

    id: int
    services: frozenset[str]
    campuses: Mapping[str, int]
    tells_name: bool
    tells_school_no: bool
    by_number: bool
    addresses: tuple[str, ...]
    per_minute: int
    expires_on: date
    epoch: int
    kept_epoch: int
    kept_until: datetime | None
    revoked_at: datetime | None

    def takes(self, epoch: int, *, now: datetime) -> bool:
        """Whether a question may be signed with this key: the present one, or the kept one while it is kept."""
        kept = self.kept_until is not None and epoch == self.kept_epoch and now < self.kept_until
        return epoch == self.epoch or kept


@dataclass(frozen=True, slots=True)
class Question:
    """Who is to be looked up, where. ``who``: a UID in hex, or one of the two numbers.

    ``proven_account``: what the card's identity block proved (0: it is not ours); None where no block was read.
    """

    service: Service
    campus_id: int
    who: str | AccountNumber | SchoolNumber
    proven_account: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of it. ``offline_until_at``: None for a no, and for who was looked up by a number."""

    denial: Denial | None
    bearer: Bearer | None
    offline_until_at: datetime | None


def find_key(partner: int) -> Key | None:
    """The key as it stands now, so that a revocation holds from the next question on. One statement."""
    rights = ("services", "tells_name", "tells_school_no", "by_number")
    bounds = ("addresses", "per_minute", "expires_on", "epoch", "kept_epoch", "kept_until", "revoked_at")
    found = (
        Partner.objects.filter(id=partner)
        .annotate(
            codes=ArrayAgg("campuses__code", order_by="campuses__id"),
            places=ArrayAgg("campuses__id", order_by="campuses__id"),
        )
        .values(*rights, *bounds, "codes", "places")
        .first()
    )
    if found is None:
        return None
    campuses = dict(zip(found.pop("codes"), found.pop("places"), strict=True))
    services, addresses = frozenset(found.pop("services")), tuple(found.pop("addresses"))
    return Key(id=partner, services=services, campuses=campuses, addresses=addresses, **found)


def admit(key: Key, stamp: PartnerStamp, *, now: datetime) -> int | None:
    """Hear a question once: how many came in this minute, this one included. None if it was heard before.

    One statement.
    """
    params: dict[str, Any] = {
        "partner": key.id,
        "nonce": stamp.nonce,
        "epoch": stamp.epoch,
        "now": now,
        "minute": now - MINUTE,
        "gone": now - NONCES_KEPT,
        "today": local_day(now),
    }
    with connection.cursor() as cursor:
        cursor.execute(_ADMIT, params)
        row = cursor.fetchone()
    return row[0] if row else None


def note_rejected(partner: int, *, now: datetime) -> None:
    """Count a call that was not let in. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_REJECT, {"partner": partner, "today": local_day(now)})


def look(key: Key, question: Question, *, now: datetime) -> Finding:
    """Look somebody up and say yes or no. A yes leaves no trace of whom it was about; a no one for a week."""
    today = local_day(now)
    door = Door(question.service, question.campus_id, today, question.proven_account)
    if isinstance(question.who, str):
        bearer = bearer_of_card(question.who, door)
    else:
        bearer = bearer_of_number(question.who, door)
    denial = Denial.UNKNOWN if bearer is None else bearer.denial
    if denial is not None:
        _note_refused(key, question, denial, bearer, now=now)
        return Finding(denial, bearer, None)
    if bearer is None or not isinstance(question.who, str):
        return Finding(None, bearer, None)
    return Finding(None, bearer, _offline_until(bearer.good_until_on, now=now))


def forget_refusals(*, now: datetime) -> int:
    """Forget who was refused more than seven days ago, and numbers that no question swept; how many refusals went."""
    gone, _ = DoorRefusal.objects.filter(at__lt=now - REFUSALS_KEPT).delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM terminals_partnernonce WHERE at < %s", [now - NONCES_KEPT])
    return gone


def _offline_until(good_until_on: date | None, *, now: datetime) -> datetime:
    """Seven days, but not beyond the last day of card and grant."""
    most = now + OFFLINE
    if good_until_on is None:
        return most
    return min(most, datetime.combine(good_until_on + timedelta(days=1), time(), SHANGHAI))


def _note_refused(
    key: Key, question: Question, denial: Denial, bearer: Bearer | None, *, now: datetime
) -> None:
    params = {
        "partner": key.id,
        "account": bearer.account_id if bearer else None,
        "service": question.service.value,
        "denial": denial.value,
        "unknown": int(bearer is None),
        "now": now,
        "minute": now - MINUTE,
        "today": local_day(now),
    }
    with connection.cursor() as cursor:
        cursor.execute(_REFUSE, params)
