"""Reading what takes two people: what waits for whom, one request with its content, what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.kinds import OperatorRole
from accounts.models import Request, RequestNeeds, RequestVerdict
from accounts.services.approvals import Why, may_still_agree, obstacle
from accounts.services.operators import Officer

__all__ = ["RequestNeeds", "RequestRow", "RequestState", "Why", "find", "open_of", "recent", "waiting"]


class RequestState(StrEnum):
    """How far a request is."""

    WAITING = "waiting"
    AGREED = "agreed"
    """Agreed to, not carried out yet."""
    DONE = "done"
    NOT_DONE = "not_done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request as screens show it. Amounts in fen; people by name."""

    id: int
    key: UUID
    kind: str
    account_id: int | None
    account_number: int | None
    operator_id: int | None
    operator: str
    campus_id: int | None
    needs: RequestNeeds
    state: RequestState
    amount_fen: int
    content: Mapping[str, Any]
    digest: bytes
    reason: str
    maker_id: int
    maker: str
    made_at: datetime
    expires_at: datetime
    checker: str
    ruled_at: datetime | None
    ruling_reason: str
    done_at: datetime | None
    done_by: str
    why: str
    stands: bool
    """False once whoever agreed was let out or moved: it is not carried out any more."""
    obstacle: Why | None = None
    """Why whoever looks may not rule on it; None if he may (once it waits)."""

    @property
    def open(self) -> bool:
        """Whether somebody still has to do something."""
        return self.state in {RequestState.WAITING, RequestState.AGREED}


def find(request_id: int, *, viewer: Officer, now: datetime) -> RequestRow | None:
    """One request, or None for one that this person may not see."""
    found = _seen_by(viewer).filter(pk=request_id).first()
    return _row(found, viewer, now) if found else None


def waiting(viewer: Officer, *, now: datetime) -> tuple[RequestRow, ...]:
    """What waits for a second person or to be carried out, as far as this person may see it, oldest first."""
    return tuple(_row(each, viewer, now) for each in _unfinished(_seen_by(viewer), now).order_by("id"))


def waiting_count(viewer: Officer, *, now: datetime) -> int:
    """How many of those this person may rule on, or made and may carry out. One statement."""
    found = _unfinished(_seen_by(viewer), now)
    if viewer.role not in (OperatorRole.SUPERVISOR, OperatorRole.ADMIN):
        return found.filter(maker_id=viewer.id, ruling__isnull=False).count()
    chief = Q() if viewer.campus_id is None else ~Q(needs=RequestNeeds.CHIEF)
    to_rule = (
        Q(ruling__isnull=True) & ~_of_oneself("maker", viewer) & ~_of_oneself("operator", viewer) & chief
    )
    return found.filter(to_rule | Q(maker_id=viewer.id, ruling__isnull=False)).count()


def _of_oneself(role: str, viewer: Officer) -> Q:
    """Whether that member of staff is the viewer himself, under whatever name he signs in."""
    same = Q(**{f"{role}_id": viewer.id})
    return same if viewer.holder_id is None else same | Q(**{f"{role}__holder_id": viewer.holder_id})


def recent(viewer: Officer, *, now: datetime, newest: int = 20) -> tuple[RequestRow, ...]:
    """What is finished, newest first."""
    over = _seen_by(viewer).exclude(pk__in=_unfinished(_seen_by(viewer), now).values("pk"))
    return tuple(_row(each, viewer, now) for each in over.order_by("-id")[:newest])


def open_of(account_id: int, kind: str, *, viewer: Officer, now: datetime) -> tuple[RequestRow, ...]:
    """What of this kind waits or is agreed to about an account, oldest first: for the page of the deed."""
    mine = _unfinished(_all().filter(account_id=account_id, kind=kind), now).order_by("id")
    return tuple(_row(each, viewer, now) for each in mine)


def about(operator_id: int, *, viewer: Officer, now: datetime, newest: int = 10) -> tuple[RequestRow, ...]:
    """What was asked for about a member of staff, newest first."""
    found = _seen_by(viewer).filter(operator_id=operator_id).order_by("-id")[:newest]
    return tuple(_row(each, viewer, now) for each in found)


def _all() -> QuerySet[Request]:
    people = ("account", "operator", "maker", "ruling__checker__campus", "result__by")
    return Request.objects.select_related(*people)


def _unfinished(found: QuerySet[Request], now: datetime) -> QuerySet[Request]:
    alive = found.filter(result__isnull=True, expires_at__gt=now)
    return alive.exclude(ruling__verdict__in=(RequestVerdict.REFUSED, RequestVerdict.WITHDRAWN))


def _seen_by(viewer: Officer) -> QuerySet[Request]:
    """Auditors see everything, administrators what is theirs, the desk what its campus asks for, a cashier the own."""
    found, admins = _all(), Q(needs=RequestNeeds.ADMIN)
    if viewer.role is OperatorRole.AUDITOR:
        return found
    mine = Q(maker_id=viewer.id)
    if viewer.role is OperatorRole.ADMIN:
        return found.filter(admins | mine)
    if viewer.role not in (OperatorRole.CLERK, OperatorRole.SUPERVISOR):
        return found.filter(mine)
    here = Q() if viewer.campus_id is None else Q(campus_id=viewer.campus_id)
    return found.filter(mine | (here & ~admins))


def _row(found: Request, viewer: Officer, now: datetime) -> RequestRow:
    ruling, result = getattr(found, "ruling", None), getattr(found, "result", None)
    return RequestRow(
        id=found.pk,
        key=found.key,
        kind=found.kind,
        account_id=found.account_id,
        account_number=found.account.number if found.account else None,
        operator_id=found.operator_id,
        operator=found.operator.get_full_name() if found.operator else "",
        campus_id=found.campus_id,
        needs=RequestNeeds(found.needs),
        state=_state(found, ruling.verdict if ruling else None, result.done if result else None, now),
        amount_fen=found.amount_fen,
        content=found.content,
        digest=bytes(found.content_hash),
        reason=found.reason,
        maker_id=found.maker_id,
        maker=found.maker.get_full_name(),
        made_at=found.made_at,
        expires_at=found.expires_at,
        checker=ruling.checker.get_full_name() if ruling else "",
        ruled_at=ruling.ruled_at if ruling else None,
        ruling_reason=ruling.reason if ruling else "",
        done_at=result.at if result else None,
        done_by=result.by.get_full_name() if result else "",
        why=result.why if result else "",
        stands=ruling is None or may_still_agree(found, ruling.checker),
        obstacle=obstacle(found, viewer),
    )


def _state(found: Request, verdict: str | None, done: bool | None, now: datetime) -> RequestState:
    if done is not None:
        return RequestState.DONE if done else RequestState.NOT_DONE
    if verdict in (RequestVerdict.REFUSED, RequestVerdict.WITHDRAWN):
        return RequestState(str(verdict))
    if now >= found.expires_at:
        return RequestState.EXPIRED
    return RequestState.WAITING if verdict is None else RequestState.AGREED
