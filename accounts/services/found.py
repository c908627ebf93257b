"""Cards that people bring to a desk: taken in, their owner told, moved, handed back to him, or over their time.

The card lies at one campus, and its desk does what is done with it. To lift a loss report is another deed, with the
card on the reader (``standing.lift_loss``); here a card is only given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from django.db import transaction

from accounts.actors import Actor, AtCounter, Channel
from accounts.models import (
    LIVE_CARD,
    Account,
    Campus,
    Card,
    FoundCard,
    FoundEvent,
    FoundEventKind,
    FoundHow,
    FoundState,
    LostPost,
    NoticeKind,
    OperatorRole,
    PostState,
)
from accounts.services import audit, notices, standing
from accounts.services.errors import NotAllowed
from accounts.services.notices import Message
from accounts.services.operators import Hand, NoSuchOperator, Officer, officer
from accounts.services.rows import lock
from accounts.services.throttle import SHANGHAI

KEEPS = (OperatorRole.CLERK, OperatorRole.SUPERVISOR)
KEPT_FOR = timedelta(days=60)
"""A card waits so long in the drawer (docs/decisions: thirty days on the board, sixty in the drawer)."""
FOUND_WITHIN = timedelta(days=365)


class FoundProblem(StrEnum):
    """Why a deed about a found card is not done. Nothing was written."""

    NOT_ENTITLED = "not_entitled"
    OTHER_CAMPUS = "other_campus"
    OWN_ACCOUNT = "own_account"
    BAD_DAY = "bad_day"
    ALREADY_KEPT = "already_kept"
    NOT_KEPT = "not_kept"
    """It is not in the drawer any more: somebody handed it over or disposed of it."""
    NOBODY_S = "nobody_s"
    """Nobody knows whose card this is."""
    NOT_LIVE = "not_live"
    """An older card of its owner: reporting the account's card lost would stop another piece of plastic."""
    NOT_YET = "not_yet"
    """It is still to be kept."""
    SAME_CAMPUS = "same_campus"
    NO_WORDS = "no_words"
    KEY_REUSED = "key_reused"
    NO_CARD = "no_card"


class NotKept(Exception):
    """It is not done; ``problem`` says why, ``found_id`` which card is meant where there is one."""

    def __init__(self, problem: FoundProblem, found_id: int | None = None) -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.found_id = found_id


@dataclass(frozen=True, slots=True)
class Intake:
    """A card on the desk. ``card_id``: known by the reader, or the live card of the number; ``printed``: the number on
    a card that belongs to nobody known here. ``campus_id`` is only asked of who serves all.
    """

    key: UUID
    how: FoundHow
    place: str
    found_on: date
    kept_at: str
    card_id: int | None = None
    printed: str = ""
    public: bool = True
    campus_id: int | None = None


@transaction.atomic(durable=True)
def take_in(intake: Intake, *, hand: Hand, now: datetime, today: date) -> FoundCard:
    """Put a card into the drawer and tell its owner. The same key again returns the same card. Raises ``NotKept``."""
    known = FoundCard.objects.filter(key=intake.key).first()
    if known is not None:
        return known
    if not intake.place.strip() or not intake.kept_at.strip():
        raise NotKept(FoundProblem.NO_WORDS)
    if not today - FOUND_WITHIN <= intake.found_on <= today:
        raise NotKept(FoundProblem.BAD_DAY)
    card = Card.objects.get(pk=intake.card_id) if intake.card_id is not None else None
    account = lock(card.account_id) if card is not None else None
    person = _keeper(hand, account)
    campus_id = person.campus_id or intake.campus_id
    if campus_id is None:
        raise NotKept(FoundProblem.OTHER_CAMPUS)
    kept = FoundCard.objects.filter(card=card, state=FoundState.KEPT).first() if card else None
    if kept is not None:
        raise NotKept(FoundProblem.ALREADY_KEPT, kept.pk)
    found = FoundCard.objects.create(
        key=intake.key,
        how=intake.how,
        account=account,
        card=card,
        printed="" if card else intake.printed,
        place=intake.place,
        found_on=intake.found_on,
        public=intake.public,
        taken_in_at=now,
        keep_until=today + KEPT_FOR,
        campus_id=campus_id,
        kept_at=intake.kept_at,
        changed_at=now,
    )
    _note(found, _Step(uuid5(intake.key, "taken_in"), FoundEventKind.TAKEN_IN, person, hand, now))
    facts = {"found_on": found.found_on.isoformat(), "keep_until": found.keep_until.isoformat()}
    _tell(found, NoticeKind.CARD_KEPT, now=now, **facts)
    return found


@transaction.atomic(durable=True)
def report_lost(found_id: int, *, key: UUID, hand: Hand, now: datetime) -> str:
    """Report the card lost that lies here, so that nobody else uses its copy or its account. Returns the reference.

    Only the card that is in force: an older one is dead already. Raises ``NotKept``.
    """
    found, person = _kept(found_id, hand)
    if found.card is None or found.account_id is None:
        raise NotKept(FoundProblem.NOBODY_S)
    if found.card.life not in LIVE_CARD:
        raise NotKept(FoundProblem.NOT_LIVE)
    actor = _actor(person, hand)
    try:
        report = standing.take_report(found.account_id, key=key, actor=actor, now=now)
    except standing.KeyReused:
        raise NotKept(FoundProblem.KEY_REUSED) from None
    except NotAllowed:
        raise NotKept(FoundProblem.NO_CARD) from None
    _note(
        found,
        _Step(uuid5(key, "reported"), FoundEventKind.REPORTED_LOST, person, hand, now, report.reference),
    )
    return report.reference


@transaction.atomic(durable=True)
def leave_in_use(found_id: int, *, key: UUID, hand: Hand, now: datetime) -> None:
    """Note that the card stays in use, because its owner is on his way. Raises ``NotKept``."""
    found, person = _kept(found_id, hand)
    _note(found, _Step(key, FoundEventKind.LEFT_IN_USE, person, hand, now))


@transaction.atomic(durable=True)
def move(found_id: int, to_campus_id: int, kept_at: str, *, key: UUID, hand: Hand, now: datetime) -> None:
    """Send it to the desk of another campus, which keeps it from now on; its owner is told. Raises ``NotKept``."""
    if _known(key, found_id):
        return
    found, person = _kept(found_id, hand)
    if to_campus_id == found.campus_id:
        raise NotKept(FoundProblem.SAME_CAMPUS)
    if not kept_at.strip():
        raise NotKept(FoundProblem.NO_WORDS)
    Campus.objects.get(pk=to_campus_id)
    step = _Step(key, FoundEventKind.MOVED, person, hand, now, campus_id=to_campus_id, kept_at=kept_at)
    _note(found, step)
    found.campus_id = to_campus_id
    _tell(found, NoticeKind.CARD_MOVED, now=now, keep_until=found.keep_until.isoformat())


@transaction.atomic(durable=True)
def hand_over(found_id: int, *, key: UUID, door: AtCounter, hand: Hand, now: datetime) -> None:
    """Give the card back to its owner, who showed a document. His search is taken off the board. Raises ``NotKept``."""
    if _known(key, found_id):
        return
    found, person = _kept(found_id, hand)
    if found.account_id is None:
        raise NotKept(FoundProblem.NOBODY_S)
    document = f"{door.document.value} {door.document_note}".strip()
    _note(found, _Step(key, FoundEventKind.HANDED_OVER, person, hand, now, document=document))
    LostPost.objects.filter(
        account_id=found.account_id, state__in=(PostState.SHOWN, PostState.WAITING)
    ).update(state=PostState.CLOSED)
    _tell(found, NoticeKind.CARD_RETURNED, now=now)


@transaction.atomic(durable=True)
def dispose(found_id: int, reason: str, *, key: UUID, hand: Hand, now: datetime, today: date) -> None:
    """Its time is over and nobody came: say what became of the plastic. The account keeps its money.

    Raises ``NotKept``, before the day is over too.
    """
    if _known(key, found_id):
        return
    found, person = _kept(found_id, hand)
    if today <= found.keep_until:
        raise NotKept(FoundProblem.NOT_YET)
    if not reason.strip():
        raise NotKept(FoundProblem.NO_WORDS)
    _note(found, _Step(key, FoundEventKind.GONE, person, hand, now, reason))
    _tell(found, NoticeKind.CARD_GONE, now=now)


# ------------------------------------------------------------------------------------------------- inside


@dataclass(frozen=True, slots=True)
class _Step:
    """What happened to a found card, by whom."""

    key: UUID
    kind: FoundEventKind
    person: Officer
    hand: Hand
    now: datetime
    text: str = ""
    document: str = ""
    campus_id: int | None = None
    kept_at: str = ""


def _keeper(hand: Hand, account: Account | None) -> Officer:
    try:
        person = officer(hand.operator_id)
    except NoSuchOperator:
        raise NotKept(FoundProblem.NOT_ENTITLED) from None
    if person.role not in KEEPS:
        raise NotKept(FoundProblem.NOT_ENTITLED)
    if account is not None and person.holder_id is not None and person.holder_id == account.holder_id:
        raise NotKept(FoundProblem.OWN_ACCOUNT)
    return person


def _kept(found_id: int, hand: Hand) -> tuple[FoundCard, Officer]:
    """A card that lies in a drawer of this operator's campus, with its account locked."""
    account_id = FoundCard.objects.values_list("account_id", flat=True).get(pk=found_id)
    account = lock(account_id) if account_id is not None else None
    found = FoundCard.objects.select_related("card").get(pk=found_id)
    person = _keeper(hand, account)
    if not person.serves(found.campus_id):
        raise NotKept(FoundProblem.OTHER_CAMPUS)
    if found.state != FoundState.KEPT:
        raise NotKept(FoundProblem.NOT_KEPT)
    return found, person


def _known(key: UUID, found_id: int) -> bool:
    """Whether this very press of a button was noted before."""
    event = FoundEvent.objects.filter(key=key).first()
    if event is not None and event.found_id != found_id:
        raise NotKept(FoundProblem.KEY_REUSED)
    return event is not None


def _note(found: FoundCard, step: _Step) -> None:
    """Add the event; the database moves the card along with it."""
    if _known(step.key, found.pk):
        return
    last = FoundEvent.objects.filter(found=found).order_by("-seq").values_list("seq", flat=True).first()
    event = FoundEvent.objects.create(
        found=found,
        seq=(last or 0) + 1,
        key=step.key,
        at=step.now,
        officer_id=step.person.id,
        kind=step.kind,
        campus_id=step.campus_id or found.campus_id,
        kept_at=step.kept_at or found.kept_at,
        text=step.text,
        document=step.document,
    )
    after = {"account": found.account_id, "card": found.card_id, "campus": event.campus_id}
    deed = audit.Deed(f"found.{step.kind.value}", "found_card", found.pk, after=after, reason=step.text)
    audit.record(deed, actor=_actor(step.person, step.hand), now=step.now)


def _tell(found: FoundCard, kind: NoticeKind, *, now: datetime, **facts: str) -> None:
    if found.account_id is None:
        return
    campus = Campus.objects.get(pk=found.campus_id)
    told = {"campus_zh": campus.name_zh, "campus_en": campus.name_en} | facts
    notices.tell(found.account_id, Message(kind, f"found:{found.pk}", told), now=now)


def _actor(person: Officer, hand: Hand) -> Actor:
    return Actor.operator(person.id, role=person.role, channel=Channel.COUNTER, place=hand.place)


def day_of(now: datetime) -> date:
    """The day on the campus."""
    return now.astimezone(SHANGHAI).date()
