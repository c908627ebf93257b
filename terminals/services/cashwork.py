"""Cash and card at one desk: the load that a confirmed slip ordered, and the unload that a supervisor agreed to.

Called by ``jobwork`` under the job's lock, so entry, receipt, used agreement and told image are one transaction.
"""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from accounts.actors import Actor, Channel
from accounts.services import approvals
from purse.rules import Refusal
from terminals.models import CardJob
from terminals.services.taps import Counterpart
from transactions.models import Contra, EntryKind, Receipt, ReceiptKind, entry_id
from transactions.services import desk, receipts, shifts
from transactions.services.desk import DeskRefusal, DeskReply
from transactions.services.orders import TapOrder
from transactions.services.plan import Source
from transactions.services.receipts import NewReceipt

VOID_KIND = "top_up.void"
"""The kind of request that a void carries out (``accounts.services.approvals``)."""


def void_content(receipt: Receipt) -> dict[str, object]:
    """What the second person agrees to, and what is posted."""
    return {"receipt": receipt.number, "account": receipt.account_number, "fen": receipt.fen}


def load(job: CardJob, order: TapOrder, of: Counterpart) -> DeskReply:
    """Book the cash, write the card, issue the receipt; refused once the shift is closed."""
    params, officer_id = job.params, _officer_id(job)
    try:
        shifts.hold(params["contra_ref"], officer_id)
    except shifts.ShiftRefused:
        return _refused(order, of, DeskRefusal.SHIFT_CLOSED)
    source = Source(EntryKind.TOP_UP, Contra.DRAWER, params["contra_ref"], params["note"])
    reply = desk.load_card(order, params["fen"], source, book=of.book)
    if reply.entry_seq is not None and reply.reading is not None:
        book_fen = reply.tap.book_fen
        receipts.issue(
            NewReceipt(
                kind=ReceiptKind.TOP_UP,
                operation=job.id,
                account_id=_account_id(job),
                fen=params["fen"],
                book_before_fen=book_fen - params["fen"],
                book_after_fen=book_fen,
                card_before_fen=reply.reading.sighted.card_fen,
                card_after_fen=reply.tap.card_fen,
                entry_id=entry_id(_account_id(job), reply.entry_seq),
                officer_id=officer_id,
                shift_id=params["contra_ref"],
            ),
            now=of.book.now,
        )
    return reply


def unload(job: CardJob, order: TapOrder, of: Counterpart) -> DeskReply:
    """Take a top-up back as it was agreed to; its receipt is voided by a receipt of its own."""
    params, officer_id = job.params, _officer_id(job)
    receipt = Receipt.objects.get(pk=params["receipt"])
    try:
        shifts.hold(params["shift"], officer_id)
    except shifts.ShiftRefused:
        return _refused(order, of, DeskRefusal.SHIFT_CLOSED)
    if receipt.shift_id != params["shift"] or receipt.account_id != job.account_id:
        return _refused(order, of, DeskRefusal.NOT_AGREED)
    try:
        with transaction.atomic():
            reply = _unloaded(job, receipt, order, of)
    except approvals.NotApproved:
        return _refused(order, of, DeskRefusal.NOT_AGREED)
    except _NotDone as refused:
        return _refused(order, of, refused.why)
    assert reply.reading is not None
    assert reply.entry_seq is not None
    receipts.issue(
        NewReceipt(
            kind=ReceiptKind.VOID,
            operation=job.id,
            account_id=receipt.account_id,
            fen=receipt.fen,
            book_before_fen=reply.tap.book_fen + receipt.fen,
            book_after_fen=reply.tap.book_fen,
            card_before_fen=reply.reading.sighted.card_fen,
            card_after_fen=reply.tap.card_fen,
            entry_id=entry_id(receipt.account_id, reply.entry_seq),
            officer_id=officer_id,
            shift_id=params["shift"],
            voids_id=receipt.pk,
        ),
        now=of.book.now,
    )
    return reply


class _NotDone(Exception):
    """The card or the book stands against it; the agreement is not used up."""

    def __init__(self, why: Refusal | DeskRefusal) -> None:
        super().__init__(why.value)
        self.why = why


def _unloaded(job: CardJob, receipt: Receipt, order: TapOrder, of: Counterpart) -> DeskReply:
    actor = Actor(job.ordered_by, job.ordered_role, Channel(job.ordered_channel), job.ordered_place)
    approvals.use(
        job.params["request"], kind=VOID_KIND, content=void_content(receipt), actor=actor, now=of.book.now
    )
    source = Source(EntryKind.VOID, Contra.DRAWER, job.params["shift"], note=receipt.number)
    reply = desk.unload_card(order, receipt.entry_id, source, book=of.book)
    if reply.refusal is not None:
        raise _NotDone(reply.refusal)
    return reply


def _refused(order: TapOrder, of: Counterpart, why: Refusal | DeskRefusal) -> DeskReply:
    """Only looked at the card."""
    return replace(desk.read_card(order, heal=False, book=of.book), refusal=why)


def _officer_id(job: CardJob) -> int:
    """Whoever ordered; a desk's jobs are ordered by members of staff."""
    return int(job.ordered_by.partition(":")[2])


def _account_id(job: CardJob) -> int:
    assert job.account_id is not None  # the database holds every load to an account
    return job.account_id
