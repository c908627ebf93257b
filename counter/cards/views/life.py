"""A card in the course of its life: replaced, extended, opened for services; held money; cards that nobody uses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.kinds import Service
from accounts.making import making_of, nearly_worn, unused_named
from accounts.rights import rights_of
from accounts.services import issuing, rights
from accounts.services.rights import GrantOrder
from accounts.wiring import now, options
from counter.access import StaffRequest, staff_required
from counter.cards.desk import bare_door, house, order_if_ready, till
from counter.cards.forms import ExtendForm, GrantForm, ReasonedForm, ReplaceForm, RevokeForm
from counter.cards.words import FEE, told
from counter.pages import ACTS, staff_page
from counter.people.actions import Facts
from counter.people.documents import door
from counter.people.running import Effect, Look, run
from counter.people.words import money
from counter.views.entry import DESK
from counter.wiring import policy
from reconciliation import selectors as comparing
from terminals.kinds import JobKind
from terminals.selectors import silent_tills
from transactions.days import local_day
from transactions.services import cardmoney, holds, shifts
from transactions.services.cardmoney import Cause, Replacement

UNUSED_FOR: Final = timedelta(days=365)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def replace(request: StaffRequest, account_id: int) -> HttpResponse:
    """End the old card, take the fee, note the new blank: one transaction (guide L31, R009, R010)."""
    form = ReplaceForm(
        request.POST if request.method == "POST" else None,
        initial={"paid_by": "cash", "hold_days": options().hold_back_days or ""},
    )

    def look(facts: Facts) -> Look:
        sides = comparing.explain(facts.account.id)
        silent = comparing.silent_terminals(now=now())
        fee_fen = options().card_fee_fen
        return Look(
            "counter:replace_card",
            _(
                "旧卡立即挂失作废，永久列入黑名单；工本费与换卡同时入账；库余额写到新卡上，从余额扣费时先减工本费。"
            ),
            _("确认换卡"),
            (
                Effect(_("旧卡"), facts.account.shown.word, _("已换卡，永久停用")),
                Effect(_("库余额"), money(facts.account.book_fen), _("写到新卡")),
                Effect(_("工本费"), "—", money(fee_fen)),
            ),
            tone="bad",
            template="counter/cards/replace.html",
            extra={
                "sides": sides,
                "silent": silent,
                "shift": shifts.current(request.officer.id),
                "fee_fen": fee_fen,
            },
        )

    def act(facts: Facts) -> HttpResponse | UUID:
        data, cause = form.cleaned_data, Cause(form.cleaned_data["cause"])
        wanted = Replacement(
            key=data["key"],
            account_id=account_id,
            cause=cause,
            till=till(request, data["paid_by"]),
            words=str(FEE),
            hold_fen=data["hold"],
            hold_days=data["hold_days"] if data["hold"] else 0,
            shown_fee_fen=data["shown_fee_fen"],
        )
        seen = door(request, account_id, form.seen())
        with told():
            deed = cardmoney.replace_card(wanted, door=seen, now=now(), house=house())
        order_if_ready(request, JobKind.PREPARE, account_id, deed.card_id or 0, deed.key)
        return redirect("counter:make_card", account_id=account_id)

    return run(request, account_id, form, look, act)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def extend(request: StaffRequest, account_id: int) -> HttpResponse:
    """A later last day, in the book at once and on the chip by the reader (N05)."""
    form = ExtendForm(request.POST if request.method == "POST" else None)

    def look(facts: Facts) -> Look:
        card = facts.account.card
        before = card.expires_on.isoformat() if card is not None and card.expires_on else "—"
        return Look(
            "counter:extend_card",
            _("联机终端立即按新的有效期；脱机终端看卡上的日期，所以随后要在读卡器上写入。"),
            _("确认延期"),
            (Effect(_("有效期至"), before, _("新的日期")),),
            template="counter/cards/extend.html",
        )

    def act(facts: Facts) -> HttpResponse | UUID:
        seen, day = door(request, account_id, form.seen()), form.cleaned_data["expires_on"]
        deed = issuing.extend_card(form.cleaned_data["key"], account_id, day, door=seen, now=now())
        order_if_ready(request, JobKind.EXTEND, account_id, deed.card_id or 0, deed.key)
        return redirect("counter:make_card", account_id=account_id)

    return run(request, account_id, form, look, act)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def grants(request: StaffRequest, account_id: int) -> HttpResponse:
    """Which services the card opens, and new ones for a named card until a day (A18)."""
    form = GrantForm(request.POST if request.method == "POST" else None)

    def act(facts: Facts) -> HttpResponse | UUID:
        chosen = tuple(Service(each) for each in form.cleaned_data["services"])
        wanted = GrantOrder(form.cleaned_data["key"], account_id, chosen, form.cleaned_data["until_on"])
        return rights.grant(wanted, door=door(request, account_id, form.seen()), now=now()).pk

    return run(request, account_id, form, _grants_look, act)


@staff_required(*ACTS)
@require_http_methods(["POST"])
def revoke(request: StaffRequest, account_id: int) -> HttpResponse:
    """Close one service again, at once."""
    form = RevokeForm(request.POST)

    def act(facts: Facts) -> UUID:
        service = Service(form.cleaned_data["service"])
        at = bare_door(request, account_id)
        return rights.revoke(form.cleaned_data["key"], account_id, service, door=at, now=now()).pk

    return run(request, account_id, form, _grants_look, act)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def release_hold(request: StaffRequest, account_id: int) -> HttpResponse:
    """Give held money back before its day: every till that could have had a record has reported (A23)."""
    form = ReasonedForm(request.POST if request.method == "POST" else None)
    held = holds.open_holds(account_id)

    def look(facts: Facts) -> Look:
        held_fen = sum(row.fen for row in held)
        return Look(
            "counter:release_hold",
            _("预留的钱回到库里，在用的卡下次刷卡时写入。仍有流水没到的话，以后到达会从库里扣。"),
            _("确认解除预留"),
            (Effect(_("预留"), money(held_fen), money(0)),),
            template="counter/cards/release.html",
            extra={"held": held, "silent": silent_tills(now=now())},
        )

    def act(facts: Facts) -> HttpResponse | UUID:
        at, reason = bare_door(request, account_id), form.cleaned_data["reason"]
        with told():
            holds.release_all(account_id, reason=reason, door=at, now=now(), policy=policy())
        return redirect("counter:account", account_id=account_id)

    return run(request, account_id, form, look, act)


@staff_required(*DESK)
@require_safe
def unused(request: StaffRequest) -> HttpResponse:
    """Named cards that no reader has seen for a year (N06), and cards that have few writes left."""
    rows = unused_named(now=now(), unused_for=UNUSED_FOR)
    context: dict[str, Any] = {
        "rows": rows,
        "worn": nearly_worn(),
        "days": UNUSED_FOR.days,
        "today": local_day(now()),
    }
    return staff_page(request, "counter/cards/unused.html", context)


def _grants_look(facts: Facts) -> Look:
    today = local_day(now())
    found = rights_of(facts.account.id, today=today)
    card = facts.account.card
    return Look(
        "counter:grants",
        _("正式卡开通全部服务。记名卡只能消费；身份类服务逐项授权，到期自动收回。"),
        _("确认授权"),
        template="counter/cards/grants.html",
        extra={
            "rights": found,
            "named": facts.account.kind == "named",
            "grantable": [right.service for right in found if right.by_grant],
            "latest": card.expires_on if card is not None else None,
            "making": making_of(facts.account.id),
        },
    )
