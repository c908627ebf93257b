"""Rows of the permission matrix for ``counter/people``, and the account that its addresses name."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.utils import timezone

from accounts.models import CounterDeed, PadRequest
from tests.reconciliation.books import Book

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
counter:accounts        GET   in - 200 200 403 200 200 200 200 200 403 403
counter:accounts        POST  in - 405 405 403 405 405 405 405 405 403 403
counter:account         GET   in - 200 200 403 200 200 200 200 200 403 403
counter:account         POST  in - 405 405 403 405 405 405 405 405 403 403
counter:open_statement  GET   in - 405 405 403 405 405 405 405 405 403 403
counter:open_statement  POST  in - 400 400 403 400 400 400 400 400 403 403
counter:identity        GET   in - 200 200 403 200 200 200 403 403 403 403
counter:identity        POST  in - 400 400 403 400 400 400 403 403 403 403
counter:statement       GET   in - go  go  403 go  go  go  go  go  403 403
counter:statement       POST  in - 405 405 403 405 405 405 405 405 403 403
counter:loss_history    GET   in - 200 200 403 200 200 200 200 200 403 403
counter:loss_history    POST  in - 405 405 403 405 405 405 405 405 403 403
counter:report_loss     GET   in - 200 200 403 200 200 200 403 403 403 403
counter:report_loss     POST  in - 400 400 403 400 400 400 403 403 403 403
counter:lift_loss       GET   in - 200 200 403 200 200 200 403 403 403 403
counter:lift_loss       POST  in - 400 400 403 400 400 400 403 403 403 403
counter:freeze          GET   in - 200 200 403 200 200 200 403 403 403 403
counter:freeze          POST  in - 400 400 403 400 400 400 403 403 403 403
counter:limit           GET   in - 200 200 403 200 200 200 403 403 403 403
counter:limit           POST  in - 400 400 403 400 400 400 403 403 403 403
counter:passwords       GET   in - 200 200 403 200 200 200 403 403 403 403
counter:passwords       POST  in - 400 400 403 400 400 400 403 403 403 403
counter:pad_progress    GET   in - 200 200 403 200 200 200 403 403 403 403
counter:pad_progress    POST  in - 405 405 403 405 405 405 403 403 403 403
counter:cancel_pad      GET   in - 405 405 403 405 405 405 403 403 403 403
counter:cancel_pad      POST  in - go  go  403 go  go  go  403 403 403 403
counter:bank_card       GET   in - 200 200 403 200 200 200 403 403 403 403
counter:bank_card       POST  in - 400 400 403 400 400 400 403 403 403 403
counter:unbind          GET   in - 200 200 403 200 200 200 403 403 403 403
counter:unbind          POST  in - 400 400 403 400 400 400 403 403 403 403
counter:heal_card       GET   in - 405 405 403 405 405 405 403 403 403 403
counter:heal_card       POST  in - go  go  403 go  go  go  403 403 403 403
counter:served          GET   in - 200 200 403 200 200 200 200 200 403 403
counter:served          POST  in - 405 405 403 405 405 405 405 405 403 403
counter:diagnose_card   GET   in - 200 404 200 200 404 200 200 404 403 403
counter:diagnose_card   POST  in - 405 405 405 405 405 405 405 405 403 403
counter:pad_waiting     GET   in - 200 200 403 200 200 200 403 403 403 403
counter:pad_waiting     POST  in - 405 405 403 405 405 405 403 403 403 403
counter:pad             GET   200 - - - - - - - - - - -
counter:pad             POST  400 - - - - - - - - - - -
"""


def world() -> dict[str, object]:
    """An account at 崂山 whose card and book hold 50.00, a pad that waits for its holder, and a deed done."""
    account, moment = Book.open(50_00).account, timezone.now()
    pad = PadRequest.objects.create(
        key=uuid.uuid4(), account=account, task="set", kind="query", document="resident", document_note="agrees",
        asked_by="operator:1", asked_role="clerk", asked_at=moment, expires_at=moment + timedelta(minutes=30),
    )  # fmt: skip
    done = CounterDeed.objects.create(
        key=uuid.uuid4(), kind="limit", account=account, content_hash=bytes(32),
        facts={"before_fen": 50_00, "after_fen": 100_00}, made_by="operator:1", made_role="clerk", made_at=moment,
    )  # fmt: skip
    return {"account_id": account.pk, "pad_id": pad.key, "pad_key": pad.key, "done_key": done.key}
