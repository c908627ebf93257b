"""The public board: a holder looks for his card, a finder tells of one, the staff keeps an eye on both.

Plain text, with numbers and addresses of people masked before it is stored. Thirty days on the board, thirty more once
if its author asks for them; then the words are forgotten (reliability.md E12, security.md section 6).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor, Channel
from accounts.checks.identifiers import AccountNumber, SchoolNumber
from accounts.checks.private import leads_away, mask_private
from accounts.models import (
    LIVE_CARD,
    Card,
    FinderReport,
    LostPost,
    Notice,
    NoticeKind,
    OperatorRole,
    PostState,
)
from accounts.selectors import find_account
from accounts.services import audit, notices
from accounts.services.found import day_of
from accounts.services.notices import Message
from accounts.services.operators import Hand, NoSuchOperator, officer
from accounts.services.rows import lock
from accounts.services.throttle import Window, take_turn

ON_BOARD = timedelta(days=30)
POSTS_A_DAY = 5
FOUND_WITHIN = timedelta(days=365)
TOLD_A_DAY = 3
"""So often a day an owner is told that somebody found his card; more would be a game played with him."""
FINDERS = Window(5, timedelta(hours=1), timedelta(hours=1))
MODERATORS = (OperatorRole.CLERK, OperatorRole.SUPERVISOR)


class PostProblem(StrEnum):
    """Why a deed on the board is not done. Nothing was written."""

    TOO_MANY = "too_many"
    BAD_DAY = "bad_day"
    NO_CARD = "no_card"
    OVER = "over"
    RENEWED = "renewed"
    NOT_ENTITLED = "not_entitled"
    OTHER_CAMPUS = "other_campus"
    NO_WORDS = "no_words"
    KEY_REUSED = "key_reused"


class NotPosted(Exception):
    """It is not done; ``problem`` says why."""

    def __init__(self, problem: PostProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Search:
    """What a holder writes about his card that is gone."""

    key: UUID
    account_id: int
    campus_id: int
    place: str
    lost_on: date
    text: str = ""


@dataclass(frozen=True, slots=True)
class Tip:
    """What a finder writes: the number on the card, where he found it, where it is now."""

    key: UUID
    number: AccountNumber | SchoolNumber
    place: str
    left_at: str


@transaction.atomic(durable=True)
def post(search: Search, *, actor: Actor, now: datetime) -> LostPost:
    """Put a search on the board; an earlier one of the same holder goes off it. The same key returns the same search.

    What was masked or leads elsewhere waits for the staff. Raises ``NotPosted``.
    """
    account, today = lock(search.account_id), day_of(now)
    known = LostPost.objects.filter(key=search.key).first()
    if known is not None:
        if known.account_id != account.pk:
            raise NotPosted(PostProblem.KEY_REUSED)
        return known
    mine = LostPost.objects.filter(account=account)
    if (
        sum(day_of(at) == today for at in mine.order_by("-id").values_list("posted_at", flat=True)[:10])
        >= POSTS_A_DAY
    ):
        raise NotPosted(PostProblem.TOO_MANY)
    if not today - FOUND_WITHIN <= search.lost_on <= today:
        raise NotPosted(PostProblem.BAD_DAY)
    if not Card.objects.filter(account=account, life__in=LIVE_CARD).exists():
        raise NotPosted(PostProblem.NO_CARD)
    place, text = mask_private(search.place), mask_private(search.text)
    doubtful = (place, text) != (search.place, search.text) or leads_away(f"{place} {text}")
    mine.filter(state__in=(PostState.SHOWN, PostState.WAITING)).update(state=PostState.CLOSED)
    made = LostPost.objects.create(
        key=search.key,
        account=account,
        campus_id=search.campus_id,
        place=place,
        lost_on=search.lost_on,
        text=text,
        posted_at=now,
        expires_on=today + ON_BOARD,
        state=PostState.WAITING if doubtful else PostState.SHOWN,
    )
    _record("lost_post.post", made, actor=actor, now=now)
    return made


@transaction.atomic(durable=True)
def renew(account_id: int, post_id: int, *, actor: Actor, now: datetime) -> LostPost:
    """Leave it on the board for thirty more days, once. Pressed twice it is once. Raises ``NotPosted``."""
    lock(account_id)
    mine = LostPost.objects.get(pk=post_id, account_id=account_id)
    if mine.renewed:
        raise NotPosted(PostProblem.RENEWED)
    if mine.state != PostState.SHOWN or mine.expires_on < day_of(now):
        raise NotPosted(PostProblem.OVER)
    mine.expires_on, mine.renewed = mine.expires_on + ON_BOARD, True
    mine.save(update_fields=["expires_on", "renewed"])
    _record("lost_post.renew", mine, actor=actor, now=now)
    return mine


@transaction.atomic(durable=True)
def close(account_id: int, post_id: int, *, actor: Actor, now: datetime) -> None:
    """Take one's own search off the board. Off already: nothing more."""
    lock(account_id)
    mine = LostPost.objects.get(pk=post_id, account_id=account_id)
    if mine.state in (PostState.SHOWN, PostState.WAITING):
        mine.state = PostState.CLOSED
        mine.save(update_fields=["state"])
        _record("lost_post.close", mine, actor=actor, now=now)


@transaction.atomic(durable=True)
def moderate(post_id: int, *, show: bool, reason: str, hand: Hand, now: datetime) -> None:
    """Put a search on the board or take it off, with a reason that its author is told. Raises ``NotPosted``."""
    try:
        person = officer(hand.operator_id)
    except NoSuchOperator:
        raise NotPosted(PostProblem.NOT_ENTITLED) from None
    if person.role not in MODERATORS:
        raise NotPosted(PostProblem.NOT_ENTITLED)
    found = LostPost.objects.select_for_update().get(pk=post_id)
    if not person.serves(found.campus_id):
        raise NotPosted(PostProblem.OTHER_CAMPUS)
    wanted = PostState.SHOWN if show else PostState.HIDDEN
    if found.state == wanted:
        return
    if found.state == PostState.CLOSED or found.expires_on < day_of(now):
        raise NotPosted(PostProblem.OVER)
    if not show and not reason.strip():
        raise NotPosted(PostProblem.NO_WORDS)
    found.state = wanted
    found.save(update_fields=["state"])
    actor = Actor.operator(person.id, role=person.role, channel=Channel.COUNTER, place=hand.place)
    _record(f"lost_post.{'show' if show else 'hide'}", found, actor=actor, now=now, reason=reason)
    if not show:
        message = Message(NoticeKind.POST_HIDDEN, f"post:{found.pk}", {"reason": reason})
        notices.tell(found.account_id, message, now=now)


def report_find(tip: Tip, *, source: str, now: datetime) -> bool:
    """Tell the owner of a number that his card was found. False: too many from this source, nothing was noted.

    Whether anybody has that number is said to nobody: both ways take the same steps and get the same answer.
    """
    if not take_turn(f"finder:{source}", FINDERS, now=now):
        return False
    with transaction.atomic():
        account = find_account(tip.number)
        account_id = account.pk if account is not None else 0
        told = Notice.objects.filter(
            account_id=account_id, kind=NoticeKind.CARD_FOUND, at__gt=now - timedelta(days=1)
        ).count()
        # Of a double click the second waits here for the first, and then finds that it is said already.
        made, first = FinderReport.objects.get_or_create(
            key=tip.key,
            defaults={
                "account": account,
                "place": mask_private(tip.place),
                "left_at": mask_private(tip.left_at),
                "at": now,
            },
        )
        if first and account is not None and told < TOLD_A_DAY:
            # The words stay with the tip, which is forgotten after thirty days; a notice is not.
            notices.tell(account.pk, Message(NoticeKind.CARD_FOUND, f"tip:{made.pk}"), now=now)
    return True


@transaction.atomic
def forget_old(*, now: datetime) -> int:
    """Forget the words of searches and tips whose time is over. Returns how many. Safe to repeat."""
    posts = LostPost.objects.filter(erased_at__isnull=True, expires_on__lt=day_of(now))
    gone = posts.update(place="", text="", erased_at=now, state=PostState.CLOSED)
    tips = FinderReport.objects.filter(erased_at__isnull=True, at__lt=now - ON_BOARD)
    return gone + tips.update(place="", left_at="", erased_at=now)


def _record(action: str, post_made: LostPost, *, actor: Actor, now: datetime, reason: str = "") -> None:
    after = {"account": post_made.account_id, "state": post_made.state}
    audit.record(
        audit.Deed(action, "lost_post", post_made.pk, after=after, reason=reason), actor=actor, now=now
    )
