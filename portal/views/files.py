"""The statement to take home: a file for spreadsheet programs."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import Http404, HttpResponseBase, StreamingHttpResponse
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.csvfile import csv_lines
from accounts.selectors import campuses
from accounts.wiring import now
from portal.access import HolderRequest, holder_required
from portal.forms import StatementForm
from portal.pages import own_page
from portal.words import local_name
from purse.money import yuan
from transactions.days import local_day
from transactions.selectors import StatementLine, StatementRange, statement_lines


@holder_required()
@require_safe
def statement_csv(request: HolderRequest) -> HttpResponseBase:
    """All movements of the same question that the page answers, oldest first; amounts in yuan, out negative."""
    if "account" in request.GET:
        raise Http404
    form = StatementForm(request.GET, places=campuses())
    which = form.chosen(today=local_day(now()))
    if which is None:
        return own_page(request, "portal/statement.html", {"form": form}, status=400)
    lines = csv_lines(_head(), _rows(request.account.id, which))
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"statement-{request.account.number}-{which.from_on}-{which.to_on}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _head() -> list[str]:
    return [
        *(_("序号"), _("发生时间"), _("入账时间"), _("类型"), _("商户"), _("校区"), _("终端"), _("方式")),
        *(_("金额"), _("账户余额"), _("待领变动"), _("卡计数")),
    ]


def _rows(account_id: int, which: StatementRange) -> Iterator[list[object]]:
    return (_row(line) for line in statement_lines(account_id, which))


def _row(line: StatementLine) -> list[object]:
    place = line.place
    return [
        line.seq,
        f"{localtime(line.occurred_at):%Y-%m-%d %H:%M:%S}",
        f"{localtime(line.posted_at):%Y-%m-%d %H:%M:%S}",
        line.kind.label,
        local_name(place) if place else "",
        local_name(place.campus) if place else "",
        line.terminal_id or "",
        line.mode.label,
        _Yuan(line.book_change_fen),
        _Yuan(line.book_after_fen),
        _Yuan(line.unclaimed_change_fen),
        line.purse_seq or "",
    ]


class _Yuan(int):
    """Fen that a spreadsheet reads as yuan and adds up: ``-1.30``."""

    def __str__(self) -> str:
        return ("-" if self < 0 else "") + yuan(abs(int(self)))
