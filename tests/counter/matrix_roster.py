"""The rows of the permission matrix for the pages of many at once, and what their addresses name."""

from __future__ import annotations

import uuid

from django.utils import timezone

from accounts.models import (
    Account,
    Campus,
    Card,
    ClosingBatch,
    ClosingItem,
    Holder,
    IssueBatch,
    IssueItem,
    Operator,
    OperatorRole,
    Photo,
    PhotoUpload,
    RosterFile,
)

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
counter:roster           GET   in - 200 200 403 200 200 200 200 200 403 403
counter:roster           POST  in - 405 405 403 405 405 405 405 405 403 403
counter:roster_form      GET   in - 200 200 403 200 200 200 403 403 403 403
counter:roster_form      POST  in - 405 405 403 405 405 405 403 403 403 403
counter:roster_upload    GET   in - 405 405 403 405 405 405 403 403 403 403
counter:roster_upload    POST  in - 400 400 403 400 400 400 403 403 403 403
counter:roster_file      GET   in - 200 404 403 200 404 200 200 404 403 403
counter:roster_file      POST  in - 405 405 403 405 405 405 405 405 403 403
counter:roster_slice     GET   in - 405 405 403 405 405 405 403 403 403 403
counter:roster_slice     POST  in - go  404 403 go  404 go  403 403 403 403
counter:roster_encoding  GET   in - 405 405 403 405 405 405 403 403 403 403
counter:roster_encoding  POST  in - 400 404 403 400 404 400 403 403 403 403
counter:roster_apply     GET   in - 405 405 403 405 405 405 403 403 403 403
counter:roster_apply     POST  in - 400 404 403 400 404 400 403 403 403 403
counter:roster_discard   GET   in - 405 405 403 405 405 405 403 403 403 403
counter:roster_discard   POST  in - go  404 403 go  404 go  403 403 403 403
counter:roster_rejected  GET   in - 200 404 403 200 404 200 200 404 403 403
counter:roster_rejected  POST  in - 405 405 403 405 405 405 405 405 403 403
counter:photos_upload    GET   in - 405 405 403 405 405 405 403 403 403 403
counter:photos_upload    POST  in - 400 400 403 400 400 400 403 403 403 403
counter:photos_missing   GET   in - 200 200 403 200 200 200 200 200 403 403
counter:photos_missing   POST  in - 405 405 403 405 405 405 405 405 403 403
counter:photos_archive   GET   in - 200 404 403 200 404 200 200 404 403 403
counter:photos_archive   POST  in - 405 405 403 405 405 405 405 405 403 403
counter:photos_slice     GET   in - 405 405 403 405 405 405 403 403 403 403
counter:photos_slice     POST  in - go  404 403 go  404 go  403 403 403 403
counter:photo            GET   in - 200 200 200 200 200 200 200 200 403 403
counter:photo            POST  in - 405 405 405 405 405 405 405 405 403 403
counter:issue_new        GET   in - 200 200 403 200 200 200 403 403 403 403
counter:issue_new        POST  in - 400 400 403 400 400 400 403 403 403 403
counter:issue            GET   in - 200 404 403 200 404 200 200 404 403 403
counter:issue            POST  in - 405 405 403 405 405 405 405 405 403 403
counter:issue_faces      GET   in - 200 404 403 200 404 200 403 403 403 403
counter:issue_faces      POST  in - go  404 403 go  404 go  403 403 403 403
counter:issue_series     GET   in - 200 404 403 200 404 200 403 403 403 403
counter:issue_series     POST  in - 400 404 403 400 404 400 403 403 403 403
counter:issue_again      GET   in - 405 405 403 405 405 405 403 403 403 403
counter:issue_again      POST  in - 400 404 403 400 404 400 403 403 403 403
counter:issue_handover   GET   in - 200 404 403 200 404 200 200 404 403 403
counter:issue_handover   POST  in - 405 405 403 405 405 405 405 405 403 403
counter:issue_handed     GET   in - 405 405 403 405 405 405 403 403 403 403
counter:issue_handed     POST  in - go  404 403 go  404 go  403 403 403 403
counter:closings_new     GET   in - 403 403 403 200 200 200 403 403 403 403
counter:closings_new     POST  in - 403 403 403 400 400 400 403 403 403 403
counter:closings         GET   in - 200 404 403 200 404 200 200 404 403 403
counter:closings         POST  in - 405 405 403 405 405 405 405 405 403 403
counter:closings_start   GET   in - 403 403 403 405 405 405 403 403 403 403
counter:closings_start   POST  in - 403 403 403 go  404 go  403 403 403 403
counter:closings_slice   GET   in - 403 403 403 405 405 405 403 403 403 403
counter:closings_slice   POST  in - 403 403 403 go  404 go  403 403 403 403
counter:closings_discard GET   in - 403 403 403 405 405 405 403 403 403 403
counter:closings_discard POST  in - 403 403 403 go  404 go  403 403 403 403
counter:face             GET   in - 200 200 403 200 200 200 200 200 403 403
counter:face             POST  in - 405 405 403 405 405 405 405 405 403 403
"""


def world() -> dict[str, object]:
    """A file that waits, an archive of photos, a batch of one card, a list of one closing, all at 崂山."""
    moment = timezone.now()
    laoshan, _ = Campus.objects.get_or_create(code="laoshan")
    office = Operator.objects.create(username="roster.office", role=OperatorRole.CLERK, campus=laoshan)
    holder = Holder.objects.create(school_no="20269990001", name="名册人", kind="student", campus=laoshan)
    account = Account.objects.create(number=19_991, holder=holder, campus=laoshan)
    card = Card.objects.create(account=account, uid="")
    file = RosterFile.objects.create(
        id=uuid.uuid4(), name="名册.xlsx", digest=bytes(32), scope="additions", campus=laoshan, state="ready",
        content=b"x", uploaded_by=office, uploaded_at=moment,
    )  # fmt: skip
    archive = PhotoUpload.objects.create(
        id=uuid.uuid4(),
        name="照片.zip",
        campus=laoshan,
        uploaded_by=office,
        uploaded_at=moment,
        ended_at=moment,
    )
    Photo.objects.create(
        holder=holder, image=b"jpeg", source_digest=bytes(32), taken_in_at=moment, taken_in_by=office
    )
    batch = IssueBatch.objects.create(
        key=uuid.uuid4(), name="新生", campus=laoshan, made_by=office, made_at=moment
    )
    IssueItem.objects.create(batch=batch, place=1, account=account, card=card)
    closings = ClosingBatch.objects.create(
        key=uuid.uuid4(), name="毕业生", campus=laoshan, made_by=office, made_at=moment
    )
    ClosingItem.objects.create(batch=closings, place=1, account=account)
    return {
        "roster_id": file.pk,
        "archive_id": archive.pk,
        "pictured_id": holder.pk,
        "batch_id": batch.pk,
        "closing_id": closings.pk,
    }
