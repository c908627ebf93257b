"""Reading lost cards and found ones: the public board, the desk's drawer, and what a holder should know of his own.

What leaves here for the board is masked. A search and a found card of one account are each other's match: it shows by
itself, in both places, as soon as both are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Exists, OuterRef, QuerySet

from accounts.checks.masks import mask_name, mask_school_no
from accounts.models import (
    LIVE_CARD,
    Campus,
    Card,
    FinderReport,
    FoundCard,
    FoundEvent,
    FoundEventKind,
    FoundHow,
    FoundState,
    LostPost,
    PostState,
    ServiceKind,
)
from accounts.services.lostposts import ON_BOARD, POSTS_A_DAY
from accounts.services.throttle import SHANGHAI

PAGE = 20


@dataclass(frozen=True, slots=True)
class Place:
    """A campus, for a screen."""

    id: int
    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One line of the public board, masked. ``matched``: the other side of it is there too."""

    id: int
    card_kind: ServiceKind | None
    name: str
    school_no: str
    place: str
    on: date
    campus: Place
    text: str
    posted_on: date
    matched: bool


@dataclass(frozen=True, slots=True)
class BoardPage:
    """Lines, newest first; ``older`` is where the next page begins, or None."""

    rows: tuple[BoardRow, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class OwnPost:
    """A holder's own search."""

    id: int
    place: str
    text: str
    lost_on: date
    campus: Place
    state: PostState
    posted_at: datetime
    expires_on: date
    renewed: bool

    def on_board(self, today: date) -> bool:
        """Whether everybody sees it."""
        return self.state is PostState.SHOWN and self.expires_on >= today


@dataclass(frozen=True, slots=True)
class ModerationRow:
    """A search for the staff to look at."""

    post: OwnPost
    account_id: int
    account_number: int


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A found card for the desk: masked, with where it is."""

    id: int
    how: FoundHow
    state: FoundState
    account_id: int | None
    account_number: int | None
    name: str
    school_no: str
    printed: str
    place: str
    found_on: date
    taken_in_at: datetime
    keep_until: date
    campus: Place
    kept_at: str
    public: bool
    card_id: int | None
    live: bool
    """Whether it is the card in force of its account."""
    lost: bool
    """Whether that card is reported lost now."""
    searched: bool
    """Whether its owner looks for it on the board."""

    def overdue(self, today: date) -> bool:
        """Whether it lay in the drawer for its whole time."""
        return self.state is FoundState.KEPT and today > self.keep_until


@dataclass(frozen=True, slots=True)
class FoundMoment:
    """One event of a found card."""

    at: datetime
    kind: FoundEventKind
    author: str
    campus: Place
    kept_at: str
    text: str
    document: str


@dataclass(frozen=True, slots=True)
class FinderTip:
    """What a finder told about a holder's card."""

    id: int
    place: str
    left_at: str
    at: datetime


def board_lost(
    *, today: date, campus_id: int | None = None, since: date | None = None, older: int | None = None
) -> BoardPage:
    """寻卡: what holders look for. One statement."""
    posts = _on_board(today).annotate(found=Exists(_kept_of(OuterRef("account_id"))))
    posts = posts.select_related("account__holder", "campus")
    if campus_id is not None:
        posts = posts.filter(campus_id=campus_id)
    if since is not None:
        posts = posts.filter(lost_on__gte=since)
    if older is not None:
        posts = posts.filter(pk__lt=older)
    found = list(posts.order_by("-pk")[: PAGE + 1])
    rows = tuple(
        BoardRow(
            id=post.pk,
            card_kind=ServiceKind(post.account.kind),
            name=mask_name(post.account.holder.name),
            school_no=mask_school_no(post.account.holder.school_no),
            place=post.place,
            on=post.lost_on,
            campus=_place(post.campus),
            text=post.text,
            posted_on=_day(post.posted_at),
            matched=bool(getattr(post, "found", False)),
        )
        for post in found[:PAGE]
    )
    return BoardPage(rows, rows[-1].id if len(found) > PAGE else None)


def board_found(
    *, today: date, campus_id: int | None = None, since: date | None = None, older: int | None = None
) -> BoardPage:
    """拾卡: what lies in the desks' drawers, for thirty days. One statement."""
    cards = _found().filter(state=FoundState.KEPT, public=True, taken_in_at__date__gte=today - ON_BOARD)
    cards = cards.annotate(searched=Exists(_on_board(today).filter(account_id=OuterRef("account_id"))))
    if campus_id is not None:
        cards = cards.filter(campus_id=campus_id)
    if since is not None:
        cards = cards.filter(found_on__gte=since)
    if older is not None:
        cards = cards.filter(pk__lt=older)
    found = list(cards.order_by("-pk")[: PAGE + 1])
    rows = tuple(
        BoardRow(
            id=card.pk,
            card_kind=ServiceKind(card.account.kind) if card.account else None,
            name=mask_name(card.account.holder.name) if card.account else "",
            school_no=mask_school_no(card.account.holder.school_no if card.account else card.printed),
            place=card.place,
            on=card.found_on,
            campus=_place(card.campus),
            text="",
            posted_on=_day(card.taken_in_at),
            matched=bool(getattr(card, "searched", False)),
        )
        for card in found[:PAGE]
    )
    return BoardPage(rows, rows[-1].id if len(found) > PAGE else None)


def own_posts(account_id: int, *, newest: int = 10) -> tuple[OwnPost, ...]:
    """A holder's searches, newest first."""
    posts = LostPost.objects.select_related("campus").filter(account_id=account_id, erased_at__isnull=True)
    return tuple(_post(each) for each in posts.order_by("-pk")[:newest])


def posts_left(account_id: int, *, today: date) -> int:
    """How many more a holder may write today."""
    newest = (
        LostPost.objects.filter(account_id=account_id).order_by("-pk").values_list("posted_at", flat=True)
    )
    return max(0, POSTS_A_DAY - sum(_day(at) == today for at in newest[:POSTS_A_DAY]))


def searches(
    campus_id: int | None, *, today: date, waiting_only: bool = False, newest: int = 50
) -> tuple[ModerationRow, ...]:
    """What the staff may look at: those that wait first, then what is on the board."""
    states = [PostState.WAITING] if waiting_only else [PostState.WAITING, PostState.SHOWN, PostState.HIDDEN]
    posts = LostPost.objects.select_related("campus", "account").filter(
        state__in=states, expires_on__gte=today, erased_at__isnull=True
    )
    if campus_id is not None:
        posts = posts.filter(campus_id=campus_id)
    rows = [
        ModerationRow(_post(each), each.account_id, each.account.number)
        for each in posts.order_by("-pk")[:newest]
    ]
    return tuple(sorted(rows, key=lambda row: row.post.state is not PostState.WAITING))


def search_of(post_id: int) -> ModerationRow | None:
    """One search for the staff, or None."""
    found = LostPost.objects.select_related("campus", "account").filter(pk=post_id).first()
    return ModerationRow(_post(found), found.account_id, found.account.number) if found else None


def kept(
    campus_id: int | None, *, state: FoundState = FoundState.KEPT, older: int | None = None
) -> tuple[tuple[FoundRow, ...], int | None]:
    """The drawer of a campus, or all of them, newest first, and where the next page begins."""
    cards = _found().filter(state=state)
    if campus_id is not None:
        cards = cards.filter(campus_id=campus_id)
    if older is not None:
        cards = cards.filter(pk__lt=older)
    found = list(_with_search(cards).order_by("-pk")[: PAGE + 1])
    rows = tuple(_row(each) for each in found[:PAGE])
    return rows, rows[-1].id if len(found) > PAGE else None


def found_card(found_id: int) -> FoundRow | None:
    """One found card, or None."""
    found = _with_search(_found()).filter(pk=found_id).first()
    return _row(found) if found else None


def found_moments(found_id: int) -> tuple[FoundMoment, ...]:
    """What happened to a found card, in order."""
    events = FoundEvent.objects.select_related("officer", "campus").filter(found_id=found_id).order_by("seq")
    return tuple(
        FoundMoment(
            event.at,
            FoundEventKind(event.kind),
            event.officer.get_full_name(),
            _place(event.campus),
            event.kept_at,
            event.text,
            event.document,
        )
        for event in events
    )


def kept_for(account_id: int) -> tuple[FoundRow, ...]:
    """The cards of an account that lie in a drawer now."""
    return tuple(
        _row(each) for each in _with_search(_kept_of(account_id)).select_related(*_WITH).order_by("-pk")
    )


def tips_for(account_id: int, *, since: datetime) -> tuple[FinderTip, ...]:
    """What finders told about the card of an account, newest first."""
    tips = FinderReport.objects.filter(account_id=account_id, at__gte=since, erased_at__isnull=True)
    return tuple(FinderTip(tip.pk, tip.place, tip.left_at, tip.at) for tip in tips.order_by("-at")[:5])


_WITH = ("account__holder", "campus", "card")


def _found() -> QuerySet[FoundCard]:
    return FoundCard.objects.select_related(*_WITH)


def _kept_of(account_id: int | OuterRef) -> QuerySet[FoundCard]:
    return FoundCard.objects.filter(account_id=account_id, state=FoundState.KEPT)


def _on_board(today: date) -> QuerySet[LostPost]:
    return LostPost.objects.filter(state=PostState.SHOWN, expires_on__gte=today)


def _with_search(cards: QuerySet[FoundCard]) -> QuerySet[FoundCard]:
    looked_for = LostPost.objects.filter(account_id=OuterRef("account_id"), state=PostState.SHOWN)
    return cards.annotate(searched=Exists(looked_for))


def _row(found: FoundCard) -> FoundRow:
    account, card = found.account, found.card
    return FoundRow(
        id=found.pk,
        how=FoundHow(found.how),
        state=FoundState(found.state),
        account_id=found.account_id,
        account_number=account.number if account else None,
        name=mask_name(account.holder.name) if account else "",
        school_no=mask_school_no(account.holder.school_no) if account else "",
        printed=found.printed,
        place=found.place,
        found_on=found.found_on,
        taken_in_at=found.taken_in_at,
        keep_until=found.keep_until,
        campus=_place(found.campus),
        kept_at=found.kept_at,
        public=found.public,
        card_id=found.card_id,
        live=card is not None and card.life in LIVE_CARD,
        lost=card is not None and card.lost,
        searched=bool(getattr(found, "searched", False)),
    )


def _post(found: LostPost) -> OwnPost:
    return OwnPost(
        id=found.pk,
        place=found.place,
        text=found.text,
        lost_on=found.lost_on,
        campus=_place(found.campus),
        state=PostState(found.state),
        posted_at=found.posted_at,
        expires_on=found.expires_on,
        renewed=found.renewed,
    )


def _place(campus: Campus) -> Place:
    return Place(campus.pk, campus.code, campus.name_zh, campus.name_en)


def _day(at: datetime) -> date:
    return at.astimezone(SHANGHAI).date()


def live_card_id(account_id: int) -> int | None:
    """The card in force of an account, or None."""
    return Card.objects.filter(account_id=account_id, life__in=LIVE_CARD).values_list("pk", flat=True).first()
