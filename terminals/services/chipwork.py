"""Card jobs that write the blocks of a chip: making a blank one a card, and giving a card a new last day.

A chip becomes the card only when it was read back with what the book holds at that moment.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.db import transaction

from accounts.actors import Actor, Channel
from accounts.models import Card, CardLife
from accounts.services import cards
from accounts.services.errors import NotAllowed
from accounts.services.rows import By
from terminals.messages.jobs import JobCardAnswer, JobCardRequest, Verdict
from terminals.models import CardJob, CardJobStep, JobKind, JobState
from terminals.services import jobs
from terminals.services.jobsteps import end_refused, go_to, tell
from terminals.services.taps import Counterpart
from transactions.services import chips
from transactions.services.chips import ChipContent
from transactions.services.desk import DeskRefusal

SchoolMac = Callable[[Card], bytes]
"""The eight bytes by which a chip names its holder's school number."""


def prepare(
    job: CardJob, asked: JobCardRequest, key: uuid.UUID, of: Counterpart, school_mac: SchoolMac
) -> JobCardAnswer:
    card = Card.objects.select_related("account").get(jobs=job)
    if card.life != CardLife.BLANK:
        end_refused(job, DeskRefusal.HAS_CARD, now=of.book.now)
        return JobCardAnswer(Verdict.REFUSED, job.state, refusal=job.refusal)
    uid = bytes.fromhex(asked.uid)
    content = chips.prepare_chip(
        card, uid, school_number_mac=school_mac(card), keys=of.book.keys, book=of.book
    )
    if not isinstance(content, ChipContent):
        end_refused(job, content, now=of.book.now)
        return JobCardAnswer(Verdict.REFUSED, job.state, refusal=content.value)
    job.uid = asked.uid
    if not job.steps.filter(key=key).exists():
        tell(
            job,
            key,
            {"uid": asked.uid, "load_fen": content.load_fen, "first_seq": content.first_seq},
            now=of.book.now,
        )
    return JobCardAnswer(
        Verdict.WRITE,
        job.state,
        book_fen=content.load_fen,
        card_fen=content.load_fen,
        blocks=content.blocks,
    )


def extend(job: CardJob, asked: JobCardRequest, key: uuid.UUID, of: Counterpart) -> JobCardAnswer:
    """Write the last day of the book on the card. A torn identity block cannot be read, so once told it is written."""
    card = Card.objects.select_related("account").get(jobs=job)
    uid, torn = bytes.fromhex(asked.uid), job.told or _torn_before(card, asked.uid)
    renewed = chips.renew_chip(card, uid, None if torn else asked.card, book=of.book)
    if not isinstance(renewed, ChipContent):
        end_refused(job, renewed, now=of.book.now)
        return JobCardAnswer(Verdict.REFUSED, job.state, refusal=renewed.value)
    job.uid = asked.uid
    if not job.steps.filter(key=key).exists():
        day = card.expires_on.isoformat() if card.expires_on else None
        tell(job, key, {"uid": asked.uid, "expires_on": day}, now=of.book.now)
    return JobCardAnswer(
        Verdict.WRITE,
        job.state,
        book_fen=card.account.book_fen,
        card_fen=card.card_fen,
        blocks=renewed.blocks,
    )


def _torn_before(card: Card, uid: str) -> bool:
    """Whether an earlier job of this kind left this very chip with half a block, so that its content proves nothing."""
    unknown = CardJob.objects.filter(card=card, kind=JobKind.EXTEND, state=JobState.STATE_UNKNOWN)
    return unknown.filter(uid=uid).exists()


def issue(job: CardJob, told: CardJobStep, of: Counterpart) -> None:
    """The chip was read back: it becomes the card, unless the book has moved since its content was signed."""
    actor = Actor(job.ordered_by, job.ordered_role, Channel(job.ordered_channel), job.ordered_place)
    try:
        with transaction.atomic():
            card = cards.issue(job.card_id or 0, str(told.detail["uid"]).upper(), by=By(actor, of.book.now))
            if not chips.chip_written(
                card.pk, told.detail["load_fen"], told.detail["first_seq"], book=of.book
            ):
                raise _BookMoved
    except _BookMoved:
        go_to(job, JobState.CARD_AWAITED, None, now=of.book.now)
    except NotAllowed:
        jobs.end(job, JobState.FAILED_UNCHANGED, now=of.book.now, refusal=DeskRefusal.HAS_CARD.value)
    else:
        jobs.end(job, JobState.DONE, now=of.book.now)


class _BookMoved(Exception):
    """The chip holds what the book held a moment ago."""
