"""The account page: the card on the reader beside the book, what is open, and every deed with its reason why not."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import selectors as people
from accounts.making import SEQ_NEAR_END
from accounts.selectors import AccountOverview
from accounts.services import reading
from accounts.wiring import now, secrets
from banking.selectors import binding_of
from counter.access import StaffRequest, actor_of, staff_required
from counter.jobs import desk_of, panel
from counter.pages import ACTS, staff_page
from counter.people import sight
from counter.people.actions import Facts, offered
from counter.people.forms import WhyForm
from counter.people.words import LOCKED_DOORS, QUICK_REASONS
from counter.views.entry import DESK
from reconciliation import rulings
from reconciliation import selectors as comparing
from reconciliation.difference import Difference, in_words
from reconciliation.kinds import CaseState
from reconciliation.selectors import CaseRow, Sides
from terminals.services import jobs
from transactions import selectors as money
from transactions.days import local_day

LINES = 6


@staff_required(*DESK)
@require_safe
def account(request: StaffRequest, account_id: int) -> HttpResponse:
    """One account, of whatever campus: any desk serves any holder (requirement R058, C14)."""
    return account_page(request, account_id)


@staff_required(*DESK)
@require_POST
def open_statement(request: StaffRequest, account_id: int) -> HttpResponse:
    """Say why, and see the movements for a quarter of an hour (P6)."""
    overview_of(account_id)
    form = WhyForm(request.POST)
    if not form.is_valid():
        return account_page(request, account_id, why=form, status=400)
    sight.open_for(request, account_id, reason=form.cleaned_data["reason"])
    onward = "counter:statement" if request.POST.get("then") == "statement" else "counter:account"
    return redirect(onward, account_id=account_id)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def identity(request: StaffRequest, account_id: int) -> HttpResponse:
    """The whole name and numbers, once, for whoever says why (P6)."""
    form = WhyForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {
        "account": overview_of(account_id),
        "form": form,
        "identity": None,
        "reasons": QUICK_REASONS,
    }
    if request.method == "POST" and form.is_valid():
        context["identity"] = reading.read_identity(
            account_id,
            reason=form.cleaned_data["reason"],
            actor=actor_of(request),
            now=now(),
            secrets=secrets(),
        )
    status = 400 if request.method == "POST" and not form.is_valid() else 200
    return staff_page(request, "counter/people/identity.html", context, status=status)


def overview_of(account_id: int) -> AccountOverview:
    """The account, or 404."""
    found = people.find_overview(account_id, today=local_day(now()))
    if found is None:
        raise Http404
    return found


def facts_of(request: StaffRequest, account_id: int) -> Facts:
    """What decides about the deeds. Raises ``Http404`` for an unknown account."""
    cases = comparing.cases_of(account_id)
    decisions = rulings.decisions_of_account(account_id)
    bound = binding_of(account_id) is not None
    return _facts(request, overview_of(account_id), cases, (sum(each.open for each in decisions), bound))


def account_page(
    request: StaffRequest, account_id: int, *, why: WhyForm | None = None, status: int = 200
) -> HttpResponse:
    """The page, with a form to fill in again."""
    moment = now()
    overview = overview_of(account_id)
    every = comparing.cases_of(account_id)
    cases = [row for row in every if row.state is CaseState.OPEN]
    decisions = [row for row in rulings.decisions_of_account(account_id) if row.open] if every else []
    binding = binding_of(account_id)
    facts = _facts(request, overview, cases, (len(decisions), binding is not None))
    sides = comparing.sides(account_id)
    assert sides is not None
    readable = sight.is_open(request, account_id, card_here=facts.card_here)
    context: dict[str, Any] = {
        "account": overview,
        "facts": facts,
        "sides": sides,
        "difference": difference_of(overview, sides),
        "worn": sides.card is not None
        and max(sides.card.spend.shown.seq, sides.card.load.shown.seq) >= SEQ_NEAR_END,
        "cases": cases,
        "decisions": decisions,
        "offers": offered(facts),
        "readable": readable,
        "lines": money.latest_lines(account_id, limit=LINES) if readable else (),
        "binding": binding,
        "has_photo": people.has_photo(overview.holder_id),
        "locked": [LOCKED_DOORS[door] for door in sorted(people.locked_doors(account_id, now=moment))],
        "loss": _loss(overview),
        "limit_share": _share(overview.spent_today_fen, overview.daily_limit_fen),
        "why_form": why or WhyForm(),
        "reasons": QUICK_REASONS,
        "reader": panel(request, account_id=account_id),
        "now": moment,
    }
    return staff_page(request, "counter/people/account.html", context, status=status)


def difference_of(overview: AccountOverview, sides: Sides) -> Difference | None:
    """The difference in the words of the holder's own page; None when there is none or no card was ever seen."""
    card_fen = sides.explanation.card_fen
    if card_fen is None:
        return None
    frozen = overview.frozen_at is not None
    return in_words(book_fen=sides.explanation.book_fen, card_fen=card_fen, items=sides.items, frozen=frozen)


def _facts(
    request: StaffRequest, overview: AccountOverview, cases: list[CaseRow], waits: tuple[int, bool]
) -> Facts:
    """``waits``: how many decisions wait, and whether a bank card is bound."""
    person, desk = request.officer, desk_of(request)
    here = desk is not None and jobs.card_on_reader(overview.id, desk_id=desk.pk, now=now()) is not None
    return Facts(
        account=overview,
        today=local_day(now()),
        role=person.role,
        own=person.holder_id is not None and person.holder_id == overview.holder_id,
        open_cases=sum(row.state is CaseState.OPEN for row in cases),
        waiting=waits[0],
        card_here=here,
        bound=waits[1],
    )


def _loss(overview: AccountOverview) -> Any | None:
    """Where a loss was reported that still stands."""
    if overview.card is None or overview.card.lost_at is None:
        return None
    return next(iter(people.loss_reports(overview.id, newest=1)), None)


def _share(spent_fen: int, limit_fen: int) -> int:
    return min(100, spent_fen * 100 // limit_fen) if limit_fen else (100 if spent_fen else 0)
