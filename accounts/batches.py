"""What the screens read of batches of cards, and the face of one card. Nothing in it changes a row.

Names come out whole: a card is printed with them, and a list is sorted by them. Prints and hand-overs are in the audit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts.models import (
    LIVE_CARD,
    Account,
    AccountLife,
    Campus,
    Card,
    CardLife,
    DocumentKind,
    Holder,
    HolderKind,
    IssueBatch,
    IssueItem,
    Photo,
    RosterMember,
    ServiceKind,
)

NEWEST = 8
_NO_PIN = (DocumentKind.NONE, DocumentKind.PASSPORT, DocumentKind.PERMIT)
"""Documents from which no initial password follows (guide L131)."""


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """A batch of cards with how many stand where."""

    id: int
    name: str
    campus_id: int
    campus: Campus
    made_by: str
    made_at: datetime
    total: int
    printed: int
    written: int
    handed: int
    without_photo: int
    without_pin: int

    @property
    def left(self) -> int:
        """Cards that are not written yet."""
        return self.total - self.written


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """One person's card of a batch, or one card alone, as it is printed and handed over."""

    id: int
    place: int
    account_id: int
    account_life: str
    number: int
    card_id: int
    card_life: str
    issue_no: int
    expires_on: date | None
    holder_id: int
    name: str
    school_no: str
    unit: str
    group: str
    kind: HolderKind
    service: ServiceKind
    campus: Campus
    has_photo: bool
    has_document: bool
    printed_at: datetime | None
    handed_at: datetime | None

    @property
    def blank(self) -> bool:
        """Whether the card is still to be written."""
        return self.card_life == CardLife.BLANK

    @property
    def made(self) -> bool:
        """Whether the card can be handed over."""
        return self.card_life in LIVE_CARD


def newest_batches(campus_id: int | None) -> list[BatchFacts]:
    """The latest batches of a campus, or of all."""
    found = _batches()
    if campus_id is not None:
        found = found.filter(campus_id=campus_id)
    return [_batch(batch) for batch in found.order_by("-made_at")[:NEWEST]]


def batch_facts(batch_id: int) -> BatchFacts | None:
    """One batch, or None."""
    batch = _batches().filter(pk=batch_id).first()
    return _batch(batch) if batch else None


def items(batch_id: int, *, places: range | None = None) -> list[ItemFacts]:
    """The cards of a batch in their order, all or some places."""
    found = _items().filter(batch_id=batch_id)
    if places is not None:
        found = found.filter(place__gte=places.start, place__lt=places.stop)
    return [_item(each) for each in found.order_by("place")]


def item(batch_id: int, item_id: int) -> ItemFacts | None:
    """One card of a batch."""
    found = _items().filter(batch_id=batch_id, pk=item_id).first()
    return _item(found) if found else None


def item_of_card(card_id: int) -> ItemFacts | None:
    """The place of a batch that this card fills."""
    found = _items().filter(card_id=card_id).first()
    return _item(found) if found else None


def next_blank(batch_id: int, *, after_place: int = 0) -> ItemFacts | None:
    """The next card of a batch to be written; from the start again when the rest is done."""
    blank = _items().filter(batch_id=batch_id, card__life=CardLife.BLANK)
    blank = blank.filter(account__life__in=(AccountLife.PENDING, AccountLife.OPEN)).order_by("place")
    found = blank.filter(place__gt=after_place).first() or blank.first()
    return _item(found) if found else None


def units(batch_id: int) -> list[tuple[str, str, int, int, int]]:
    """(college, class, cards, written, handed over) of a batch, in its order."""
    found = (
        IssueItem.objects.filter(batch_id=batch_id)
        .values_list("account__holder__unit", "account__holder__member__group")
        .annotate(
            cards=Count("id"),
            written=Count("id", filter=Q(card__life__in=LIVE_CARD)),
            handed=Count("id", filter=Q(handed_at__isnull=False)),
        )
        .order_by("account__holder__unit", "account__holder__member__group")
    )
    return [(unit, group or "", cards, written, handed) for unit, group, cards, written, handed in found]


def items_of_unit(batch_id: int, unit: str) -> list[ItemFacts]:
    """The cards of one college, for its list."""
    found = _items().filter(batch_id=batch_id, account__holder__unit=unit)
    return [_item(each) for each in found.order_by("place")]


def face_of(account_id: int) -> ItemFacts | None:
    """The card of one account as it is printed: the live one, else the blank that waits."""
    cards = Card.objects.select_related("account__holder__campus", "account__holder__member")
    mine = cards.filter(account_id=account_id, life__in=(*LIVE_CARD, CardLife.BLANK))
    card = mine.order_by("-issue_no").first()
    if card is None:
        return None
    has_photo = Photo.objects.filter(holder_id=card.account.holder_id).exists()
    return _facts(card.account.holder, card, has_photo=has_photo)


def has_account(account_id: int) -> bool:
    """Whether there is such an account."""
    return Account.objects.filter(pk=account_id).exists()


def _batches() -> QuerySet[IssueBatch]:
    no_pin = Q(
        items__account__holder__document_kind__in=(
            DocumentKind.NONE,
            DocumentKind.PASSPORT,
            DocumentKind.PERMIT,
        )
    )
    return IssueBatch.objects.select_related("campus", "made_by").annotate(
        total=Count("items"),
        printed=Count("items", filter=Q(items__printed_at__isnull=False)),
        written=Count("items", filter=Q(items__card__life__in=LIVE_CARD)),
        handed=Count("items", filter=Q(items__handed_at__isnull=False)),
        without_photo=Count("items", filter=Q(items__account__holder__photo=None)),
        without_pin=Count("items", filter=no_pin),
    )


def _batch(batch: Any) -> BatchFacts:
    return BatchFacts(
        id=batch.pk,
        name=batch.name,
        campus_id=batch.campus_id,
        campus=batch.campus,
        made_by=batch.made_by.get_full_name(),
        made_at=batch.made_at,
        total=batch.total,
        printed=batch.printed,
        written=batch.written,
        handed=batch.handed,
        without_photo=batch.without_photo,
        without_pin=batch.without_pin,
    )


def _items() -> QuerySet[IssueItem]:
    return IssueItem.objects.select_related(
        "card", "account__holder__campus", "account__holder__member"
    ).annotate(pictured=Exists(Photo.objects.filter(holder_id=OuterRef("account__holder_id"))))


def _item(item: Any) -> ItemFacts:
    card = item.card
    card.account = item.account
    return _facts(item.account.holder, card, has_photo=bool(item.pictured), item=item)


def _facts(holder: Holder, card: Any, *, has_photo: bool, item: Any = None) -> ItemFacts:
    member: RosterMember | None = getattr(holder, "member", None)
    account = card.account
    return ItemFacts(
        id=item.pk if item else 0,
        place=item.place if item else 0,
        account_id=account.pk,
        account_life=account.life,
        number=account.number,
        card_id=card.pk,
        card_life=card.life,
        issue_no=card.issue_no,
        expires_on=card.expires_on,
        holder_id=holder.pk,
        name=holder.name,
        school_no=holder.school_no,
        unit=holder.unit,
        group=member.group if member else "",
        kind=HolderKind(holder.kind),
        service=ServiceKind(card.kind),
        campus=holder.campus,
        has_photo=has_photo,
        has_document=holder.document_kind
        not in (DocumentKind.NONE, DocumentKind.PASSPORT, DocumentKind.PERMIT),
        printed_at=item.printed_at if item else None,
        handed_at=item.handed_at if item else None,
    )
