"""Photos: an archive comes in, its pictures are looked at one by one, and who has none is listed."""

from __future__ import annotations

from uuid import UUID

from csp.constants import NONE
from csp.decorators import csp_replace
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import rosters
from accounts.roster_files.sheets import Unreadable
from accounts.rosters import ArchiveFacts
from accounts.services import photos
from accounts.services.photos import ARCHIVE_MAX
from accounts.wiring import now
from counter.access import StaffRequest, staff_required
from counter.pages import ACTS, staff_page
from counter.roster.forms import PhotosForm
from counter.roster.uploads import FORM_BYTES, bounded, is_too_large
from counter.roster.views.common import LOOKS, SEES_FACES, by, slice_answer, visible
from counter.roster.views.rosters import home_page

PAGE = 100
_PAGES = 1000


@bounded(ARCHIVE_MAX + FORM_BYTES)
@staff_required(*ACTS)
@require_POST
def upload(request: StaffRequest) -> HttpResponse:
    """Bring an archive."""
    form = PhotosForm(request.POST, request.FILES, auto_id="photos_%s")
    if is_too_large(request):
        form.errors.clear()
        form.add_error(None, _("文件超过 %(limit)s MB") % {"limit": ARCHIVE_MAX // 1024 // 1024})
        return home_page(request, photos_form=form, status=413)
    if not form.is_valid():
        return home_page(request, photos_form=form, status=400)
    sent = form.cleaned_data["file"]
    try:
        taken = photos.take_in(
            form.cleaned_data["key"], sent.name or "", sent.file, officer=request.officer, by=by(request)
        )
    except Unreadable as unreadable:
        form.add_error("file", str(unreadable.problem))
        return home_page(request, photos_form=form, status=400)
    return redirect("counter:photos_archive", archive_id=taken.pk)


@staff_required(*LOOKS)
@require_safe
def archive(request: StaffRequest, archive_id: UUID) -> HttpResponse:
    """One archive: how far it is, and which pictures were not taken."""
    found = _archive(request, archive_id)
    context = {
        "archive": found,
        "refused": rosters.refused_photos(archive_id),
        "without_photo": rosters.without_photo(request.officer.campus_id).count(),
    }
    return staff_page(request, "counter/roster/archive.html", context)


@staff_required(*ACTS)
@require_POST
def go_on(request: StaffRequest, archive_id: UUID) -> HttpResponse:
    """Look at the next pictures."""
    _archive(request, archive_id)
    done = photos.advance(archive_id, now=now())
    share = done.position * 100 // max(1, done.total)
    return slice_answer(
        request,
        over=done.over,
        share=share,
        onward=lambda: reverse("counter:photos_archive", args=[archive_id]),
    )


@staff_required(*LOOKS)
@require_safe
def missing(request: StaffRequest) -> HttpResponse:
    """Who stands on the roster and has no picture."""
    asked = request.GET.get("page", "1")
    if not (asked.isascii() and asked.isdigit() and 0 < int(asked[:5]) <= _PAGES and len(asked) < 5):
        raise Http404
    page = Paginator(rosters.without_photo(request.officer.campus_id), PAGE).get_page(int(asked))
    return staff_page(request, "counter/roster/missing.html", {"page": page})


@csp_replace({"default-src": [NONE], "sandbox": True})
@staff_required(*SEES_FACES)
@require_safe
def photo(request: StaffRequest, pictured_id: int) -> HttpResponse:
    """The picture of one person, for eyes at a desk: never kept by a browser, nothing in it is ever run."""
    image = rosters.photo_of(pictured_id)
    if image is None:
        raise Http404
    answer = HttpResponse(image, content_type="image/jpeg")
    answer["Content-Disposition"] = "inline"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _archive(request: StaffRequest, archive_id: UUID) -> ArchiveFacts:
    found = rosters.archive_facts(archive_id)
    shown: ArchiveFacts = visible(request, found, campus_id=found.campus_id if found else None)
    return shown
