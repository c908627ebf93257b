"""Closing an account at the desk: begin, wait, ask a second person, pay out; or give it up (C12, H25)."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts import approvals as requests
from accounts.actors import WrongDoor
from accounts.approvals import RequestRow
from accounts.checks import Rejected
from accounts.services import approvals, deeds
from accounts.services.errors import NotAllowed
from accounts.wiring import now, options
from counter.access import StaffRequest, hand_of, staff_required
from counter.cards.desk import bare_door
from counter.cards.forms import AskToPayForm, BeginClosingForm, PayForm, ReasonedForm
from counter.cards.words import AGAINST, PAYOUT, told
from counter.forms import StrictForm
from counter.oversight.words import WHY
from counter.pages import ACTS, staff_page
from counter.people.documents import door
from counter.people.views.account import overview_of
from counter.people.words import KEY_REUSED, OWN
from counter.views.entry import DESK
from counter.wiring import policy
from reconciliation.closing import REQUEST, Closing, closing_of
from reconciliation.services import closing
from reconciliation.services.closing import CardBack, PayAsk, PayOrder, Way
from transactions.services import shifts


@staff_required(*DESK)
@require_safe
def close(request: StaffRequest, account_id: int) -> HttpResponse:
    """Where the closing is, what stands against it, and the one next step."""
    return closing_page(request, account_id)


@staff_required(*ACTS)
@require_POST
def begin(request: StaffRequest, account_id: int) -> HttpResponse:
    """Stop all use from now on."""
    form = BeginClosingForm(request.POST)

    def act(key: UUID) -> HttpResponse:
        reason, seen = form.cleaned_data["reason"], door(request, account_id, form.seen())
        closing.begin(key, account_id, reason, door=seen, now=now(), options=options())
        return redirect("counter:close_account", account_id=account_id)

    return _step(request, account_id, "begin", form, act)


@staff_required(*ACTS)
@require_POST
def give_up(request: StaffRequest, account_id: int) -> HttpResponse:
    """Take the account into use again."""
    form = ReasonedForm(request.POST)

    def act(key: UUID) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        closing.give_up(key, account_id, reason, door=bare_door(request, account_id), now=now())
        return redirect("counter:served", account_id=account_id, done_key=key)

    return _step(request, account_id, "give_up", form, act)


@staff_required(*ACTS)
@require_POST
def ask(request: StaffRequest, account_id: int) -> HttpResponse:
    """Lay the payment before a supervisor."""
    form = AskToPayForm(request.POST)

    def act(key: UUID) -> HttpResponse:
        wanted = PayAsk(key, account_id, Way(form.cleaned_data["way"]), form.cleaned_data["reason"])
        asked = closing.ask_to_pay(
            wanted, hand=hand_of(request), now=now(), policy=policy(), options=options()
        )
        return redirect("counter:request", request_id=asked.pk)

    return _step(request, account_id, "ask", form, act)


@staff_required(*ACTS)
@require_POST
def pay(request: StaffRequest, account_id: int) -> HttpResponse:
    """Pay out what was agreed to, end the card, close the account."""
    overview_of(account_id)
    found = closing_of(account_id, now=now(), options=options())
    form = PayForm(request.POST, with_document=bool(found.total_fen))

    def act(key: UUID) -> HttpResponse:
        agreed = _request(request, account_id, found)
        shift = shifts.current(request.officer.id)
        wanted = PayOrder(
            key=key,
            account_id=account_id,
            way=Way(agreed.content["way"]) if agreed else Way.CASH,
            card_back=CardBack(form.cleaned_data["card_back"]),
            request_id=agreed.id if agreed else None,
            officer_id=request.officer.id,
            words=str(PAYOUT),
            shift_id=shift.pk if shift else None,
        )
        at = door(request, account_id, form.seen()) if found.total_fen else bare_door(request, account_id)
        closing.pay(wanted, door=at, now=now(), policy=policy(), options=options())
        return redirect("counter:served", account_id=account_id, done_key=key)

    return _step(request, account_id, "pay", form, act)


def closing_page(
    request: StaffRequest,
    account_id: int,
    *,
    forms: dict[str, StrictForm] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, with a form to fill in again."""
    account = overview_of(account_id)
    found = closing_of(account_id, now=now(), options=options())
    asked = _request(request, account_id, found)
    shown: dict[str, StrictForm] = {
        "begin": BeginClosingForm(),
        "give_up": ReasonedForm(),
        "ask": AskToPayForm(initial={"way": Way.CASH}),
        "pay": PayForm(with_document=bool(found.total_fen), initial={"card_back": CardBack.RETURNED}),
    } | (forms or {})
    context: dict[str, Any] = {
        "account": account,
        "found": found,
        "against": [AGAINST[each] for each in found.against],
        "request_row": asked,
        "agreed": asked is not None and asked.state == "agreed",
        "stale": asked is not None and asked.open and not _still_fits(asked, found),
        "shift": shifts.current(request.officer.id),
        "own": request.officer.holder_id is not None and request.officer.holder_id == account.holder_id,
        "wait_days": options().closing_wait_days,
        "forms": shown,
        "keys": {name: _key(form) for name, form in shown.items()},
        "problem_form": next(iter((forms or {}).values()), None),
    }
    return staff_page(request, "counter/cards/close.html", context, status=status)


def _request(request: StaffRequest, account_id: int, found: Closing) -> RequestRow | None:
    """The newest request to pay this account out that still stands."""
    rows = requests.open_of(account_id, kind=REQUEST, viewer=request.officer, now=now())
    return rows[-1] if rows and found.total_fen else None


def _still_fits(asked: RequestRow, found: Closing) -> bool:
    """Whether it could be paid as it was asked for: nothing has moved, and whoever agreed still may."""
    return asked.stands and asked.content == dict(found.content(asked.content["way"]))


def _key(form: StrictForm) -> Any:
    kept = form["key"].value() if form.is_bound and "key" not in form.errors else None
    return kept or uuid4()


def _step(request: StaffRequest, account_id: int, name: str, form: StrictForm, act: Any) -> HttpResponse:
    overview_of(account_id)
    if not form.is_valid():
        return closing_page(request, account_id, forms={name: form}, status=400)
    try:
        with told():
            done: HttpResponse = act(form.cleaned_data["key"])
    except (NotAllowed, Rejected) as refused:
        form.add_error(None, str(refused.message))
    except approvals.NotApproved as refused:
        form.add_error(None, str(WHY[refused.why]))
    except deeds.KeyReused:
        form.add_error(None, str(KEY_REUSED))
    except WrongDoor:
        form.add_error(None, str(OWN))
    else:
        return done
    return closing_page(request, account_id, forms={name: form}, status=409)
