"""A holder's own pages. Each asks the selectors or one service, for the account of the session and no other."""

from __future__ import annotations

from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts.checks import Rejected
from accounts.kinds import SecretKind
from accounts.pinhash import Busy
from accounts.selectors import campuses, last_logins, loss_reports
from accounts.services import passwords, standing
from accounts.services.errors import NotAllowed
from accounts.services.login import NOT_IN
from accounts.services.passwords import NewPin, NotOffered, PinOutcome, PinVerdict
from accounts.status import Status
from accounts.wiring import now, secrets
from portal import holder_session
from portal.access import HolderRequest, holder_required
from portal.doors import actor_of, source_of
from portal.forms import LossForm, PasswordForm, StatementForm, StrictForm
from portal.pages import centers, own_page
from portal.words import difference
from reconciliation.selectors import open_cases_of
from terminals.selectors import silent_tills
from transactions.days import local_day
from transactions.selectors import (
    latest_lines,
    statement_page,
    statement_summary,
    why_they_differ,
)


@holder_required()
@require_safe
def overview(request: HolderRequest) -> HttpResponse:
    """Book, card, unclaimed, today against the limit, the status in words, the last ten movements."""
    account = request.account
    card = account.card
    seen = card is not None and card.seen_at is not None
    differs = difference(account, card, why_they_differ(card.id)) if card is not None and seen else None
    context = {
        "differs": differs,
        "cases": open_cases_of(account.id) if account.frozen_at is not None else [],
        "lines": latest_lines(account.id),
        **centers(),
    }
    return own_page(request, "portal/overview.html", context)


@holder_required()
@require_safe
def statement(request: HolderRequest) -> HttpResponse:
    """Movements by day and kind, twenty to a page, with what they add up to."""
    if "account" in request.GET:
        raise Http404
    places = campuses()
    form = StatementForm(request.GET, places=places)
    which = form.chosen(today=local_day(now()))
    if which is None:
        return own_page(request, "portal/statement.html", {"form": form}, status=400)
    page = statement_page(
        request.account.id,
        which,
        older_than=form.cursor("older"),
        newer_than=form.cursor("newer"),
    )
    days = {"start": which.from_on.isoformat(), "end": which.to_on.isoformat()}
    shown = StatementForm(initial=request.GET.dict() | days, places=places)
    totals, merchants = statement_summary(request.account.id, which)
    shown.offer(merchants)
    context = {
        "form": shown,
        "which": which,
        "page": page,
        "totals": totals,
    }
    return own_page(request, "portal/statement.html", context)


@holder_required(initial_password=True)
@sensitive_post_parameters("pin")
@require_http_methods(["GET", "POST"])
def loss(request: HolderRequest) -> HttpResponse:
    """Report the card lost: what it does, the password again, then a reference number."""
    form = LossForm(request.POST if request.method == "POST" else None, initial={"key": uuid4()})
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            reference, status = _report(request, form)
            if reference is not None:
                return redirect("portal:loss_done", reference=reference)
    reports = list(loss_reports(request.account.id, newest=1))
    context = {
        "form": form,
        "key": form["key"].value() if not form.is_bound or "key" not in form.errors else uuid4(),
        "silent": silent_tills(now=now()),
        "report": reports[0] if reports and request.account.shown.status is Status.LOST else None,
        "is_lost": request.account.card is not None and request.account.card.lost_at is not None,
        **centers(),
    }
    return own_page(request, "portal/loss.html", context, status=status)


@holder_required(initial_password=True)
@require_safe
def loss_done(request: HolderRequest, reference: str) -> HttpResponse:
    """The receipt of an own loss report."""
    report = next(
        (report for report in loss_reports(request.account.id) if report.reference == reference), None
    )
    if report is None:
        raise Http404
    return own_page(request, "portal/loss_done.html", {"report": report, **centers()})


@holder_required(initial_password=True)
@sensitive_post_parameters("old", "new", "again")
@require_http_methods(["GET", "POST"])
def security(request: HolderRequest) -> HttpResponse:
    """Change the query password; say where the other one is changed; show who tried to come in."""
    form = PasswordForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            changed, status = _change(request, form)
            if changed:
                holder_session.sign_in(request, request.account.id, now=now())  # every other session is over
                messages.success(request, _("查询密码已修改。"))
                return redirect("portal:security" if not request.must_change else "portal:overview")
    logins = [] if request.must_change else last_logins(request.account.id, newest=8)
    return own_page(
        request, "portal/security.html", {"form": form, "logins": logins, **centers()}, status=status
    )


def _report(request: HolderRequest, form: LossForm) -> tuple[str | None, int]:
    account_id = request.account.id
    source = source_of(request)
    try:
        verdict = passwords.verify_query(
            account_id, form.cleaned_data["pin"], source=source, now=now(), secrets=secrets()
        )
        if verdict.outcome is not PinOutcome.OK:
            return None, _wrong(form, "pin", verdict)
        report = standing.report_lost(
            account_id,
            key=form.cleaned_data["key"],
            actor=actor_of(request, request.account.holder.uid),
            now=now(),
        )
    except NotAllowed as refusal:
        form.add_error(None, str(refusal.message))
        return None, 409
    except standing.KeyReused:
        form.add_error("key", "key")
        return None, 409
    except Busy:
        form.add_error(None, _("系统繁忙，请稍后再试；本次没有挂失"))
        return None, 503
    return report.reference, 200


def _change(request: HolderRequest, form: PasswordForm) -> tuple[bool, int]:
    typed = NewPin(form.cleaned_data["old"], form.cleaned_data["new"], form.cleaned_data["again"])
    try:
        verdict = passwords.change_pin(
            request.account.id,
            SecretKind.QUERY,
            typed,
            source=source_of(request),
            now=now(),
            secrets=secrets(),
        )
    except Rejected as rejected:
        form.add_error("new", rejected.message)
        return False, 400
    except NotOffered as refusal:
        form.add_error(None, str(refusal.message))
        return False, 409
    except Busy:
        form.add_error(None, _("系统繁忙，请稍后再试；密码没有修改"))
        return False, 503
    if verdict.outcome is not PinOutcome.OK:
        return False, _wrong(form, "old", verdict)
    return True, 200


def _wrong(form: StrictForm, field: str, verdict: PinVerdict) -> int:
    """Say that a password was wrong, and how often it may be tried; when locked only the one text."""
    if verdict.outcome is PinOutcome.LOCKED:
        form.add_error(None, str(NOT_IN))
    elif verdict.remaining:
        left = _("查询密码不正确，还可以再试 %(left)d 次") % {"left": verdict.remaining}
        form.add_error(field, left)
    else:
        form.add_error(field, _("查询密码不正确"))
    return 403
