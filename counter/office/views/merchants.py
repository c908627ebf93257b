"""Merchants: who they are, their contract, on what terms they are paid, how their tills do."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.kinds import OperatorRole
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, staff_required
from counter.forms import StrictForm
from counter.office.access import ADMINS, LOOKS, may_see, own_campus
from counter.office.forms import MerchantForm, NewMerchantForm, TermsForm
from counter.office.words import NOT_CHANGED, Names
from counter.pages import staff_page
from terminals import fleet
from terminals.fleet import WORDS
from transactions import merchants as reading
from transactions.days import local_day
from transactions.merchants import MerchantRow
from transactions.services import merchants as work
from transactions.services.merchants import NotChanged

SOON_DAYS = 30
"""A contract that ends within so many days is pointed out."""


@staff_required(*LOOKS)
@require_safe
def merchants(request: StaffRequest) -> HttpResponse:
    """The merchants of one's campus or of all."""
    today = local_day(now())
    rows = [_shown(row, today) for row in reading.merchants(own_campus(request.officer))]
    context = {"rows": rows, "may_add": request.officer.role in ADMINS}
    return staff_page(request, "counter/office/merchants.html", context)


@staff_required(*ADMINS)
@require_http_methods(["GET", "POST"])
def new_merchant(request: StaffRequest) -> HttpResponse:
    """A merchant with its contract and first terms."""
    today = local_day(now())
    form = NewMerchantForm(
        request.POST if request.method == "POST" else None,
        initial={"contract_from": today.isoformat(), "settlement": "monthly"},
    )
    page = "counter/office/merchant_new.html"
    if request.method == "GET":
        return staff_page(request, page, {"form": form})
    if not form.is_valid():
        return staff_page(request, page, {"form": form}, status=400)
    try:
        made = work.register(
            form.details(), form.first_terms(today=today), actor=actor_of(request), now=now()
        )
    except NotChanged as problem:
        _say(form, problem)
        return staff_page(request, page, {"form": form}, status=409)
    messages.success(request, _("已登记商户。"))
    return redirect("counter:merchant", merchant_id=made)


@staff_required(*LOOKS)
@require_http_methods(["GET", "POST"])
def merchant(request: StaffRequest, merchant_id: int) -> HttpResponse:
    """One merchant; an administrator changes names, category and contract."""
    row = _row(request, merchant_id)
    form = MerchantForm(request.POST if request.method == "POST" else None, initial=_initial(row))
    if request.method == "GET":
        return _page(request, row)
    if request.officer.role is not OperatorRole.ADMIN:
        return _page(request, row, status=403)
    if not form.is_valid():
        return _page(request, row, {"details": form}, status=400)
    try:
        changed = work.describe(
            merchant_id,
            form.details(row.campus_id),
            reason=form.cleaned_data["reason"],
            actor=actor_of(request),
            now=now(),
        )
    except NotChanged as problem:
        _say(form, problem)
        return _page(request, row, {"details": form}, status=409)
    messages.success(request, _("已保存。") if changed else _("没有变化。"))
    return redirect("counter:merchant", merchant_id=merchant_id)


@staff_required(*ADMINS)
@require_POST
def set_terms(request: StaffRequest, merchant_id: int) -> HttpResponse:
    """Other terms from a day to come."""
    row, form = _row(request, merchant_id), TermsForm(request.POST)
    if not form.is_valid():
        return _page(request, row, {"terms": form}, status=400)
    try:
        work.set_terms(merchant_id, form.terms(), actor=actor_of(request), now=now())
    except NotChanged as problem:
        _say(form, problem)
        return _page(request, row, {"terms": form}, status=409)
    messages.success(request, _("已设置，到日自动生效。"))
    return redirect("counter:merchant", merchant_id=merchant_id)


def _say(form: StrictForm, problem: NotChanged) -> None:
    name, words = NOT_CHANGED[problem.why]
    form.add_error(name if name in form.fields else None, str(words))


def _row(request: StaffRequest, merchant_id: int) -> MerchantRow:
    row = reading.merchant(merchant_id)
    if row is None or not may_see(request.officer, row.campus_id):
        raise Http404
    return row


def _initial(row: MerchantRow) -> dict[str, Any]:
    return {
        "name_zh": row.name_zh,
        "name_en": row.name_en,
        "campus": str(row.campus_id),
        "category": row.category.value,
        "contract_no": row.contract_no,
        "contract_from": row.contract_from.isoformat(),
        "contract_until": row.contract_until.isoformat() if row.contract_until else "",
    }


def _shown(row: MerchantRow, today: Any) -> dict[str, Any]:
    """A merchant with how its contract stands."""
    if not row.has_contract(today):
        word, tone = (_("合同未开始"), "warn") if row.contract_from > today else (_("合同已到期"), "bad")
    elif row.contract_until is not None and (row.contract_until - today).days < SOON_DAYS:
        word, tone = _("即将到期"), "warn"
    else:
        word, tone = _("合同有效"), "good"
    return {"row": row, "word": word, "tone": tone, "terms": row.terms_on(today)}


def _page(
    request: StaffRequest, row: MerchantRow, forms: dict[str, StrictForm] | None = None, *, status: int = 200
) -> HttpResponse:
    moment = now()
    today = local_day(moment)
    names = Names(each.set_by for each in row.terms)
    in_force = row.terms_on(today)
    context: dict[str, Any] = _shown(row, today) | {
        "terms_rows": [
            (each, names.of(each.set_by), each is in_force, each.effective_on > today) for each in row.terms
        ],
        "tills": [(box, *WORDS[box.state]) for box in fleet.tills_of(row.id, now=moment)],
        "details_form": MerchantForm(initial=_initial(row)),
        "terms_form": TermsForm(),
        "may_change": request.officer.role in ADMINS,
    }
    for name, form in (forms or {}).items():
        context[f"{name}_form"] = form
    return staff_page(request, "counter/office/merchant.html", context, status=status)
