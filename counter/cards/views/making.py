"""Making a card at the desk: write the blank, read it back, hand it over; spoilt ones are void, passwords on a slip."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import WrongDoor
from accounts.making import Making, Step, making_of
from accounts.services import deeds, issuing
from accounts.services.errors import NotAllowed
from accounts.wiring import now, secrets
from counter.access import StaffRequest, staff_required
from counter.cards.desk import bare_door, order
from counter.cards.forms import KeyedForm, ReasonedForm
from counter.forms import StrictForm
from counter.jobs import desk_of, panel
from counter.pages import ACTS, staff_page
from counter.people.views.account import overview_of
from counter.people.words import KEY_REUSED, OWN
from counter.views.entry import DESK
from terminals.kinds import JobKind
from terminals.services import jobs
from transactions.services import cardmoney


@staff_required(*DESK)
@require_safe
def make(request: StaffRequest, account_id: int) -> HttpResponse:
    """Where the card is, and the one next step."""
    return make_page(request, account_id)


@staff_required(*ACTS)
@require_POST
def start(request: StaffRequest, account_id: int) -> HttpResponse:
    """Write the blank, or the new last day of a card in use."""
    overview_of(account_id)
    form, making = KeyedForm(request.POST), making_of(account_id)
    if not form.is_valid():
        return make_page(request, account_id, status=400)
    kind = JobKind.PREPARE if making.step is Step.WRITE else JobKind.EXTEND
    if making.card_id is not None and (kind is JobKind.PREPARE or making.expires_on is not None):
        order(request, kind, account_id, making.card_id, form.cleaned_data["key"])
    return redirect("counter:make_card", account_id=account_id)


@staff_required(*ACTS)
@require_POST
def void(request: StaffRequest, account_id: int) -> HttpResponse:
    """The card was spoilt: void for ever, another blank is noted."""
    form = ReasonedForm(request.POST)

    def act(key: UUID) -> None:
        reason = form.cleaned_data["reason"]
        issuing.void_and_again(key, account_id, reason, door=bare_door(request, account_id), now=now())
        messages.success(request, _("坏卡已作废，请放一张新的空白卡。"))

    return _step(request, account_id, form, act)


@staff_required(*ACTS)
@require_POST
def hand_over(request: StaffRequest, account_id: int) -> HttpResponse:
    """The card was read back and goes to its holder: account and card are in use."""
    form = KeyedForm(request.POST)

    def act(key: UUID) -> HttpResponse:
        issuing.hand_over(key, account_id, door=bare_door(request, account_id), now=now())
        return redirect("counter:served", account_id=account_id, done_key=key)

    return _step(request, account_id, form, act)


@staff_required(*ACTS)
@never_cache
@sensitive_variables("made")
@require_http_methods(["GET", "POST"])
def slips(request: StaffRequest, account_id: int) -> HttpResponse:
    """Print the initial passwords once. The page that shows them is the answer itself: nothing keeps them."""
    account = overview_of(account_id)
    form = KeyedForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {
        "account": account,
        "form": form,
        "made": None,
        "making": making_of(account_id),
    }
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                context["made"] = issuing.make_slips(
                    form.cleaned_data["key"],
                    account_id,
                    door=bare_door(request, account_id),
                    now=now(),
                    secrets=secrets(),
                )
                status = 200
            except (NotAllowed, deeds.KeyReused, WrongDoor) as refused:
                form.add_error(None, _why(refused))
                status = 409
    return staff_page(request, "counter/cards/slips.html", context, status=status)


def make_page(
    request: StaffRequest, account_id: int, *, form: StrictForm | None = None, status: int = 200
) -> HttpResponse:
    """The page of the steps, with what went wrong."""
    account, making, desk = overview_of(account_id), making_of(account_id), desk_of(request)
    seen = jobs.card_on_reader(account_id, desk_id=desk.pk, now=now()) if desk is not None else None
    reader = panel(request, account_id=account_id)
    context: dict[str, Any] = {
        "account": account,
        "making": making,
        "steps": _steps(making, card_here=seen is not None),
        "card_here": seen is not None,
        "own": request.officer.holder_id is not None and request.officer.holder_id == account.holder_id,
        "form": form,
        "void_form": form if isinstance(form, ReasonedForm) else ReasonedForm(),
        "reader": reader,
        "receipt": cardmoney.receipt_of(making.deed_key) if making.deed_key else None,
        "writing": reader.live
        and reader.job is not None
        and reader.job.kind in (JobKind.PREPARE, JobKind.EXTEND),
        "keys": {"start": uuid4(), "hand_over": uuid4(), "void": uuid4()},
    }
    return staff_page(request, "counter/cards/make.html", context, status=status)


def _steps(making: Making, *, card_here: bool) -> list[tuple[str, str]]:
    """The steps with their state: done, now, later."""
    at = {Step.NOTHING: 0, Step.WRITE: 0, Step.LOOK: 2 if card_here else 1, Step.DONE: 3}[making.step]
    names = ("write", "look", "hand_over")
    return [
        (name, "done" if place < at else "now" if place == at else "later")
        for place, name in enumerate(names)
    ]


def _step(request: StaffRequest, account_id: int, form: StrictForm, act: Any) -> HttpResponse:
    overview_of(account_id)
    if not form.is_valid():
        return make_page(request, account_id, form=form, status=400)
    try:
        outcome = act(form.cleaned_data["key"])
    except (NotAllowed, deeds.KeyReused, WrongDoor) as refused:
        form.add_error(None, _why(refused))
        return make_page(request, account_id, form=form, status=409)
    return outcome or redirect("counter:make_card", account_id=account_id)


def _why(refused: Exception) -> str:
    if isinstance(refused, NotAllowed):
        return str(refused.message)
    return str(KEY_REUSED if isinstance(refused, deeds.KeyReused) else OWN)
