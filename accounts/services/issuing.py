"""From a person to a card in his hand: eligible, opened, made, looked at, handed over (guide L17-19, R003-R007).

Each function is one deed of a desk: one transaction, one key. The chip itself is written by a card job (``prepare``)
for the BLANK row that stands here; nothing is in force before that job read it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.views.decorators.debug import sensitive_variables

from accounts.actors import AtCounter
from accounts.keys import Secrets
from accounts.making import not_handed_over
from accounts.models import (
    LIVE_CARD,
    Account,
    AccountLife,
    Campus,
    Card,
    CardLife,
    CounterDeed,
    DeedKind,
    DocumentKind,
    Holder,
    HolderKind,
    IssueItem,
    RosterMember,
    Secret,
    SecretKind,
    ServiceKind,
)
from accounts.papers import IDENTITY, PaperKind, SeenPaper
from accounts.services import accounts, cards, deeds, holders, papers, passwords
from accounts.services.accounts import Order
from accounts.services.cards import NewCard
from accounts.services.errors import NotAllowed, Reason
from accounts.services.holders import AlreadyRegistered, Person
from accounts.services.passwords import refuse_own
from accounts.services.rows import By, lock
from accounts.services.throttle import SHANGHAI
from purse.policy import Policy

LONGEST_LIFE = timedelta(days=5 * 366)
"""No card is given a last day further away."""
_PROOFS: dict[HolderKind, frozenset[PaperKind]] = {
    HolderKind.STAFF: frozenset({PaperKind.WORK_PERMIT, PaperKind.HR_LETTER}),
    HolderKind.STUDENT: frozenset({PaperKind.STUDENT_CARD, *IDENTITY}),
}
"""What a late joiner shows for a formal card (guide L19)."""


@dataclass(frozen=True, slots=True, repr=False)
class Applicant:
    """Who asks for a card, all fields already parsed by ``accounts.checks``. May be on the roster already."""

    school_no: str
    name: str
    kind: HolderKind
    unit: str = ""
    document_kind: DocumentKind = DocumentKind.NONE
    id_number: str = ""

    def __repr__(self) -> str:
        return "Applicant(…)"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """Whom to open an account for, and what card. ``campus_id``: the desk's, where the card is handed over.

    Where ``person`` is on the roster already (same school number), name, kind and number must agree with it.
    """

    key: UUID
    person: Applicant
    kind: ServiceKind
    campus_id: int
    expires_on: date | None = None

    def content(self, secrets: Secrets) -> Mapping[str, Any]:
        """What makes the same key the same deed. Whose it is goes in as a keyed digest only."""
        whose = f"{self.person.school_no}|{self.person.name}|{self.person.id_number}|{self.person.kind}"
        return {
            "person": secrets.blind("deed", whose).hex(),
            "kind": self.kind.value,
            "campus": self.campus_id,
            "expires_on": self.expires_on.isoformat() if self.expires_on else None,
        }


@dataclass(frozen=True, slots=True)
class Slips:
    """Initial passwords to be printed once, by kind; empty where they follow from the identity number (L131)."""

    deed: CounterDeed
    pins: Mapping[SecretKind, str] = field(default_factory=dict, repr=False)


@transaction.atomic
def open_with_card(
    new: NewAccount, *, door: AtCounter, now: datetime, policy: Policy, secrets: Secrets
) -> CounterDeed:
    """Register the person if need be, open the account and note the blank card that is to be made.

    The account stays PENDING until ``hand_over``. Raises ``NotAllowed`` (NOT_ELIGIBLE, NOT_ON_ROSTER, WRONG_DOCUMENT,
    EXPIRY_NEEDED, BAD_DAY, HAS_ACCOUNT), ``AlreadyRegistered``, ``NumbersExhausted``, ``KeyReused``.
    """
    asked = deeds.Asked(new.key, DeedKind.OPEN, new.content(secrets))
    if (known := deeds.begin(asked)) is not None:
        return known
    refuse_eligibility(new.kind, new.person.kind, PaperKind(door.document.value))
    refuse_expiry(new.kind, new.expires_on, today=now.astimezone(SHANGHAI).date())
    holder = _holder(new, door=door, now=now, secrets=secrets)
    if door.own_holder_id == holder.pk:
        raise NotAllowed(Reason.HAS_ACCOUNT)
    by = By(door.actor, now, noted=door.noted)
    order = Order(holder.pk, new.kind, Campus.objects.get(pk=new.campus_id), pending=True)
    account = accounts.open_account(order, by=by, policy=policy, secrets=secrets).account
    card = cards.prepare(NewCard(account.pk, new.kind, new.expires_on), by=by)
    facts = {"kind": new.kind.value, "expires_on": asked.content["expires_on"], "issue_no": card.issue_no}
    return deeds.note(asked, deeds.Done(account.pk, card.pk, facts), door=door, now=now)


def refuse_eligibility(kind: ServiceKind, holder: HolderKind, paper: PaperKind) -> None:
    """Formal cards are for staff and students, each with his proof; a named card needs any identity document.

    Raises ``NotAllowed`` (NOT_ELIGIBLE, WRONG_DOCUMENT). Guide L19, R004, R007.
    """
    if kind is ServiceKind.NAMED:
        allowed: frozenset[PaperKind] = frozenset(IDENTITY)
    elif holder not in _PROOFS:
        raise NotAllowed(Reason.NOT_ELIGIBLE)
    else:
        allowed = _PROOFS[holder]
    if paper not in allowed:
        raise NotAllowed(Reason.WRONG_DOCUMENT)


def refuse_expiry(kind: ServiceKind, expires_on: date | None, *, today: date) -> None:
    """Named cards end on a day (N05); no card ends today or earlier, nor more than five years ahead.

    Raises ``NotAllowed`` (EXPIRY_NEEDED, BAD_DAY).
    """
    if expires_on is None:
        if kind is ServiceKind.NAMED:
            raise NotAllowed(Reason.EXPIRY_NEEDED)
    elif not today < expires_on <= today + LONGEST_LIFE:
        raise NotAllowed(Reason.BAD_DAY)


@transaction.atomic
def order_card(
    key: UUID, account_id: int, expires_on: date | None, *, door: AtCounter, now: datetime
) -> CounterDeed:
    """Note a blank card for an account that has none: its card was returned, spoilt, or never made.

    Raises ``NotAllowed`` (ACCOUNT_ENDED, ACCOUNT_FROZEN, HAS_ACCOUNT for a live card, CARD_WAITING, EXPIRY_NEEDED,
    BAD_DAY, DOCUMENT_NEEDED) and ``KeyReused``.
    """
    content = {"account": account_id, "expires_on": expires_on.isoformat() if expires_on else None}
    asked = deeds.Asked(key, DeedKind.ISSUE, content)
    if (known := deeds.begin(asked)) is not None:
        return known
    account = lock(account_id)
    refuse_own(account, door)
    if door.document not in IDENTITY:
        raise NotAllowed(Reason.DOCUMENT_NEEDED)
    if account.frozen:
        raise NotAllowed(Reason.ACCOUNT_FROZEN)
    made = Card.objects.filter(account=account)
    if made.filter(life__in=[*LIVE_CARD, CardLife.EXPIRED, CardLife.DAMAGED]).exists():
        raise NotAllowed(Reason.WRONG_LIFE)
    refuse_waiting(account)
    kind = ServiceKind(account.kind)
    refuse_expiry(kind, expires_on, today=now.astimezone(SHANGHAI).date())
    card = cards.prepare(NewCard(account.pk, kind, expires_on), by=By(door.actor, now, noted=door.noted))
    facts = {**content, "issue_no": card.issue_no}
    return deeds.note(asked, deeds.Done(account.pk, card.pk, facts), door=door, now=now)


@transaction.atomic
def void_and_again(key: UUID, account_id: int, reason: str, *, door: AtCounter, now: datetime) -> CounterDeed:
    """A card that was spoilt in making (wrong print, dead chip) is void for ever, and another blank is noted.

    Only before it was handed over. Raises ``NotAllowed`` (WRONG_LIFE, ACCOUNT_ENDED) and ``KeyReused``.
    """
    asked = deeds.Asked(key, DeedKind.VOID, {"account": account_id, "reason": reason})
    if (known := deeds.begin(asked)) is not None:
        return known
    place = _place_of(account_id)
    account = lock(account_id)
    refuse_own(account, door)
    spoilt = Card.objects.filter(account=account, life__in=[CardLife.BLANK, *LIVE_CARD]).first()
    if spoilt is None or (spoilt.life in LIVE_CARD and not not_handed_over(spoilt)):
        raise NotAllowed(Reason.WRONG_LIFE)
    by = By(door.actor, now, reason)
    cards.move(spoilt.pk, CardLife.VOID, by=by)
    card = cards.prepare(NewCard(account.pk, ServiceKind(spoilt.kind), spoilt.expires_on), by=by)
    place.filter(card=spoilt).update(card=card, printed_at=None)
    facts = {"spoilt": spoilt.issue_no, "issue_no": card.issue_no}
    return deeds.note(asked, deeds.Done(account.pk, card.pk, facts), door=door, now=now, reason=reason)


@transaction.atomic
def hand_over(key: UUID, account_id: int, *, door: AtCounter, now: datetime) -> CounterDeed:
    """Give the card to its holder: account and card are in use from now on.

    ``door.card_on_reader``: that very card was just read back at this desk. Raises ``NotAllowed`` (CARD_NOT_HERE,
    NO_CARD, ACCOUNT_ENDED) and ``KeyReused``.
    """
    asked = deeds.Asked(key, DeedKind.HAND_OVER, {"account": account_id})
    if (known := deeds.begin(asked)) is not None:
        return known
    place = _place_of(account_id)
    account = lock(account_id)
    refuse_own(account, door)
    if account.life not in {AccountLife.PENDING, AccountLife.OPEN}:
        raise NotAllowed(Reason.ACCOUNT_ENDED)
    card = Card.objects.filter(account=account, life__in=LIVE_CARD).first()
    if card is None:
        raise NotAllowed(Reason.NO_CARD)
    if not door.card_on_reader:
        raise NotAllowed(Reason.CARD_NOT_HERE)
    by = By(door.actor, now, noted=door.noted)
    if account.life == AccountLife.PENDING:
        accounts.start(account.pk, by=by)
    if card.life == CardLife.ISSUED:
        cards.move(card.pk, CardLife.ACTIVE, by=by)
    place.filter(card=card).update(handed_at=now, handed_by_id=int(door.actor.who.partition(":")[2]))
    facts = {"issue_no": card.issue_no, "uid": card.uid}
    return deeds.note(asked, deeds.Done(account.pk, card.pk, facts), door=door, now=now)


@transaction.atomic
def extend_card(
    key: UUID, account_id: int, expires_on: date, *, door: AtCounter, now: datetime
) -> CounterDeed:
    """Give the account's card a later last day; an expired one is in use again. The chip gets it by a card job.

    Raises ``NotAllowed`` (DOCUMENT_NEEDED, ACCOUNT_ENDED, NO_CARD, BAD_DAY, CARD_ENDED) and ``KeyReused``.
    """
    asked = deeds.Asked(key, DeedKind.EXTEND, {"account": account_id, "expires_on": expires_on.isoformat()})
    if (known := deeds.begin(asked)) is not None:
        return known
    account = lock(account_id)
    refuse_own(account, door)
    if door.document not in IDENTITY:
        raise NotAllowed(Reason.DOCUMENT_NEEDED)
    if account.life != AccountLife.OPEN:
        raise NotAllowed(Reason.ACCOUNT_ENDED)
    kept = Card.objects.filter(account=account, life__in=[*LIVE_CARD, CardLife.EXPIRED])
    card = kept.order_by("-issue_no").first()
    if card is None:
        raise NotAllowed(Reason.NO_CARD)
    refuse_expiry(ServiceKind(card.kind), expires_on, today=now.astimezone(SHANGHAI).date())
    if card.expires_on is None or expires_on <= card.expires_on:
        raise NotAllowed(Reason.BAD_DAY)
    former = card.expires_on
    card = cards.extend(card.pk, expires_on, by=By(door.actor, now, noted=door.noted))
    facts = {
        "issue_no": card.issue_no,
        "former": former.isoformat(),
        "expires_on": expires_on.isoformat(),
    }
    return deeds.note(asked, deeds.Done(account.pk, card.pk, facts), door=door, now=now)


@transaction.atomic
@sensitive_variables("pins")
def make_slips(key: UUID, account_id: int, *, door: AtCounter, now: datetime, secrets: Secrets) -> Slips:
    """Give both initial passwords anew and return those that must be printed; the same key never shows them again.

    Only while the holder has chosen neither himself. Raises ``NotAllowed`` (ALREADY_PRINTED, OWN_PASSWORDS,
    ACCOUNT_ENDED) and ``KeyReused``. R068, reading A16.
    """
    asked = deeds.Asked(key, DeedKind.SLIPS, {"account": account_id})
    if deeds.begin(asked) is not None:
        raise NotAllowed(Reason.ALREADY_PRINTED)
    account = lock(account_id)
    refuse_own(account, door)
    if account.life not in {AccountLife.PENDING, AccountLife.OPEN}:
        raise NotAllowed(Reason.ACCOUNT_ENDED)
    if Secret.objects.filter(account=account, is_default=False).exists():
        raise NotAllowed(Reason.OWN_PASSWORDS)
    pins = {}
    for kind in SecretKind:
        slip = passwords.reset_to_initial(account.pk, kind, door=door, now=now, secrets=secrets)
        if slip is not None:
            pins[kind] = slip
    deed = deeds.note(asked, deeds.Done(account.pk, None, {"printed": len(pins)}), door=door, now=now)
    return Slips(deed, pins)


def refuse_waiting(account: Account) -> None:
    """Raise ``NotAllowed`` while a blank card of this locked account waits to be made."""
    if Card.objects.filter(account=account, life=CardLife.BLANK).exists():
        raise NotAllowed(Reason.CARD_WAITING)


def _holder(new: NewAccount, *, door: AtCounter, now: datetime, secrets: Secrets) -> Holder:
    """The person of the roster if all that was typed agrees with it, else a newly registered one."""
    known = Holder.objects.filter(school_no=new.person.school_no).first()
    if known is not None and new.kind is ServiceKind.FORMAL and _left(known):
        raise NotAllowed(Reason.NOT_ON_ROSTER)
    if known is None:
        if new.kind is ServiceKind.FORMAL and new.person.kind is HolderKind.STUDENT:
            raise NotAllowed(Reason.NOT_ON_ROSTER)
        return holders.register(_person(new), actor=door.actor, now=now, secrets=secrets)
    number = holders.id_number_of(known, secrets)
    agrees = (known.name, known.kind) == (new.person.name, new.person.kind)
    if not agrees or (number and new.person.id_number and number != new.person.id_number):
        raise AlreadyRegistered
    return known


def _left(holder: Holder) -> bool:
    """Whether the newest list of everybody no longer names this person (R004)."""
    return RosterMember.objects.filter(holder=holder, left_at__isnull=False).exists()


def _person(new: NewAccount) -> Person:
    who = new.person
    return Person(
        school_no=who.school_no,
        name=who.name,
        kind=who.kind,
        campus=Campus.objects.get(pk=new.campus_id),
        unit=who.unit,
        document_kind=who.document_kind,
        id_number=who.id_number,
    )


def check_document(paper: SeenPaper, typed_number: str) -> str:
    """How the document that was shown stands to what was typed from it; for a person who may not be registered yet.

    Raises ``NotAllowed`` (WRONG_DOCUMENT) when the end of an identity document is not the end of the number.
    """
    if paper.kind in IDENTITY and typed_number:
        if not paper.ends(typed_number):
            raise NotAllowed(Reason.WRONG_DOCUMENT)
        return papers.AGREES
    return f"{papers.UNKNOWN}: {paper.tail}"


def _place_of(account_id: int) -> QuerySet[IssueItem]:
    """The place of a batch that still waits for this account's card, so that its list names the card that counts.

    Locked before the account is, as the batch does it.
    """
    waiting = IssueItem.objects.filter(account_id=account_id, handed_at=None)
    list(waiting.select_for_update())
    return waiting
