"""Stories of disputes and of found cards: who says what, and the hands that do it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.actors import Actor, AtCounter, Channel
from accounts.models import Operator
from accounts.options import Options
from accounts.papers import PaperKind
from accounts.services.operators import Hand
from reconciliation.kinds import DisputeKind
from reconciliation.models import Dispute
from reconciliation.services.disputes import Claim, open_dispute
from tests.campus import Counter, Person, make_person


def holder_of(person: Person) -> Actor:
    """This holder, on the web."""
    return Actor.holder(person.account.holder.uid, channel=Channel.WEB, place="10.0.0.9")


def hand_of(person: Operator, *, now: datetime | None = None) -> Hand:
    """This operator, whose one-time code was right a moment ago."""
    return Hand(person.pk, "10.0.0.7", (now or timezone.now()) - timedelta(seconds=5))


def door_of(person: Operator, *, holder_id: int | None = None) -> AtCounter:
    """This operator at a desk, having seen an identity card that agrees with the register."""
    actor = Actor.operator(person.pk, role=person.role, channel=Channel.COUNTER, place="10.0.0.7")
    return AtCounter(actor, PaperKind.RESIDENT, own_holder_id=holder_id, document_note="agrees")


def charged(*amounts: int, held: int = 100_00, at: datetime | None = None) -> Person:
    """Somebody whose card paid these at till 7, one after the other, just now. Entry 1 is the opening."""
    person, till = make_person(held, limit_fen=600_00), Counter()
    till.now = at or timezone.now()
    for fen in amounts:
        assert till.tap(person, fen).refusal is None
        till.now += timedelta(seconds=11)
    return person


def claim_of(person: Person, entry_seq: int | None = 3, **fields) -> Claim:
    """What this holder types: charged twice."""
    known = {"kind": DisputeKind.DOUBLE, "text": "刷了一次，扣了两笔", "key": uuid.uuid4()} | fields
    return Claim(account_id=person.account.pk, entry_seq=entry_seq, **known)


def disputed(
    person: Person,
    entry_seq: int = 3,
    *,
    now: datetime | None = None,
    options: Options | None = None,
    **fields,
) -> Dispute:
    """His dispute about this line of his statement."""
    claim = claim_of(person, entry_seq, **fields)
    return open_dispute(
        claim, actor=holder_of(person), now=now or timezone.now(), options=options or Options()
    ).dispute
