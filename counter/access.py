"""Who may see a staff page: an operator with password and one-time code, seen within a quarter of an hour.

The same rule guards ``/admin/`` (``counter.site``). Sessions of the staff: 15 minutes idle, 10 hours in all.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from urllib.parse import urlencode

from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from accounts.models import Operator, OperatorRole
from accounts.wiring import now

IDLE = timedelta(minutes=15)
ABSOLUTE = timedelta(hours=10)
_SINCE, _SEEN = "staff_since", "staff_seen"


class StaffRequest(HttpRequest):
    """A request of a member of staff."""

    user: Operator


StaffView = Callable[..., HttpResponseBase]


def staff_required(*roles: OperatorRole) -> Callable[[StaffView], StaffView]:
    """Let operators in who hold one of ``roles``; others are told that they may not."""

    def wrap(view: StaffView) -> StaffView:
        @wraps(view)
        @never_cache
        def guarded(request: StaffRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if not is_present(request, now=now()):
                return redirect(f"{reverse('counter:login')}?{urlencode({'next': request.path})}")
            if request.user.role not in roles:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return wrap


def begin(request: HttpRequest, *, now: datetime) -> None:
    """Note when the operator came in; a holder signed in on the same browser is out."""
    request.session.pop("holder", None)
    request.session[_SINCE] = request.session[_SEEN] = now.isoformat()
    request.session.set_expiry(int(ABSOLUTE.total_seconds()))


def is_present(request: HttpRequest, *, now: datetime) -> bool:
    """Whether a verified operator is here and was seen lately; ends the session when not."""
    user = request.user
    if not (user.is_authenticated and user.is_active and user.is_verified()):  # type: ignore[attr-defined]
        return False
    since, seen = (request.session.get(name) for name in (_SINCE, _SEEN))
    if since is None or seen is None or _over(since, seen, now):
        logout(request)
        return False
    request.session[_SEEN] = now.isoformat()
    return True


def _over(since: str, seen: str, now: datetime) -> bool:
    return now - datetime.fromisoformat(seen) >= IDLE or now - datetime.fromisoformat(since) >= ABSOLUTE
