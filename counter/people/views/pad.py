"""The pad: the second screen of a desk, in front of the holder. Big keys, dots, nothing of it on the clerk's screen.

Its address is the random key of one request, good for one browser and three minutes; nobody is signed in here.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts.checks import Rejected
from accounts.kinds import PadState, PadTask
from accounts.pinhash import Busy
from accounts.services import pinpad
from accounts.services.errors import NotAllowed
from accounts.services.passwords import NotOffered
from accounts.services.pinpad import NoSuchPad, PadView
from accounts.wiring import now, secrets
from counter.access import StaffRequest, staff_required
from counter.jobs import desk_of
from counter.pages import ACTS
from counter.people.words import BUSY, KEYED_TWICE

_COOKIE = "pinpad"
_SALT = "counter.pinpad"


@staff_required(*ACTS)
@require_safe
def waiting(request: StaffRequest) -> HttpResponseBase:
    """The pad of this desk while nothing is asked; goes to a request by itself."""
    desk = desk_of(request)
    key = pinpad.waiting_at(desk.pk, now=now()) if desk is not None else None
    there = reverse("counter:pad", kwargs={"pad_key": key}) if key else ""
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"there": there})
    if there:
        return redirect(there)
    return render(request, "counter/people/pad_waiting.html", {"desk": desk})


@never_cache
@sensitive_post_parameters("pin", "again")
@require_http_methods(["GET", "POST"])
def pad(request: HttpRequest, pad_key: UUID) -> HttpResponse:
    """Key a password twice, each time ended by 确认; or look at the one that was made, once."""
    name = _name_of(request, pad_key)
    try:
        if request.method == "POST" and not name:  # a page that this browser never opened
            return _page(request, pinpad.look(pad_key, now=now()), status=400)
        view, browser = pinpad.open_pad(pad_key, name, now=now())
    except NoSuchPad:
        raise Http404 from None
    except NotAllowed as refused:
        return _over(request, pad_key, name, str(refused.message))
    if request.method == "GET":
        answer = _page(request, view)
        answer.set_cookie(
            _COOKIE,
            signing.dumps([str(pad_key), browser], salt=_SALT),
            max_age=int(pinpad.LIFETIME.total_seconds()) + 60,
            path=request.path,
            secure=request.is_secure(),
            httponly=True,
            samesite="Strict",
        )
        return answer
    return _keyed(request, view, name)


def _keyed(request: HttpRequest, view: PadView, browser: str) -> HttpResponse:
    try:
        if view.task is PadTask.SLIP:
            slip = pinpad.show_slip(view.key, browser, now=now(), secrets=secrets())
            return render(request, "counter/people/pad_slip.html", {"pad": view, "slip": slip})
        pin, again = request.POST.get("pin", ""), request.POST.get("again", "")
        if len(request.POST.getlist("pin")) > 1 or len(request.POST.getlist("again")) > 1:
            raise Rejected(KEYED_TWICE)
        pinpad.submit(view.key, browser, pin, again, now=now(), secrets=secrets())
    except (Rejected, NotOffered) as refused:
        return _after_refusal(request, view, browser, str(refused.message))
    except NotAllowed as refused:
        return _over(request, view.key, browser, str(refused.message))
    except Busy:
        return _page(request, view, problem=str(BUSY), status=503)
    return redirect("counter:pad", pad_key=view.key)


def _after_refusal(request: HttpRequest, view: PadView, browser: str, problem: str) -> HttpResponse:
    """The reason on the pad, and another try unless it was the last."""
    fresh = pinpad.look(view.key, now=now())
    if fresh.over:
        return _over(request, view.key, browser, problem)
    return _page(request, fresh, problem=problem, status=400)


def _page(request: HttpRequest, view: PadView, *, problem: str = "", status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {"pad": view, "problem": problem, "slip": view.task is PadTask.SLIP}
    return render(request, "counter/people/pad.html", context, status=status)


def _over(request: HttpRequest, key: UUID, browser: str, problem: str) -> HttpResponse:
    """The request has ended: well, for the browser in which it was keyed; else the reason."""
    found = pinpad.look(key, now=now())
    done = bool(browser) and found.state is PadState.DONE
    context = {"pad": found, "done": done, "problem": "" if done else problem}
    return render(request, "counter/people/pad_over.html", context, status=200 if done else 410)


def _name_of(request: HttpRequest, key: UUID) -> str:
    """The name that this browser got when it opened this very request; empty for any other browser."""
    try:
        kept, browser = signing.loads(request.COOKIES.get(_COOKIE, ""), salt=_SALT, max_age=600)
    except (signing.BadSignature, ValueError):
        return ""
    return str(browser) if kept == str(key) else ""
