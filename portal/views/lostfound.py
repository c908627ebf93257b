"""Lost and found: the public board, the form for finders, a holder's own card that is gone, his messages."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib import messages as flash
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import found, notices
from accounts.selectors import campuses
from accounts.services import lostposts
from accounts.services.lostposts import NotPosted, Search, Tip
from accounts.services.notices import mark_read
from accounts.wiring import now
from portal.access import HolderRequest, holder_required
from portal.careforms import BoardForm, FinderForm, SearchForm
from portal.carewords import POST_PROBLEMS, told
from portal.doors import actor_of, source_of
from portal.pages import centers, own_page
from transactions.days import local_day


@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """寻卡 and 拾卡, masked; by campus and day."""
    places = campuses()
    form = BoardForm(request.GET, campuses=_choices())
    if not form.is_valid():
        return render(request, "portal/lostfound/board.html", {"form": form, "tab": "lost"}, status=400)
    tab = form.cleaned_data["tab"] or "lost"
    by_code = {place.code: place.id for place in places}
    read = found.board_found if tab == "found" else found.board_lost
    page = read(
        today=local_day(now()),
        campus_id=by_code.get(form.cleaned_data["campus"]),
        since=form.cleaned_data["since"],
        older=form.cleaned_data["older"],
    )
    context = {
        "form": BoardForm(initial=form.cleaned_data, campuses=_choices()),
        "tab": tab,
        "page": page,
        "kept_days": lostposts.ON_BOARD.days,
    }
    return render(request, "portal/lostfound/board.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
def finder(request: HttpRequest) -> HttpResponse:
    """Somebody found a card: its owner is told. Whether there is one is said to nobody."""
    form = FinderForm(request.POST if request.method == "POST" else None, initial={"key": uuid4()})
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            cleaned = form.cleaned_data
            tip = Tip(cleaned["key"], cleaned["number"], cleaned["place"], cleaned["left_at"])
            if lostposts.report_find(tip, source=source_of(request).name, now=now()):
                return redirect("portal:finder_thanks")
            form.add_error(
                None, _("您提交得太多了，请一小时后再试，或把卡交到任一管理中心；本次没有通知失主")
            )
            status = 429
    key = form["key"].value() if "key" not in form.errors else uuid4()
    context = {"form": form, "key": key, **centers()}
    return render(request, "portal/lostfound/finder.html", context, status=status)


@require_safe
def finder_thanks(request: HttpRequest) -> HttpResponse:
    """The same thanks for everybody."""
    return render(request, "portal/lostfound/thanks.html", centers())


@holder_required()
@require_safe
def lost_card(request: HolderRequest) -> HttpResponse:
    """寻卡: whether somebody has it, what finders told, the own search on the board."""
    return _lost_card_page(request, SearchForm(campuses=_choices(), initial=_first_guess(request)))


@holder_required()
@require_POST
def post_search(request: HolderRequest) -> HttpResponse:
    """Put a search on the board."""
    form = SearchForm(request.POST, campuses=_choices())
    if not form.is_valid():
        return _lost_card_page(request, form, status=400)
    cleaned = form.cleaned_data
    campus_id = next(place.id for place in campuses() if place.code == cleaned["campus"])
    search = Search(
        cleaned["key"], request.account.id, campus_id, cleaned["place"], cleaned["lost_on"], cleaned["text"]
    )
    try:
        made = lostposts.post(search, actor=actor_of(request, request.account.holder.uid), now=now())
    except NotPosted as refusal:
        form.add_error(None, str(POST_PROBLEMS[refusal.problem]))
        return _lost_card_page(request, form, status=409)
    if made.state == "waiting":
        flash.info(request, _("已收到。里面的号码或网址已遮住，工作人员看过后公开。"))
    else:
        flash.success(request, _("已公开到寻卡栏，30 天后自动撤下。"))
    return redirect("portal:lost_card")


@holder_required()
@require_POST
def renew_search(request: HolderRequest, post_id: int) -> HttpResponse:
    """Thirty more days, once."""
    _own_post(request, post_id)
    try:
        lostposts.renew(
            request.account.id, post_id, actor=actor_of(request, request.account.holder.uid), now=now()
        )
    except NotPosted as refusal:
        flash.warning(request, str(POST_PROBLEMS[refusal.problem]))
    else:
        flash.success(request, _("已延长 30 天。"))
    return redirect("portal:lost_card")


@holder_required()
@require_POST
def close_search(request: HolderRequest, post_id: int) -> HttpResponse:
    """Off the board."""
    _own_post(request, post_id)
    lostposts.close(
        request.account.id, post_id, actor=actor_of(request, request.account.holder.uid), now=now()
    )
    flash.success(request, _("已撤下。"))
    return redirect("portal:lost_card")


@holder_required()
@require_safe
def messages(request: HolderRequest) -> HttpResponse:
    """What the holder was told, newest first. What is on the page counts as read from now on."""
    before = request.GET.get("before", "")
    if before and not (before.isascii() and before.isdigit() and len(before) < 19):
        raise Http404
    rows = notices.notices_of(request.account.id, before=int(before) if before else None, size=21)
    shown = rows[:20]
    response = own_page(
        request,
        "portal/lostfound/messages.html",
        {
            "rows": [(row, told(row)) for row in shown],
            "older": shown[-1].id if len(rows) > len(shown) else None,
        },
    )
    mark_read(request.account.id, [row.id for row in shown if not row.read], now=now())
    return response


def _own_post(request: HolderRequest, post_id: int) -> None:
    if all(each.id != post_id for each in found.own_posts(request.account.id, newest=100)):
        raise Http404


def _lost_card_page(request: HolderRequest, form: SearchForm, *, status: int = 200) -> HttpResponse:
    moment = now()
    today = local_day(moment)
    posts = found.own_posts(request.account.id)
    key = form["key"].value() if form.is_bound and "key" not in form.errors else uuid4()
    context: dict[str, Any] = {
        "form": form,
        "key": key,
        "tips": found.tips_for(request.account.id, since=moment - lostposts.ON_BOARD),
        "posts": [(each, each.on_board(today)) for each in posts],
        "left": found.posts_left(request.account.id, today=today),
        "is_lost": request.account.card is not None and request.account.card.lost_at is not None,
        "live": request.account.card is not None and request.account.card.life in ("issued", "active"),
        **centers(),
    }
    return own_page(request, "portal/lostfound/lost_card.html", context, status=status)


def _first_guess(request: HolderRequest) -> dict[str, Any]:
    return {"campus": request.account.holder.campus_code, "lost_on": local_day(now()).isoformat()}


def _choices() -> list[tuple[str, str]]:
    english = (get_language() or "").startswith("en")
    return [(place.code, (english and place.name_en) or place.name_zh) for place in campuses()]
