"""Who may see a staff page: an operator with password and one-time code, seen within a quarter of an hour.

The same rule guards ``/admin/`` (``counter.site``). Sessions of the staff: 15 minutes idle, 10 hours in all. Whoever
corrects a book shows a one-time code that is at most five minutes old (``fresh_code``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from accounts.actors import Actor, Channel
from accounts.kinds import OperatorRole
from accounts.services import sessions
from accounts.services.operators import Hand, Officer, officer_of
from accounts.wiring import client_address, now
from purse.policy import Policy

IDLE = timedelta(minutes=15)
ABSOLUTE = timedelta(hours=10)
_SINCE, _SEEN, _CODE = "staff_since", "staff_seen", "staff_code"


class StaffRequest(HttpRequest):
    """A request of a member of staff."""

    user: Any
    officer: Officer
    desks: Sequence[Any]
    """The desks of the officer's campus, once somebody asked (``counter.jobs``)."""


StaffView = Callable[..., HttpResponseBase]


def staff_required(
    *roles: OperatorRole, with_given_password: bool = False
) -> Callable[[StaffView], StaffView]:
    """Let operators in who hold one of ``roles``; others are told that they may not.

    Whose password was given by an administrator gets no further than choosing an own one (``with_given_password``).
    """

    def wrap(view: StaffView) -> StaffView:
        @wraps(view)
        @never_cache
        def guarded(request: StaffRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if not is_present(request, now=now()):
                return redirect(f"{reverse('counter:login')}?{urlencode({'next': request.get_full_path()})}")
            request.officer = officer_of(request.user)
            if request.officer.role not in roles:
                raise PermissionDenied
            if request.user.must_change_password and not with_given_password:
                return redirect("counter:own_password")
            return view(request, *args, **kwargs)

        return guarded

    return wrap


def begin(request: HttpRequest, *, now: datetime) -> None:
    """Note when the operator came in; a holder signed in on the same browser is out."""
    request.session.pop("holder", None)
    request.session[_SINCE] = request.session[_SEEN] = request.session[_CODE] = now.isoformat()
    request.session.set_expiry(int(ABSOLUTE.total_seconds()))
    if request.session.session_key is None:
        request.session.save()
    sessions.begin(
        int(request.user.pk or 0),
        str(request.session.session_key),
        place=client_address(request),
        agent=request.headers.get("User-Agent", ""),
        now=now,
    )


def note_code(request: HttpRequest, *, now: datetime) -> None:
    """Note that the one-time code was right just now."""
    request.session[_CODE] = now.isoformat()


def is_present(request: HttpRequest, *, now: datetime) -> bool:
    """Whether a verified operator is here and was seen lately; ends the session when not."""
    user: Any = request.user
    if not (user.is_authenticated and user.is_active and user.is_verified()):
        return False
    since, seen = (request.session.get(name) for name in (_SINCE, _SEEN))
    if since is None or seen is None or _over(since, seen, now):
        logout(request)
        return False
    request.session[_SEEN] = now.isoformat()
    return True


def ends_at(request: HttpRequest) -> datetime:
    """When the session ends without another request."""
    since, seen = (datetime.fromisoformat(request.session[name]) for name in (_SINCE, _SEEN))
    return min(seen + IDLE, since + ABSOLUTE)


def is_extendable(request: HttpRequest) -> bool:
    """Whether another request would make it last longer."""
    since, seen = (datetime.fromisoformat(request.session[name]) for name in (_SINCE, _SEEN))
    return seen + IDLE < since + ABSOLUTE


def has_fresh_code(request: HttpRequest, *, now: datetime, policy: Policy) -> bool:
    """Whether the one-time code still speaks for a correction; half a minute is left for pressing the button."""
    return now - hand_of(request).code_at <= policy.step_up - timedelta(seconds=30)


def hand_of(request: HttpRequest) -> Hand:
    """Who acts, for the services."""
    code_at = datetime.fromisoformat(request.session.get(_CODE) or request.session[_SINCE])
    return Hand(int(request.user.pk or 0), client_address(request), code_at)


def actor_of(request: StaffRequest) -> Actor:
    """The same, as the audit names him."""
    person = request.officer
    return Actor.operator(person.id, role=person.role, channel=Channel.COUNTER, place=client_address(request))


def _over(since: str, seen: str, now: datetime) -> bool:
    return now - datetime.fromisoformat(seen) >= IDLE or now - datetime.fromisoformat(since) >= ABSOLUTE
