"""Cards for many: choose the people, print the faces, write the cards one after another, hand them over by the list."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import batches
from accounts.batches import BatchFacts, ItemFacts
from accounts.services import roster_issue
from accounts.services.accounts import NumbersExhausted
from accounts.services.errors import NotAllowed
from accounts.services.roster_issue import Choice, IssueOrder, NobodyChosen
from accounts.wiring import now, secrets
from counter.access import StaffRequest, staff_required
from counter.jobs import PROBLEMS, desk_of, panel, remember
from counter.pages import ACTS, staff_page
from counter.roster.forms import AgainForm, ChoiceForm, IssueForm, SeriesForm
from counter.roster.views.common import LOOKS, by, visible
from counter.wiring import policy
from terminals.kinds import JobKind, JobState
from terminals.services import jobs

SHEET = 50
"""Cards on one print page: what a browser and a card printer take in one go."""
_AUTO = "issue_auto"


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def new(request: StaffRequest) -> HttpResponse:
    """Choose who gets a card; the page counts them before anything is made."""
    own = request.officer.campus_id
    if request.method == "GET":
        asked = ChoiceForm(request.GET or None, campus_id=own)
        count = _count(request, asked) if asked.is_bound and asked.is_valid() else None
        initial = {name: value for name, value in request.GET.items() if name in asked.fields}
        form = IssueForm(initial=initial | {"key": uuid4()}, campus_id=own)
        status = 400 if asked.is_bound and not asked.is_valid() else 200
        return staff_page(request, "counter/roster/issue_new.html", _new(asked, form, count), status=status)
    form = IssueForm(request.POST, campus_id=own)
    if not form.is_valid():
        return staff_page(request, "counter/roster/issue_new.html", _new(form, form, None), status=400)
    order = IssueOrder(
        form.cleaned_data["key"], form.cleaned_data["name"], _choice(form), form.cleaned_data["expires_on"]
    )
    try:
        made = roster_issue.open_batch(
            order, officer=request.officer, by=by(request), policy=policy(), secrets=secrets()
        )
    except NobodyChosen as nobody:
        form.add_error(None, str(nobody.message))
    except NumbersExhausted:
        form.add_error(None, _("帐号不够用，一个账户也没有开；请联系管理员"))
    except NotAllowed as refused:
        form.add_error(None, str(refused.message))
    else:
        return redirect("counter:issue", batch_id=made.pk)
    return staff_page(request, "counter/roster/issue_new.html", _new(form, form, 0), status=409)


def _new(asked: ChoiceForm, form: ChoiceForm, count: int | None) -> dict[str, Any]:
    return {"asked": asked, "form": form, "count": count}


def _choice(form: ChoiceForm) -> Choice:
    chosen = form.cleaned_data
    return Choice(int(chosen["campus"]), chosen["file"], chosen["kind"], chosen["unit"].strip())


def _count(request: StaffRequest, form: ChoiceForm) -> int:
    return roster_issue.candidates(_choice(form), own_holder_id=request.officer.holder_id).count()


@staff_required(*LOOKS)
@require_safe
def batch(request: StaffRequest, batch_id: int) -> HttpResponse:
    """One batch: how many are printed, written and handed over, college by college."""
    found = _batch(request, batch_id)
    sheets = [(first, min(first + SHEET - 1, found.total)) for first in range(1, found.total + 1, SHEET)]
    context = {"batch": found, "units": batches.units(batch_id), "sheets": sheets}
    return staff_page(request, "counter/roster/batch.html", context)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def faces(request: StaffRequest, batch_id: int) -> HttpResponse:
    """A sheet of faces, one card a page; asking for it by the button notes that it goes to the printer."""
    found = _batch(request, batch_id)
    asked = (request.POST if request.method == "POST" else request.GET).get("from", "1")
    if not (
        asked.isascii() and asked.isdigit() and len(asked) < 7 and 1 <= int(asked) <= max(1, found.total)
    ):
        raise Http404
    places = range(int(asked), int(asked) + SHEET)
    if request.method == "POST":
        roster_issue.note_printed(batch_id, places, by=by(request))
        return redirect(f"{reverse('counter:issue_faces', args=[batch_id])}?{urlencode({'from': asked})}")
    context = {
        "batch": found,
        "cards": batches.items(batch_id, places=places),
        "places": (places.start, min(places.stop - 1, found.total)),
        "after": places.stop if places.stop <= found.total else None,
    }
    return staff_page(request, "counter/roster/faces.html", context)


@staff_required(*LOOKS)
@require_safe
def face(request: StaffRequest, account_id: int) -> HttpResponse:
    """The face of one card, for a card that is made singly or anew."""
    card = batches.face_of(account_id)
    if card is None and not batches.has_account(account_id):
        raise Http404
    context = {"cards": [card] if card else [], "account_id": account_id}
    return staff_page(request, "counter/roster/face.html", context)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def series(request: StaffRequest, batch_id: int) -> HttpResponse:
    """Write the cards one after another: who is next, put the blank down, done, next."""
    found = _batch(request, batch_id)
    if request.method == "POST":
        return _order(request, found)
    return series_page(request, found)


def series_page(
    request: StaffRequest, found: BatchFacts, *, error: str = "", status: int = 200
) -> HttpResponse:
    """The card under way, or the next one."""
    reader = panel(request)
    current = batches.item_of_card(reader.job.card_id) if reader.job and reader.job.card_id else None
    if current is not None and reader.job is not None and reader.job.kind is not JobKind.PREPARE:
        current = None
    running = current is not None and reader.live
    asked = request.GET.get("after", "")
    after = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 8 else 0
    upcoming = batches.next_blank(found.id, after_place=after or (current.place if current else 0))
    done = current if current is not None and not running and current.made else None
    failed = current if current is not None and not running and current.blank else None
    if failed is not None and not after:
        upcoming = failed
    own = request.officer.holder_id
    context = {
        "batch": found,
        "reader": reader,
        "running": current if running else None,
        "done": done,
        "failed": failed,
        "upcoming": upcoming,
        "own": upcoming is not None and upcoming.holder_id == own,
        "auto": bool(request.session.get(_AUTO)),
        "goes_on": bool(done and reader.job and reader.job.state is JobState.DONE),
        "key": uuid4(),
        "error": error,
        "again_form": AgainForm(),
    }
    return staff_page(request, "counter/roster/series.html", context, status=status)


def _order(request: StaffRequest, found: BatchFacts) -> HttpResponse:
    """Order the reader to make the next card."""
    form = SeriesForm(request.POST)
    if not form.is_valid():
        return series_page(request, found, error=_("页面已过期，请刷新后再试"), status=400)
    if "auto_set" in request.POST:
        request.session[_AUTO] = request.POST.get("auto") == "1"
    item = batches.item(found.id, form.cleaned_data["item"])
    desk = desk_of(request)
    if item is None:
        raise Http404
    try:
        if desk is None:
            raise jobs.OrderRefused(jobs.OrderProblem.NOT_A_DESK)
        job = jobs.order_job(
            jobs.JobOrder(form.cleaned_data["key"], JobKind.PREPARE, desk.pk, item.account_id, item.card_id),
            actor=by(request).actor,
            now=now(),
            own_holder_id=request.officer.holder_id,
        )
    except jobs.OrderRefused as refusal:
        return series_page(request, found, error=str(PROBLEMS[refusal.problem]), status=409)
    except jobs.KeyReused:
        return series_page(request, found, error=_("页面已用过，请刷新后再试"), status=409)
    remember(request, job.id)
    return redirect("counter:issue_series", batch_id=found.id)


@staff_required(*ACTS)
@require_POST
def again(request: StaffRequest, batch_id: int) -> HttpResponse:
    """A spoilt card: void it, and note a new blank in its place."""
    found = _batch(request, batch_id)
    form = AgainForm(request.POST)
    if not form.is_valid():
        text = form.errors.get("reason", [_("页面已过期，请刷新后再试")])[0]
        return series_page(request, found, error=str(text), status=400)
    item = batches.item(batch_id, form.cleaned_data["item"])
    if item is None:
        raise Http404
    if item.holder_id == request.officer.holder_id:
        return series_page(request, found, error=_("不能办理本人的账户。"), status=409)
    try:
        roster_issue.make_again(
            item.id, form.cleaned_data["card"], by=by(request, form.cleaned_data["reason"])
        )
    except NotAllowed:
        text = _("这张卡已经发出；卡坏了请办理换卡。")
        return series_page(request, found, error=text, status=409)
    messages.success(request, _("已作废，请重新打印卡面再制卡"))
    return redirect(
        f"{reverse('counter:issue_series', args=[batch_id])}?{urlencode({'after': item.place - 1})}"
    )


@staff_required(*LOOKS)
@require_safe
def handover(request: StaffRequest, batch_id: int) -> HttpResponse:
    """The list of one college, to be printed and signed."""
    found = _batch(request, batch_id)
    unit = _unit(request.GET)
    cards = batches.items_of_unit(batch_id, unit)
    if not cards:
        raise Http404
    return staff_page(request, "counter/roster/handover.html", _list(found, unit, cards))


@staff_required(*ACTS)
@require_POST
def handed(request: StaffRequest, batch_id: int) -> HttpResponse:
    """Note who has his card. The same list sent twice is noted once."""
    found = _batch(request, batch_id)
    ids = request.POST.getlist("item")
    if not ids or not all(each.isascii() and each.isdigit() and len(each) < 16 for each in ids):
        messages.error(request, _("没有勾选任何人，什么也没有记录"))
    else:
        items = [int(each) for each in ids]
        count = roster_issue.hand_over(found.id, items, officer=request.officer, by=by(request))
        messages.success(request, _("已记录 %(count)s 人领卡，账户已启用") % {"count": count})
    unit = _unit(request.POST)
    if not batches.items_of_unit(found.id, unit):
        return redirect("counter:issue", batch_id=found.id)
    return redirect(f"{reverse('counter:issue_handover', args=[found.id])}?{urlencode({'unit': unit})}")


def _unit(asked: QueryDict) -> str:
    """The college that was asked for; a text that no database stores names none."""
    return asked.get("unit", "").replace("\x00", "\ufffd")


def _list(found: BatchFacts, unit: str, cards: list[ItemFacts]) -> dict[str, Any]:
    groups: dict[str, list[ItemFacts]] = {}
    for card in cards:
        groups.setdefault(card.group, []).append(card)
    return {
        "batch": found,
        "unit": unit,
        "groups": [
            (group, found_cards, sum(card.made and card.handed_at is None for card in found_cards))
            for group, found_cards in groups.items()
        ],
        "ready": sum(card.made and card.handed_at is None for card in cards),
        "handed": sum(card.handed_at is not None for card in cards),
        "total": len(cards),
        "now": now(),
    }


def _batch(request: StaffRequest, batch_id: int) -> BatchFacts:
    found = batches.batch_facts(batch_id)
    shown: BatchFacts = visible(request, found, campus_id=found.campus_id if found else None)
    return shown
