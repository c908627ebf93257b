"""Files of people: bring one, see what it would do, have it done or put it away."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import batches, rosters
from accounts.csvfile import csv_lines
from accounts.kinds import RosterScope, RosterState, RosterVerdict
from accounts.roster_files.form import empty_form
from accounts.roster_files.sheets import MAX_BYTES, Unreadable
from accounts.roster_files.texts import Encoding
from accounts.rosters import PAGE, FileFacts
from accounts.selectors import campuses
from accounts.services import roster, roster_apply
from accounts.services.roster import Delivery, NotThere
from accounts.wiring import now, secrets
from counter.access import StaffRequest, staff_required
from counter.pages import ACTS, staff_page
from counter.roster.forms import ApplyForm, EncodingForm, PhotosForm, UploadForm
from counter.roster.uploads import FORM_BYTES, bounded, is_too_large
from counter.roster.views.common import LOOKS, by, slice_answer, visible
from counter.roster.words import CLOSING_TONES, TONES, VERDICT_TONES, change_words
from reconciliation import graduation
from transactions.days import local_day

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHOWS = (RosterVerdict.REJECTED, RosterVerdict.CHANGED, RosterVerdict.NEW, RosterVerdict.SAME)


@staff_required(*LOOKS)
@require_safe
def home(request: StaffRequest) -> HttpResponse:
    """Everything for many at once: the roster, photos, batches of cards, closings."""
    return home_page(request)


def home_page(request: StaffRequest, *, status: int = 200, **forms: Any) -> HttpResponse:
    """The same, with what was wrong with a file."""
    own = request.officer.campus_id
    context = {
        "form": UploadForm(initial={"scope": RosterScope.ADDITIONS}),
        "photos_form": PhotosForm(auto_id="photos_%s"),
        "files": [(file, TONES[file.state]) for file in rosters.newest_files(own)],
        "archives": rosters.newest_archives(own),
        "batches": batches.newest_batches(own),
        "closings": [(each, CLOSING_TONES[each.state]) for each in graduation.newest_batches(own)],
        "without_photo": rosters.without_photo(own).count(),
    }
    return staff_page(request, "counter/roster/home.html", context | forms, status=status)


@staff_required(*ACTS)
@require_safe
def empty(request: StaffRequest) -> HttpResponse:
    """The empty form to fill in."""
    names = [(campus.name_zh, campus.name_en) for campus in campuses()]
    answer = HttpResponse(empty_form(names), content_type=XLSX)
    answer["Content-Disposition"] = 'attachment; filename="roster.xlsx"'
    return answer


@bounded(MAX_BYTES + FORM_BYTES)
@staff_required(*ACTS)
@require_POST
def upload(request: StaffRequest) -> HttpResponse:
    """Bring a file."""
    form = UploadForm(request.POST, request.FILES)
    if is_too_large(request):
        form.errors.clear()
        form.add_error(None, _("文件超过 %(limit)s MB") % {"limit": MAX_BYTES // 1024 // 1024})
        return home_page(request, form=form, status=413)
    if not form.is_valid():
        return home_page(request, form=form, status=400)
    sent = form.cleaned_data["file"]
    delivery = Delivery(
        form.cleaned_data["key"], sent.name or "", sent.read(), RosterScope(form.cleaned_data["scope"])
    )
    try:
        taken = roster.take_in(delivery, officer=request.officer, by=by(request), secrets=secrets())
    except Unreadable as unreadable:
        form.add_error("file", str(unreadable.problem))
        return home_page(request, form=form, status=400)
    if taken.again:
        done = taken.file.state == RosterState.APPLIED
        messages.info(request, _("这个文件已导入，没有重复导入") if done else _("这个文件已上传过，接着办理"))
    return redirect("counter:roster_file", roster_id=taken.file.pk)


@staff_required(*LOOKS)
@require_safe
def file(request: StaffRequest, roster_id: UUID) -> HttpResponse:
    """One file: how far it is, then what it would do row by row, then what it did."""
    return file_page(request, _file(request, roster_id))


def file_page(request: StaffRequest, found: FileFacts, *, error: str = "", status: int = 200) -> HttpResponse:
    """The page of a file, in whatever state it is."""
    context: dict[str, Any] = {"file": found, "tone": TONES[found.state], "error": error}
    if found.state is RosterState.ASKING:
        try:
            context["samples"] = roster.samples(found.id, secrets())
        except NotThere:
            context["samples"] = ()
    elif found.state in (RosterState.READY, RosterState.APPLIED):
        context |= _rows_of(request, found)
    return staff_page(request, "counter/roster/file.html", context, status=status)


def _rows_of(request: StaffRequest, found: FileFacts) -> dict[str, Any]:
    """One page of rows of the kind that is looked at, the rejected ones first."""
    asked = request.GET.get("show", "")
    first = next((verdict for verdict in SHOWS if found.counts.get(verdict)), RosterVerdict.SAME)
    show = RosterVerdict(asked) if asked in SHOWS else first
    after = request.GET.get("after", "")
    after_line = int(after) if after.isascii() and after.isdigit() and len(after) < 8 else 0
    rows = rosters.rows(found.id, show, after_line=after_line)
    names = {campus.id: campus.name_zh for campus in campuses()}
    leavers = rosters.leavers(found.id) if found.counts.get("left") else []
    return {
        "show": show,
        "tabs_of_rows": [
            (verdict, found.counts.get(verdict, 0), VERDICT_TONES[verdict]) for verdict in SHOWS
        ],
        "rows": [(row, [change_words(change, names) for change in row.changes]) for row in rows[:PAGE]],
        "next": rows[PAGE - 1].line if len(rows) > PAGE else None,
        "first": not after_line,
        "leavers": leavers,
        "apply_form": ApplyForm(initial={"revision": found.revision}),
    }


@staff_required(*ACTS)
@require_POST
def go_on(request: StaffRequest, roster_id: UUID) -> HttpResponse:
    """Do the next slice: asked by the page's script again and again, or by a person who presses the button."""
    _file(request, roster_id)
    rules = rosters.rules(local_day(now()))
    done = roster.advance(roster_id, rules=rules, secrets=secrets())
    share = _file(request, roster_id).share
    return slice_answer(
        request, over=done.over, share=share, onward=lambda: reverse("counter:roster_file", args=[roster_id])
    )


@staff_required(*ACTS)
@require_POST
def choose_encoding(request: StaffRequest, roster_id: UUID) -> HttpResponse:
    """Say in which encoding the names read right."""
    found = _file(request, roster_id)
    form = EncodingForm(request.POST)
    if not form.is_valid():
        return file_page(request, found, error=_("请选择读得通的一种"), status=400)
    try:
        encoding = Encoding(form.cleaned_data["encoding"])
        roster.choose_encoding(roster_id, encoding, by=by(request), secrets=secrets())
    except Unreadable as unreadable:
        return file_page(request, found, error=str(unreadable.problem), status=400)
    except NotThere:
        pass  # chosen a moment ago
    return redirect("counter:roster_file", roster_id=roster_id)


@staff_required(*ACTS)
@require_POST
def apply(request: StaffRequest, roster_id: UUID) -> HttpResponse:
    """The one confirmation: all of it, or nothing."""
    found = _file(request, roster_id)
    form = ApplyForm(request.POST)
    if not form.is_valid():
        return file_page(request, found, error=_("页面已过期，请刷新后再试"), status=400)
    try:
        roster_apply.apply(roster_id, form.cleaned_data["revision"], officer=request.officer, by=by(request))
    except roster_apply.NotApplied as refused:
        again = _("名册上有人刚在别处登记或修改，一个人也没有导入；正在重新比对，请再核对一次。")
        text = again if refused.again else _("这个文件不能导入，请看下面的原因；一个人也没有导入。")
        return file_page(request, _file(request, roster_id), error=text, status=409)
    return redirect("counter:roster_file", roster_id=roster_id)


@staff_required(*ACTS)
@require_POST
def discard(request: StaffRequest, roster_id: UUID) -> HttpResponse:
    """Put a file away."""
    _file(request, roster_id)
    try:
        roster.discard(roster_id, officer=request.officer, by=by(request))
    except NotThere:
        messages.info(request, _("这个文件已经办结"))
    return redirect("counter:roster")


@staff_required(*LOOKS)
@require_safe
def rejected(request: StaffRequest, roster_id: UUID) -> HttpResponse:
    """The rows that keep a file back, with their lines and reasons, to be put right in the file."""
    _file(request, roster_id)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="rejected.csv"'
    head = [_("行"), _("学工号"), _("姓名"), _("原因")]
    rows = (
        (row.line, row.school_no, row.name, "；".join(str(problem) for problem in row.problems))
        for row in rosters.rejected(roster_id)
    )
    answer.writelines(csv_lines(head, rows))
    return answer


def _file(request: StaffRequest, roster_id: UUID) -> FileFacts:
    found = rosters.file_facts(roster_id)
    shown: FileFacts = visible(request, found, campus_id=found.campus_id if found else None)
    return shown
