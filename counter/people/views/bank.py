"""The bank card of an account at the counter: bind, change, confirm, end (guide L45, L47; C06)."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.wiring import now, secrets
from banking.selectors import binding_of, bindings_of
from banking.services import bindings
from banking.services.bindings import BankCard
from counter.access import StaffRequest, staff_required
from counter.jobs import desk_of
from counter.pages import ACTS
from counter.people.actions import Facts
from counter.people.documents import door
from counter.people.forms import BankCardForm, DocumentForm
from counter.people.running import Effect, Look, run

_NONE = _("没有绑定")


@staff_required(*ACTS)
@sensitive_post_parameters("number")
@require_http_methods(["GET", "POST"])
def bank_card(request: StaffRequest, account_id: int) -> HttpResponse:
    """Bind the bank card that the holder shows, in place of another; or confirm the one that waits."""
    form = BankCardForm(request.POST if request.method == "POST" else None)
    bound = binding_of(account_id)
    pending = bound is not None and not bound.confirmed

    def look(_facts: Facts) -> Look:
        button = _("确认签约") if pending else _("更换银行卡") if bound else _("绑定银行卡")
        shown = bound.masked if bound else _NONE
        return Look(
            "counter:bank_card",
            _("须本人带有效证件和本人的储蓄卡。一个账户只能绑定一张银行卡，一张银行卡也只能绑定一个账户。"),
            button,
            (Effect(_("银行卡"), shown, _("下面填写的卡")),),
            extra={"bound": bound, "pending": pending, "earlier": bindings_of(account_id)},
            template="counter/people/bank.html",
        )

    def act(_facts: Facts) -> UUID:
        desk = desk_of(request)
        card = BankCard(
            form.cleaned_data["number"],
            desk.name_zh if desk is not None else "",
            desk.name_en if desk is not None else "",
        )
        do = bindings.confirm if pending else bindings.bind
        opened = door(request, account_id, form.seen())
        return do(
            account_id, card, key=form.cleaned_data["key"], door=opened, now=now(), secrets=secrets()
        ).pk

    return run(request, account_id, form, look, act)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def unbind(request: StaffRequest, account_id: int) -> HttpResponse:
    """End the binding, for a holder who shows a document."""
    form = DocumentForm(request.POST if request.method == "POST" else None)

    def look(_facts: Facts) -> Look:
        bound = binding_of(account_id)
        return Look(
            "counter:unbind",
            _("解约后不能再从这张银行卡圈存；账户和卡上的钱不变。"),
            _("确认解约"),
            (Effect(_("银行卡"), bound.masked if bound else _NONE, _NONE),),
            tone="bad",
        )

    def act(_facts: Facts) -> UUID:
        opened = door(request, account_id, form.seen())
        return bindings.unbind(account_id, key=form.cleaned_data["key"], door=opened, now=now()).pk

    return run(request, account_id, form, look, act)
