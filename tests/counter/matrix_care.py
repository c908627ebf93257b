"""Disputes, found cards and searches: what everybody gets at their addresses, and what these name."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.utils import timezone

from accounts.actors import Actor, Channel
from accounts.models import Campus, FoundHow, LostPost, OperatorRole
from accounts.options import Options
from accounts.services.found import Intake, take_in
from accounts.services.operators import Hand
from reconciliation.kinds import DisputeKind
from reconciliation.services.disputes import Claim, open_dispute
from tests.reconciliation import desk
from tests.reconciliation.books import Book
from transactions.days import local_day

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
portal:lost_found           GET   200 - - - - - - - - - - -
portal:lost_found           POST  405 - - - - - - - - - - -
portal:finder               GET   200 - - - - - - - - - - -
portal:finder               POST  400 - - - - - - - - - - -
portal:finder_thanks        GET   200 - - - - - - - - - - -
portal:finder_thanks        POST  405 - - - - - - - - - - -
portal:movement             GET   in 200 in - - - - - - - - -
portal:movement             POST  in 405 in - - - - - - - - -
portal:dispute_movement     GET   in 200 in - - - - - - - - -
portal:dispute_movement     POST  in 400 in - - - - - - - - -
portal:disputes             GET   in 200 in - - - - - - - - -
portal:disputes             POST  in 405 in - - - - - - - - -
portal:missing_top_up       GET   in 200 in - - - - - - - - -
portal:missing_top_up       POST  in 400 in - - - - - - - - -
portal:dispute              GET   in 404 in - - - - - - - - -
portal:dispute              POST  in 405 in - - - - - - - - -
portal:dispute_word         GET   in 405 in - - - - - - - - -
portal:dispute_word         POST  in 404 in - - - - - - - - -
portal:dispute_withdraw     GET   in 405 in - - - - - - - - -
portal:dispute_withdraw     POST  in 404 in - - - - - - - - -
portal:messages             GET   in 200 in - - - - - - - - -
portal:messages             POST  in 405 in - - - - - - - - -
portal:lost_card            GET   in 200 in - - - - - - - - -
portal:lost_card            POST  in 405 in - - - - - - - - -
portal:post_search          GET   in 405 in - - - - - - - - -
portal:post_search          POST  in 400 in - - - - - - - - -
portal:renew_search         GET   in 405 in - - - - - - - - -
portal:renew_search         POST  in 404 in - - - - - - - - -
portal:close_search         GET   in 405 in - - - - - - - - -
portal:close_search         POST  in 404 in - - - - - - - - -

counter:disputes            GET   in - 200 200 403 200 200 200 200 200 403 403
counter:disputes            POST  in - 405 405 403 405 405 405 405 405 403 403
counter:dispute             GET   in - 200 200 403 200 200 200 200 200 403 403
counter:dispute             POST  in - 405 405 403 405 405 405 405 405 403 403
counter:dispute_take        GET   in - 405 405 403 405 405 405 403 403 403 403
counter:dispute_take        POST  in - 400 400 403 400 400 400 403 403 403 403
counter:dispute_ask         GET   in - 405 405 403 405 405 405 403 403 403 403
counter:dispute_ask         POST  in - 400 400 403 400 400 400 403 403 403 403
counter:dispute_remark      GET   in - 405 405 403 405 405 405 403 403 403 403
counter:dispute_remark      POST  in - 400 400 403 400 400 400 403 403 403 403
counter:dispute_settle      GET   in - 405 405 403 405 405 405 403 403 403 403
counter:dispute_settle      POST  in - 400 400 403 400 400 400 403 403 403 403
counter:dispute_refuse      GET   in - 405 405 403 405 405 405 403 403 403 403
counter:dispute_refuse      POST  in - 400 400 403 400 400 400 403 403 403 403
counter:dispute_refund      GET   in - 200 200 403 200 200 200 403 403 403 403
counter:dispute_refund      POST  in - 400 400 403 400 400 400 403 403 403 403
counter:open_dispute        GET   in - 200 200 403 200 200 200 403 403 403 403
counter:open_dispute        POST  in - 404 404 403 404 404 404 403 403 403 403
counter:found_cards         GET   in - 200 200 403 200 200 200 200 200 403 403
counter:found_cards         POST  in - 405 405 403 405 405 405 405 405 403 403
counter:found_new           GET   in - 200 200 403 200 200 200 403 403 403 403
counter:found_new           POST  in - 400 400 403 400 400 400 403 403 403 403
counter:found_card          GET   in - 200 200 403 200 200 200 200 200 403 403
counter:found_card          POST  in - 405 405 403 405 405 405 405 405 403 403
counter:found_report_lost   GET   in - 405 405 403 405 405 405 403 403 403 403
counter:found_report_lost   POST  in - 400 404 403 400 404 400 403 403 403 403
counter:found_leave         GET   in - 405 405 403 405 405 405 403 403 403 403
counter:found_leave         POST  in - 400 404 403 400 404 400 403 403 403 403
counter:found_move          GET   in - 405 405 403 405 405 405 403 403 403 403
counter:found_move          POST  in - 400 404 403 400 404 400 403 403 403 403
counter:found_hand_over     GET   in - 200 404 403 200 404 200 403 403 403 403
counter:found_hand_over     POST  in - 400 404 403 400 404 400 403 403 403 403
counter:found_dispose       GET   in - 405 405 403 405 405 405 403 403 403 403
counter:found_dispose       POST  in - 400 404 403 400 404 400 403 403 403 403
counter:searches            GET   in - 200 200 403 200 200 200 200 200 403 403
counter:searches            POST  in - 405 405 403 405 405 405 405 405 403 403
counter:search_show         GET   in - 405 405 403 405 405 405 403 403 403 403
counter:search_show         POST  in - 400 404 403 400 404 400 403 403 403 403
counter:search_hide         GET   in - 405 405 403 405 405 405 403 403 403 403
counter:search_hide         POST  in - 400 404 403 400 404 400 403 403 403 403
"""


def world() -> dict[str, object]:
    """A disputed sale, a card in a drawer and a search, all of 崂山."""
    book, moment = Book.open(50_00), timezone.now()
    book.pay(5_50)
    claim = Claim(uuid.uuid4(), book.account.pk, DisputeKind.WRONG_AMOUNT, "打错了", entry_seq=2)
    actor = Actor.holder(book.account.holder.uid, channel=Channel.WEB)
    dispute = open_dispute(claim, actor=actor, now=moment, options=Options()).dispute
    clerk = desk.operator("care.clerk", OperatorRole.CLERK)
    intake = Intake(
        uuid.uuid4(), FoundHow.NUMBER, "学苑餐厅", local_day(moment), "抽屉", card_id=book.card.pk
    )
    found = take_in(intake, hand=Hand(clerk.pk, "10.0.0.7", moment), now=moment, today=local_day(moment))
    post = LostPost.objects.create(
        key=uuid.uuid4(), account=book.account, campus=Campus.objects.get(code="laoshan"), place="学苑餐厅",
        lost_on=local_day(moment), posted_at=moment, expires_on=local_day(moment) + timedelta(days=30),
        state="waiting",
    )  # fmt: skip
    return {"dispute_id": dispute.pk, "found_id": found.pk, "post_id": post.pk, "entry_seq": 1}
