"""Opening an account with its card, and noting a blank for an account that has none (guide L19, R004-R007)."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.actors import AtCounter, WrongDoor
from accounts.checks import Rejected
from accounts.kinds import DocumentKind, HolderKind, ServiceKind
from accounts.services import deeds, issuing
from accounts.services.errors import NotAllowed
from accounts.services.issuing import Applicant, NewAccount
from accounts.wiring import now, options
from counter.access import StaffRequest, actor_of, staff_required
from counter.cards.desk import house, order_if_ready, till
from counter.cards.forms import CardForm, NewAccountForm
from counter.cards.words import DEPOSIT, told
from counter.pages import ACTS, staff_page
from counter.people.actions import Facts
from counter.people.documents import door
from counter.people.running import Effect, Look, run
from counter.people.words import KEY_REUSED, OWN
from terminals.kinds import JobKind
from transactions.days import local_day
from transactions.services import cardmoney, shifts
from transactions.services.cardmoney import PaidBy


@staff_required(*ACTS)
@sensitive_post_parameters("id_number", "tail")
@require_http_methods(["GET", "POST"])
def open_account(request: StaffRequest) -> HttpResponse:
    """A person, the document in his hand, the card he is to get; one confirmation, then the card is made."""
    posted = request.method == "POST"
    form = NewAccountForm(
        request.POST if posted else None,
        campus_id=request.officer.campus_id,
        today=local_day(now()),
        initial=None if posted else {"kind": ServiceKind.FORMAL, "person": HolderKind.STUDENT},
    )
    if not posted:
        return _new_page(request, form)
    if not form.is_valid():
        return _new_page(request, form, status=400)
    try:
        deed = _open(request, form)
    except (Rejected, NotAllowed) as refused:
        form.add_error(None, str(refused.message))
    except deeds.KeyReused:
        form.add_error(None, str(KEY_REUSED))
    except WrongDoor:
        form.add_error(None, str(OWN))
    else:
        order_if_ready(request, JobKind.PREPARE, deed.account_id, deed.card_id or 0, deed.key)
        return redirect("counter:make_card", account_id=deed.account_id)
    return _new_page(request, form, status=409)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def new_card(request: StaffRequest, account_id: int) -> HttpResponse:
    """Note a blank for an account without a card: returned, spoilt, or never made."""
    form = CardForm(request.POST if request.method == "POST" else None)

    def look(facts: Facts) -> Look:
        return Look(
            "counter:new_card",
            _("登记一张待制的空白卡，随后在读卡器上写卡。新卡的金额以库为准。"),
            _("确认，去制卡"),
            (Effect(_("卡片"), facts.account.shown.word, _("待制卡")),),
            template="counter/cards/new_card.html",
        )

    def act(facts: Facts) -> HttpResponse | UUID:
        seen, day = door(request, account_id, form.seen()), form.cleaned_data["expires_on"]
        deed = issuing.order_card(form.cleaned_data["key"], account_id, day, door=seen, now=now())
        order_if_ready(request, JobKind.PREPARE, account_id, deed.card_id or 0, deed.key)
        return redirect("counter:make_card", account_id=account_id)

    return run(request, account_id, form, look, act)


def _open(request: StaffRequest, form: NewAccountForm) -> Any:
    data, paper = form.cleaned_data, form.seen()
    new = NewAccount(
        key=data["key"],
        person=Applicant(
            school_no=data["school_no"],
            name=data["name"],
            kind=HolderKind(data["person"]),
            unit=data["unit"],
            document_kind=DocumentKind(data["document_kind"]),
            id_number=data["id_number"],
        ),
        kind=ServiceKind(data["kind"]),
        campus_id=form.campus_id,
        expires_on=data["expires_on"],
    )
    seen = issuing.check_document(paper, data["id_number"])
    at = AtCounter(actor_of(request), paper.kind, own_holder_id=request.officer.holder_id, document_note=seen)
    with told():
        return cardmoney.open_account(
            new, till(request, PaidBy.CASH), str(DEPOSIT), door=at, now=now(), house=house()
        )


def _new_page(request: StaffRequest, form: NewAccountForm, *, status: int = 200) -> HttpResponse:
    kept = form["key"].value() if form.is_bound and "key" not in form.errors else None
    context = {
        "form": form,
        "key": kept or uuid4(),
        "deposit_fen": options().card_deposit_fen,
        "shift": shifts.current(request.officer.id),
    }
    return staff_page(request, "counter/cards/open.html", context, status=status)
