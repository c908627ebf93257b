"""Loss, un-loss, freeze and limit at the counter, and the receipt of every deed."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts import selectors as people
from accounts.actors import AtCounter
from accounts.kinds import DocumentKind
from accounts.services import approvals, limits, served
from accounts.services.served import LIMIT_KIND, At
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, hand_of, staff_required
from counter.jobs import desk_of
from counter.pages import ACTS, staff_page
from counter.people.actions import Facts
from counter.people.documents import door
from counter.people.forms import DocumentForm, FreezeForm, LimitForm
from counter.people.running import Effect, Look, run
from counter.people.views.account import overview_of
from counter.people.words import document_words, money, receipt_lines
from counter.views.entry import DESK
from counter.wiring import policy
from terminals.selectors import silent_tills
from terminals.services import jobs


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def report_loss(request: StaffRequest, account_id: int) -> HttpResponse:
    """Report a card lost for a holder who shows a document (guide L141, R071)."""
    form = DocumentForm(request.POST if request.method == "POST" else None)

    def look(facts: Facts) -> Look:
        return Look(
            "counter:report_loss",
            _("挂失立即生效：联机终端马上拒绝这张卡。解挂须本人带证件和这张卡到管理中心，或在圈存机办理。"),
            _("确认挂失"),
            (Effect(_("卡片状态"), facts.account.shown.word, _("已挂失")),),
            tone="bad",
            template="counter/people/loss.html",
            extra={"silent": silent_tills(now=now())},
        )

    def act(facts: Facts) -> UUID:
        return served.report_lost(_at(request, form, account_id)).pk

    return run(request, account_id, form, look, act)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def lift_loss(request: StaffRequest, account_id: int) -> HttpResponse:
    """Take a loss report back: document, and that very card on this desk's reader (guide L145, R073)."""
    form = DocumentForm(request.POST if request.method == "POST" else None)

    def look(facts: Facts) -> Look:
        return Look(
            "counter:lift_loss",
            _("须本人带有效证件和这张卡。请把卡放在读卡器上读一次；读到的必须是这个账户在用的卡。"),
            _("确认解挂"),
            (Effect(_("卡片状态"), _("已挂失"), _("已冻结") if facts.frozen else _("正常")),),
            with_reader=True,
            template="counter/people/lift_loss.html",
        )

    def act(facts: Facts) -> UUID:
        return served.lift_loss(_at(request, form, account_id, with_card=True)).pk

    return run(request, account_id, form, look, act)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def freeze(request: StaffRequest, account_id: int) -> HttpResponse:
    """Freeze by hand, with a reason; only the desk of cases takes it away again (R048)."""
    form = FreezeForm(request.POST if request.method == "POST" else None)

    def look(facts: Facts) -> Look:
        return Look(
            "counter:freeze",
            _("冻结后账户和卡片都不能消费、不能认证身份。解冻须在读卡器上核对一致，由工作人员按流程办理。"),
            _("确认冻结"),
            (Effect(_("账户与卡片"), facts.account.shown.word, _("已冻结")),),
            tone="bad",
        )

    def act(facts: Facts) -> UUID:
        own = request.officer.holder_id
        at = At(
            form.cleaned_data["key"],
            account_id,
            AtCounter(actor_of(request), DocumentKind.NONE, own_holder_id=own),
            now(),
        )
        return served.freeze(at, form.cleaned_data["reason"]).pk

    return run(request, account_id, form, look, act)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def limit(request: StaffRequest, account_id: int) -> HttpResponse:
    """Set the daily limit (guide L157, R079); above the maximum a supervisor has to agree (V01)."""
    form = LimitForm(request.POST if request.method == "POST" else None)
    most_fen = policy().max_limit_fen

    def look(facts: Facts) -> Look:
        return Look(
            "counter:limit",
            _(
                "一天累计消费超过限额时，终端要求输入消费密码。新限额在联机终端立即生效；卡上的限额下次刷卡时更新。"
            ),
            _("确认修改"),
            extra={
                "current": money(facts.account.daily_limit_fen),
                "spent": money(facts.account.spent_today_fen),
                "most": money(most_fen),
            },
            template="counter/people/limit.html",
        )

    def act(facts: Facts) -> HttpResponse | UUID:
        wanted = form.cleaned_data["limit"]
        at = _at(request, form, account_id)
        if not most_fen < wanted <= limits.HIGHEST_FEN:
            return served.change_limit(at, wanted, policy=policy()).pk
        asked = approvals.propose(
            approvals.Ask(
                key=at.key,
                kind=LIMIT_KIND,
                content=served.limit_content(account_id, wanted),
                reason=form.cleaned_data["reason"],
                account_id=account_id,
            ),
            hand=hand_of(request),
            now=now(),
            policy=policy(),
        )
        return redirect("counter:request", request_id=asked.pk)

    return run(request, account_id, form, look, act)


@staff_required(*DESK)
@require_safe
def done(request: StaffRequest, account_id: int, done_key: UUID) -> HttpResponse:
    """The receipt of one deed: what was done, for whom, on the strength of which document, by whom."""
    found = people.deed(done_key)
    if found is None or found.account_id != account_id:
        raise Http404
    context: dict[str, Any] = {
        "account": overview_of(account_id),
        "deed": found,
        "lines": receipt_lines(found.facts),
        "document": document_words(found.document, found.document_check),
        "by": people.operator_name(found.made_by),
    }
    return staff_page(request, "counter/people/done.html", context)


@staff_required(*DESK)
@require_safe
def loss_history(request: StaffRequest, account_id: int) -> HttpResponse:
    """Every loss report of an account through every channel, and what desks did about it."""
    context: dict[str, Any] = {
        "account": overview_of(account_id),
        "reports": people.loss_reports(account_id, newest=50),
        "deeds": people.deeds_of(account_id, newest=50),
        "logins": people.last_logins(account_id, newest=20),
    }
    return staff_page(request, "counter/people/history.html", context)


def _at(request: StaffRequest, form: DocumentForm, account_id: int, *, with_card: bool = False) -> At:
    """Who stands at which door, with the document that agrees with the register. Raises ``Rejected``."""
    here = with_card and _card_here(request, account_id)
    opened = door(request, account_id, form.seen(), card_on_reader=here)
    return At(cast(UUID, form.cleaned_data["key"]), account_id, opened, now())


def _card_here(request: StaffRequest, account_id: int) -> bool:
    desk = desk_of(request)
    return desk is not None and jobs.card_on_reader(account_id, desk_id=desk.pk, now=now()) is not None
