"""What screens and other rooms read here. Nothing in it changes a row; personal data comes out masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import QuerySet
from django.utils.functional import Promise

from accounts.checks.identifiers import AccountNumber, SchoolNumber
from accounts.checks.masks import mask_id_number, mask_name, mask_school_no
from accounts.keys import Secrets
from accounts.models import (
    LIVE_CARD,
    Account,
    AccountLife,
    Attempt,
    AuditEvent,
    Budget,
    Campus,
    Card,
    CardLife,
    CounterDeed,
    Holder,
    HolderKind,
    LoginRecord,
    LossReport,
    Operator,
    Photo,
    Secret,
    SecretKind,
    ServiceKind,
)
from accounts.services import passwords
from accounts.services.holders import id_number_of, index_of
from accounts.services.throttle import ALLOWANCES, account_subject
from accounts.status import FREEZE_WORDS, Shown, shown_status


@dataclass(frozen=True, slots=True)
class HolderFacts:
    """A person as screens show them to others: masked."""

    uid: UUID
    name: str
    school_no: str
    kind: str
    unit: str
    campus_code: str

    @property
    def kind_word(self) -> str | Promise:
        """教职工, 学生 or 其他人员."""
        return HolderKind(self.kind).label


@dataclass(frozen=True, slots=True)
class CardFacts:
    """A card and the last proven state of its purse. Amounts in fen."""

    id: int
    uid: str
    issue_no: int
    kind: str
    life: str
    lost_at: datetime | None
    expires_on: date | None
    card_fen: int
    seen_at: datetime | None
    seen_place: str


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """Everything the overview of an account shows.

    Amounts in fen; ``spent_today_fen`` is of the day asked for.
    """

    id: int
    number: int
    kind: str
    life: str
    shown: Shown
    frozen_at: datetime | None
    daily_limit_fen: int
    spent_today_fen: int
    book_fen: int
    unclaimed_fen: int
    holder: HolderFacts
    card: CardFacts | None
    default_passwords: frozenset[SecretKind]
    query_changed_at: datetime | None
    """When the query password was last set; older sessions are over."""
    holder_id: int
    freeze_reasons: Sequence[str | Promise] = ()
    """Every reason that freezes it, in words; also while another status is shown first."""

    @property
    def kind_word(self) -> str | Promise:
        """正式卡 or 记名卡."""
        return ServiceKind(self.kind).label


@dataclass(frozen=True, slots=True)
class CampusFacts:
    """A campus; ``code`` stands in addresses."""

    id: int
    code: str
    name_zh: str
    name_en: str


def campuses() -> tuple[CampusFacts, ...]:
    """Every campus, in the order of their making."""
    return tuple(
        CampusFacts(campus.pk, campus.code, campus.name_zh, campus.name_en)
        for campus in Campus.objects.order_by("pk")
    )


def account_overview(account_id: int, *, today: date) -> AccountOverview:
    """The overview of one account. Raises ``Account.DoesNotExist``."""
    account = Account.objects.select_related("holder__campus").get(pk=account_id)
    card = card_of(account_id)
    secrets = {secret.kind: secret for secret in Secret.objects.filter(account=account).defer("pin_hash")}
    query = secrets.get(SecretKind.QUERY)
    return AccountOverview(
        id=account.pk,
        number=account.number,
        kind=account.kind,
        life=account.life,
        shown=shown_status(account, card, today=today),
        frozen_at=account.frozen_at,
        daily_limit_fen=account.daily_limit_fen,
        spent_today_fen=account.spent_fen if account.spent_on == today else 0,
        book_fen=account.book_fen,
        unclaimed_fen=account.unclaimed_fen,
        holder=holder_facts(account.holder),
        card=None if card is None else card_facts(card),
        default_passwords=frozenset(SecretKind(kind) for kind, kept in secrets.items() if kept.is_default),
        query_changed_at=query.changed_at if query else None,
        holder_id=account.holder_id,
        freeze_reasons=[FREEZE_WORDS[reason] for reason in account.frozen_reasons],
    )


def find_overview(account_id: int, *, today: date) -> AccountOverview | None:
    """The overview of one account, or None where there is none."""
    try:
        return account_overview(account_id, today=today)
    except Account.DoesNotExist:
        return None


def holder_facts(holder: Holder) -> HolderFacts:
    """A person, masked."""
    return HolderFacts(
        uid=holder.uid,
        name=mask_name(holder.name),
        school_no=mask_school_no(holder.school_no),
        kind=holder.kind,
        unit=holder.unit,
        campus_code=holder.campus.code,
    )


def card_facts(card: Card) -> CardFacts:
    """A card, with the last proven state of its purse."""
    return CardFacts(
        id=card.pk,
        uid=card.uid,
        issue_no=card.issue_no,
        kind=card.kind,
        life=card.life,
        lost_at=card.lost_at,
        expires_on=card.expires_on,
        card_fen=card.card_fen,
        seen_at=card.seen_at,
        seen_place=card.seen_place,
    )


def masked_id_number(holder: Holder, secrets: Secrets) -> str:
    """The identity number with at least its last seven characters hidden; empty if there is none."""
    number = id_number_of(holder, secrets)
    return mask_id_number(number) if number else ""


def card_of(account_id: int) -> Card | None:
    """The card that stands for an account: the live one, else the newest."""
    cards = Card.objects.filter(account_id=account_id)
    live = cards.filter(life__in=LIVE_CARD).first()
    return live or cards.exclude(life=CardLife.BLANK).order_by("-issue_no").first()


def live_card_by_uid(uid: str) -> Card | None:
    """The live card with this chip, with its account; ``uid`` upper case hex."""
    return Card.objects.select_related("account").filter(uid=uid, life__in=LIVE_CARD).first()


def cards_by_uid(uid: str) -> QuerySet[Card]:
    """Every card that ever was this chip, newest first."""
    return Card.objects.select_related("account").filter(uid=uid).order_by("-pk")


def find_account(identifier: AccountNumber | SchoolNumber) -> Account | None:
    """The account in use with this number, or the one in use of this person."""
    accounts = Account.objects.select_related("holder").exclude(life=AccountLife.CLOSED)
    if isinstance(identifier, AccountNumber):
        return accounts.filter(number=identifier.value).first()
    return accounts.filter(holder__school_no=identifier.value).order_by("-opened_at", "-pk").first()


def find_holder_by_id_number(id_number: str, secrets: Secrets) -> Holder | None:
    """The person with this (already parsed) identity number, through the blind index."""
    return Holder.objects.filter(id_number_index=index_of(id_number, secrets)).first()


def has_initial_password(account_id: int, secrets: Secrets) -> bool:
    """Whether an initial password follows from the document in the register (guide L131, reading A16)."""
    return passwords.has_initial(Account.objects.select_related("holder").get(pk=account_id), secrets)


def has_photo(holder_id: int) -> bool:
    """Whether there is a picture of this person."""
    return Photo.objects.filter(holder_id=holder_id).exists()


def locked_doors(account_id: int, *, now: datetime) -> frozenset[Budget]:
    """Which channel groups take no password of this account now, after too many wrong ones. One statement."""
    counts = Attempt.objects.filter(subject=account_subject(account_id))
    return frozenset(
        Budget(row.budget)
        for row in counts
        if (row.blocked_until is not None and row.blocked_until > now)
        or (row.budget in ALLOWANCES and row.failures >= ALLOWANCES[Budget(row.budget)].closed_at)
    )


def deeds_of(account_id: int, *, newest: int = 8) -> QuerySet[CounterDeed]:
    """The latest deeds of desks for an account, newest first."""
    return CounterDeed.objects.filter(account_id=account_id).order_by("-made_at")[:newest]


def deed(key: UUID) -> CounterDeed | None:
    """One deed of a desk, with its account."""
    return CounterDeed.objects.select_related("account__holder", "card").filter(key=key).first()


def operator_name(who: str) -> str:
    """The name behind ``operator:<id>``; for anybody else what the audit calls him."""
    kind, _, number = who.partition(":")
    if kind != "operator" or not number.isdecimal():
        return who
    found = Operator.objects.filter(pk=int(number)).first()
    return found.get_full_name() if found is not None else who


def loss_reports(account_id: int, *, newest: int = 20) -> QuerySet[LossReport]:
    """The latest loss reports of an account, newest first."""
    return LossReport.objects.filter(account_id=account_id).order_by("-reported_at", "-pk")[:newest]


def last_logins(account_id: int, *, newest: int = 20) -> QuerySet[LoginRecord]:
    """The latest passwords tried for an account through all doors, newest first."""
    return LoginRecord.objects.filter(account_id=account_id).order_by("-at", "-pk")[:newest]


def audit_of(object_kind: str, object_id: object) -> QuerySet[AuditEvent]:
    """What was done to one object, newest first."""
    events = AuditEvent.objects.filter(object_kind=object_kind, object_id=str(object_id))
    return events.order_by("-at", "-pk")
