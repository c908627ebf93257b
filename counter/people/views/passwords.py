"""Passwords at the counter: the holder keys them on the pad; this side only ever learns how far that is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import selectors as people
from accounts.kinds import PadState, PadTask, SecretKind
from accounts.services import pinpad, served
from accounts.services.errors import NotAllowed, Reason
from accounts.services.pinpad import NoSuchPad, PadOrder, PadView
from accounts.services.served import At
from accounts.wiring import now, secrets
from counter.access import StaffRequest, actor_of, staff_required
from counter.jobs import desk_of
from counter.pages import ACTS, staff_page
from counter.people.actions import Facts
from counter.people.documents import door
from counter.people.forms import PasswordForm
from counter.people.running import Effect, Look, run
from counter.people.views.account import overview_of
from counter.people.words import LOCKED_DOORS, PAD_SAYS

_RESETS = {
    "reset-query": frozenset({SecretKind.QUERY}),
    "reset-consumption": frozenset({SecretKind.CONSUMPTION}),
    "reset-both": frozenset(SecretKind),
}
_SETS = {"set-query": SecretKind.QUERY, "set-consumption": SecretKind.CONSUMPTION}


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def passwords(request: StaffRequest, account_id: int) -> HttpResponse:
    """Which password, and how: keyed by the holder, back to the initial one, or only unlocked (R078, A15, A16)."""
    form = PasswordForm(request.POST if request.method == "POST" else None)

    def look(facts: Facts) -> Look:
        locked = people.locked_doors(account_id, now=now())
        default = facts.account.default_passwords
        rows = tuple(
            Effect(kind.label, _("初始密码") if kind in default else _("本人设置"), "—")
            for kind in SecretKind
        )
        return Look(
            "counter:passwords",
            _("密码由持卡人在密码键盘上输入，柜台看不到。"),
            _("继续"),
            extra={"rows": rows, "locked": [LOCKED_DOORS[each] for each in sorted(locked)]},
            template="counter/people/passwords.html",
        )

    def act(_facts: Facts) -> HttpResponse | UUID:
        task, key = form.cleaned_data["task"], form.cleaned_data["key"]
        at = At(key, account_id, door(request, account_id, form.seen()), now())
        if task == "unlock":
            return served.unlock(at).pk
        if task in _RESETS and people.has_initial_password(account_id, secrets()):
            return served.reset_password(at, _RESETS[task], secrets=secrets()).pk
        return _ask_pad(request, at, task)

    return run(request, account_id, form, look, act)


@staff_required(*ACTS)
@require_safe
def pad_progress(request: StaffRequest, account_id: int, pad_id: UUID) -> HttpResponseBase:
    """How far the holder is: a page for the clerk, JSON for its script. Never what was keyed."""
    found = _pad(account_id, pad_id)
    if found.state is PadState.DONE and "application/json" not in request.headers.get("Accept", ""):
        return redirect("counter:served", account_id=account_id, done_key=pad_id)
    says, tone = PAD_SAYS["timed_out" if found.timed_out else found.state.value]
    if "application/json" in request.headers.get("Accept", ""):
        told = {"says": str(says), "tone": tone, "over": found.over, "refusals": found.refusals}
        return JsonResponse(told)
    context: dict[str, Any] = {
        "account": overview_of(account_id),
        "pad": found,
        "says": says,
        "tone": tone,
        "desk": desk_of(request),
    }
    return staff_page(request, "counter/people/pad_progress.html", context)


@staff_required(*ACTS)
@require_POST
def cancel_pad(request: StaffRequest, account_id: int, pad_id: UUID) -> HttpResponse:
    """End a request that the holder does not answer."""
    _pad(account_id, pad_id)
    pinpad.cancel(pad_id, actor=actor_of(request), now=now())
    return redirect("counter:pad_progress", account_id=account_id, pad_id=pad_id)


def _ask_pad(request: StaffRequest, at: At, task: str) -> HttpResponse:
    """Ask the holder to key a password, or to look at the one made for him where none follows from a document."""
    kind = _SETS.get(task)
    if task == "reset-both":  # one pad shows one password
        raise NotAllowed(Reason.NO_INITIAL_PASSWORD)
    if kind is None:
        kind = SecretKind.CONSUMPTION if task == "reset-consumption" else SecretKind.QUERY
    desk = desk_of(request)
    order = PadOrder(
        key=at.key,
        account_id=at.account_id,
        task=PadTask.SET if task in _SETS else PadTask.SLIP,
        kind=kind,
        desk_id=desk.pk if desk is not None else None,
    )
    asked = pinpad.ask(order, door=at.door, now=at.now, secrets=secrets())
    return redirect("counter:pad_progress", account_id=at.account_id, pad_id=asked.key)


def _pad(account_id: int, pad_id: UUID) -> PadView:
    try:
        found = pinpad.look(pad_id, now=now())
    except NoSuchPad:
        raise Http404 from None
    if found.account_id != account_id:
        raise Http404
    return found
