"""A holder's alerts: what he wants to hear of, where letters go, and the link that stops them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.actors import Actor
from accounts.alerts import Choice, choice_of, contacts_of, latest_letters
from accounts.checks import Rejected
from accounts.kinds import AlertWay, NoticeKind
from accounts.services import alertcontacts
from accounts.services.alertcontacts import Answer, TooOften
from accounts.services.alerts import choose, stop_letters
from accounts.services.errors import NotAllowed
from accounts.wiring import client_address, now, secrets
from portal.access import HolderRequest, holder_required
from portal.alertforms import AddressForm, AlertsForm, CodeForm
from portal.alertwords import STATES, WAYS
from portal.doors import actor_of, source_of
from portal.pages import own_page
from portal.wiring import contact_of, ways_offered


@holder_required()
@require_http_methods(["GET", "POST"])
def alerts(request: HolderRequest) -> HttpResponse:
    """Show what is chosen, or keep what was."""
    if request.method != "POST":
        return _page(request)
    choice = _choice(request)
    form = AlertsForm(request.POST, choice=choice, ways=_confirmed(request))
    if not form.is_valid():
        return _page(request, form, status=400)
    try:
        choose(request.account.id, form.chosen(), actor=_actor(request), now=now())
    except NotAllowed as refusal:
        form.add_error(None, str(refusal.message))
        return _page(request, form, status=409)
    messages.success(request, _("提醒已保存。"))
    return redirect("portal:alerts")


@holder_required()
@sensitive_post_parameters("address")
@require_POST
def ask(request: HolderRequest, alert_way: str) -> HttpResponse:
    """Send a code to an address."""
    way = _way(alert_way)
    form = AddressForm(request.POST, way=way)
    if not form.is_valid():
        return _page(request, address=(way, form), status=400)
    try:
        alertcontacts.ask(
            request.account.id,
            way,
            form.cleaned_data["address"],
            source=source_of(request).name,
            actor=_actor(request),
            now=now(),
            secrets=secrets(),
        )
    except Rejected as problem:
        form.add_error("address", problem.message)
        return _page(request, address=(way, form), status=400)
    except TooOften:
        form.add_error("address", _("验证码要得太多了，请明天再试；没有发送，原来的地址不变"))
        return _page(request, address=(way, form), status=429)
    except NotAllowed as refusal:
        form.add_error("address", str(refusal.message))
        return _page(request, address=(way, form), status=409)
    messages.info(request, _("验证码一分钟左右送到，30 分钟内有效。"))
    return redirect("portal:alerts")


@holder_required()
@sensitive_post_parameters("code")
@require_POST
def confirm(request: HolderRequest, alert_way: str) -> HttpResponse:
    """Compare the code that came back."""
    way = _way(alert_way)
    form = CodeForm(request.POST, way=way)
    if not form.is_valid():
        return _page(request, code=(way, form), status=400)
    code = form.cleaned_data["code"]
    answer = alertcontacts.confirm(
        request.account.id, way, code, actor=_actor(request), now=now(), secrets=secrets()
    )
    if answer is Answer.WRONG:
        form.add_error("code", _("验证码不正确；没有更改"))
        return _page(request, code=(way, form), status=403)
    contact = contacts_of(request.account.id, now=now(), secrets=secrets())[way]
    if answer is Answer.OVER and (contact.pending or not contact.address):
        messages.warning(request, _("验证码已失效，请重新获取；没有更改。"))
    else:
        messages.success(request, _("地址已确认。请在下面勾选要发到这里的提醒。"))
    return redirect("portal:alerts")


@holder_required()
@require_POST
def remove(request: HolderRequest, alert_way: str) -> HttpResponse:
    """Forget an address."""
    alertcontacts.remove(request.account.id, _way(alert_way), actor=_actor(request), now=now())
    messages.success(request, _("地址已删除，不再发送。"))
    return redirect("portal:alerts")


@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def alerts_off(request: HttpRequest, off_token: str) -> HttpResponse:
    """Stop the letters to one address: ask first, for programs follow links by themselves; then do it.

    A mail program presses its button without a page of ours before, and says so (RFC 8058); who has the link may.
    """
    by_mail_program = request.method == "POST" and request.POST.get("List-Unsubscribe") == "One-Click"
    view = _off if by_mail_program else csrf_protect(_off)
    return view(request, off_token)


def _off(request: HttpRequest, off_token: str) -> HttpResponse:
    contact_uid = contact_of(off_token)
    if contact_uid is None:
        raise Http404
    if request.method == "POST":
        stop_letters(contact_uid, place=client_address(request), now=now())
    return render(request, "portal/alerts/off.html", {"done": request.method == "POST"})


def _page(
    request: HolderRequest,
    form: AlertsForm | None = None,
    *,
    address: tuple[AlertWay, AddressForm] | None = None,
    code: tuple[AlertWay, CodeForm] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, with one form on it as it was sent."""
    account, choice = request.account, _choice(request)
    contacts = contacts_of(account.id, now=now(), secrets=secrets())
    sent = dict([address] if address else [])
    keyed = dict([code] if code else [])
    confirmed = [way for way in ways_offered() if contacts[way].address]
    context: dict[str, Any] = {
        "form": form or AlertsForm(choice=choice, ways=confirmed),
        "contacts": [
            (
                contacts[way],
                WAYS[way],
                sent.get(way) or AddressForm(way=way),
                keyed.get(way) or CodeForm(way=way),
            )
            for way in ways_offered()
        ],
        "writes": bool(confirmed),
        "wrong": [(way, WAYS[way][1], bound.errors) for way, bound in (sent | keyed).items()],
        "is_low": choice.low_fen is not None and account.book_fen < choice.low_fen,
        "letters": [
            (letter, _about(letter.kind), WAYS[letter.way][0], *STATES[letter.state])
            for letter in latest_letters(account.id)
        ],
    }
    return own_page(request, "portal/alerts/alerts.html", context, status=status)


def _choice(request: HolderRequest) -> Choice:
    """What was chosen; before anything was, letters would be in the language that is read now."""
    choice = choice_of(request.account.id)
    if choice == Choice() and (get_language() or "").startswith("en"):
        return replace(choice, language="en")
    return choice


def _confirmed(request: HolderRequest) -> list[AlertWay]:
    contacts = contacts_of(request.account.id, now=now(), secrets=secrets())
    return [way for way in ways_offered() if contacts[way].address]


def _way(name: str) -> AlertWay:
    if name not in ways_offered():
        raise Http404
    return AlertWay(name)


def _about(kind: NoticeKind | None) -> str:
    return _("验证码") if kind is None else str(kind.label)


def _actor(request: HolderRequest) -> Actor:
    return actor_of(request, request.account.holder.uid)
