"""Keys of other systems: which there are, a new one by two people, turned, shut out (A08)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import approvals
from accounts.services import approvals as signing
from accounts.services.approvals import NotApproved
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, hand_of, staff_required
from counter.forms import CodeForm, StrictForm
from counter.office.access import ADMINS, KEEPS, LOOKS, own_campus
from counter.office.handing import hand_page, waiting
from counter.office.partnerforms import PER_MINUTE, PartnerForm, ShutOutForm, TurnForm
from counter.office.words import Words
from counter.oversight.words import WHY
from counter.pages import staff_page
from counter.stepup import asks_code, code_is_right
from counter.wiring import keyring, policy
from terminals import partners as reading
from terminals.partners import WORDS, PartnerRow
from terminals.services import partners as work
from terminals.services.partners import HandedKey, NewPartner, NoLongerSo
from transactions.days import local_day

HAND = "counter/office/partner_hand.html"


@staff_required(*LOOKS)
@require_safe
def partners(request: StaffRequest) -> HttpResponse:
    """The keys, the gravest first."""
    rows = reading.partners(now=now(), campus_id=own_campus(request.officer))
    context = {
        "rows": [(row, *WORDS[row.state]) for row in rows],
        "waiting": waiting(request, {work.KIND}),
        "may_add": request.officer.role in ADMINS,
    }
    return staff_page(request, "counter/office/partners.html", context)


@staff_required(*LOOKS)
@require_safe
def partner(request: StaffRequest, partner_id: int) -> HttpResponse:
    """One key."""
    return _page(request, _row(request, partner_id))


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_http_methods(["GET", "POST"])
def new_partner(request: StaffRequest) -> HttpResponse:
    """Ask for a key; a supervisor of its campus agrees (of all, for several), then it is made and shown once."""
    today = local_day(now())
    initial = {"per_minute": PER_MINUTE, "expires_on": today.replace(year=today.year + 1, day=1).isoformat()}
    form = PartnerForm(request.POST if request.method == "POST" else None, initial=initial, today=today)
    if request.method == "GET":
        return _new_page(request, form)
    if not form.is_valid():
        return _new_page(request, form, status=400)
    if not code_is_right(request, form):
        return _new_page(request, form, status=403)
    wanted, chosen = form.wanted(), form.cleaned_data
    places = wanted.campus_ids
    ask = signing.Ask(
        chosen["key"],
        work.KIND,
        wanted.content(),
        chosen["reason"],
        campus_id=places[0] if len(places) == 1 else None,
    )
    try:
        asked = signing.propose(ask, hand=hand_of(request), now=now(), policy=policy())
    except NotApproved as refusal:
        form.add_error(None, str(WHY[refusal.why]))
        return _new_page(request, form, status=409)
    return redirect("counter:request", request_id=asked.pk)


@staff_required(*KEEPS)
@sensitive_post_parameters("otp_token")
@require_http_methods(["GET", "POST"])
def hand_key(request: StaffRequest, request_id: int) -> HttpResponse:
    """What two people agreed on: an administrator makes the key, which is shown once."""
    row = approvals.find(request_id, viewer=request.officer, now=now())
    if row is None or row.kind != work.KIND:
        raise Http404
    form = CodeForm(request.POST if request.method == "POST" else None)
    if request.method == "GET":
        return hand_page(request, HAND, row, form)
    if request.officer.role not in ADMINS:
        return hand_page(request, HAND, row, form, status=403)
    if not form.is_valid() or not code_is_right(request, form):
        return hand_page(request, HAND, row, form, status=403)
    wanted = NewPartner.from_content(row.content)
    try:
        handed = work.register_agreed(row.id, wanted, keyring=keyring(), actor=actor_of(request), now=now())
    except NotApproved as refusal:
        return hand_page(request, HAND, row, form, problem=WHY[refusal.why], status=409)
    return _handed(request, handed)


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_POST
def turn_key(request: StaffRequest, partner_id: int) -> HttpResponse:
    """A new key, shown once; the one of before stays good for a while."""
    found, form = _row(request, partner_id), TurnForm(request.POST)
    if not form.is_valid():
        return _page(request, found, {"turn": form}, status=400)
    if not code_is_right(request, form):
        return _page(request, found, {"turn": form}, status=403)
    chosen, kept = form.cleaned_data, form.kept_for()
    try:
        handed = work.turn(
            partner_id, chosen["epoch"], kept=kept, keyring=keyring(), actor=actor_of(request), now=now()
        )
    except NoLongerSo:
        problem = _("密钥刚换过或已停用，请核对后再换")
        return _page(request, _row(request, partner_id), problem=problem, status=409)
    return _handed(request, handed)


@staff_required(*KEEPS)
@sensitive_post_parameters("otp_token")
@require_POST
def shut_out(request: StaffRequest, partner_id: int) -> HttpResponse:
    """Shut a key out for good: one person may, because a stolen one must not wait."""
    found, form = _row(request, partner_id), ShutOutForm(request.POST)
    if not form.is_valid():
        return _page(request, found, {"shut": form}, status=400)
    if not code_is_right(request, form):
        return _page(request, found, {"shut": form}, status=403)
    if work.revoke(partner_id, actor=actor_of(request), now=now(), reason=form.cleaned_data["reason"]):
        messages.success(request, _("已停用。从现在起，用它的每次查询都被拒绝。"))
    return redirect("counter:partner", partner_id=partner_id)


def _row(request: StaffRequest, partner_id: int) -> PartnerRow:
    found = reading.partner(partner_id, now=now())
    if found is None or not found.stands_on(own_campus(request.officer)):
        raise Http404
    return found


def _handed(request: StaffRequest, handed: HandedKey) -> HttpResponse:
    """The key, on a page that is not kept anywhere."""
    context = {"handed": handed, "row": reading.partner(handed.partner, now=now())}
    return staff_page(request, "counter/office/partner_key.html", context)


def _new_page(request: StaffRequest, form: PartnerForm, *, status: int = 200) -> HttpResponse:
    context = {"form": form, "asks_code": asks_code(request)}
    return staff_page(request, "counter/office/partner_new.html", context, status=status)


def _page(
    request: StaffRequest,
    found: PartnerRow,
    forms: dict[str, StrictForm] | None = None,
    *,
    problem: Words = "",
    status: int = 200,
) -> HttpResponse:
    moment = now()
    word, tone = WORDS[found.state]
    days = reading.days_of(found.id)
    most = max((day.asked for day in days), default=0)
    context: dict[str, Any] = {
        "row": found,
        "word": word,
        "tone": tone,
        "problem": problem,
        "days": [(day, _width(day.asked, most), _width(day.refused, most)) for day in days],
        "reasons": reading.reasons_of(found.id, now=moment),
        "events": reading.events_of(found.id),
        "may_turn": request.officer.role in ADMINS and found.revoked_at is None,
        "may_keep": request.officer.role in KEEPS and found.revoked_at is None,
        "asks_code": asks_code(request),
        "turn_form": TurnForm(initial={"epoch": found.epoch}),
        "shut_form": ShutOutForm(),
        "now": moment,
    }
    for name, form in (forms or {}).items():
        context[f"{name}_form"] = form
    return staff_page(request, "counter/office/partner.html", context, status=status)


def _width(count: int, most: int) -> int:
    """Of a bar, on a scale of a hundred that ends with the busiest day."""
    return 100 * count // max(1, most)
