"""What a holder wants to be told and where to, as his page shows it. Reads only; addresses come out masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from accounts.checks.contacts import mask_mail, mask_phone
from accounts.keys import Secrets
from accounts.models import (
    GUESSES,
    HIGHEST_ALERT_FEN,
    AlertChoice,
    AlertContact,
    AlertDelivery,
    AlertGroup,
    AlertWay,
    DeliveryState,
    NoticeKind,
)
from accounts.sealing import Place, unseal
from accounts.services.throttle import SHANGHAI

HIGHEST_FEN: Final = HIGHEST_ALERT_FEN
KEPT: Final = timedelta(days=90)
"""How long the outbox remembers a letter that went out or was given up. The notice itself stays."""
CODE_HOLDS: Final = timedelta(minutes=30)
NIGHT: Final = (time(23), time(7))
"""When letters that can wait do so, in Shanghai."""
GROUP_OF: Final[Mapping[NoticeKind, AlertGroup]] = MappingProxyType(
    {
        NoticeKind.LOW_BOOK: AlertGroup.LOW,
        NoticeKind.LARGE_SPEND: AlertGroup.SPEND,
        NoticeKind.MONEY_WAITING: AlertGroup.WAITING,
        NoticeKind.CARD_LOST: AlertGroup.STANDING,
        NoticeKind.LOSS_LIFTED: AlertGroup.STANDING,
        NoticeKind.FROZEN: AlertGroup.STANDING,
        NoticeKind.UNFROZEN: AlertGroup.STANDING,
    }
)
"""What is not named here is about found cards and disputes."""
URGENT: Final = frozenset({AlertGroup.STANDING})
"""Said at night as well: somebody else may have the card."""
_MASKS: Final = {AlertWay.MAIL: mask_mail, AlertWay.SMS: mask_phone}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a holder wants to hear of. Thresholds in fen, None: never. ``letters``: the groups that go out by a way."""

    low_fen: int | None = None
    spend_fen: int | None = None
    waiting: bool = False
    letters: Mapping[AlertWay, frozenset[AlertGroup]] = field(default_factory=dict)
    language: str = "zh-hans"
    amounts: bool = False
    quiet: bool = True

    @property
    def looks_at_money(self) -> bool:
        """Whether the movements of the account have to be looked at for it."""
        return self.low_fen is not None or self.spend_fen is not None or self.waiting


@dataclass(frozen=True, slots=True)
class Contact:
    """Where letters go by one way, masked. ``pending``: typed, not confirmed yet."""

    way: AlertWay
    address: str = ""
    pending: str = ""
    asked_at: datetime | None = None
    guesses_left: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A letter of late: what about, by which way, what became of it. ``kind`` None: a code."""

    kind: NoticeKind | None
    way: AlertWay
    state: DeliveryState
    at: datetime


def group_of(kind: NoticeKind) -> AlertGroup:
    """Under which heading of the page a notice falls."""
    return GROUP_OF.get(kind, AlertGroup.CARE)


def choice_of(account_id: int) -> Choice:
    """What this holder chose; the usual where he chose nothing. One statement."""
    row = AlertChoice.objects.filter(pk=account_id).first()
    return Choice() if row is None else read_choice(row)


def read_choice(row: AlertChoice) -> Choice:
    """The same from its row."""
    return Choice(
        low_fen=row.low_fen,
        spend_fen=row.spend_fen,
        waiting=row.waiting,
        letters={
            AlertWay.MAIL: frozenset(AlertGroup(name) for name in row.mail),
            AlertWay.SMS: frozenset(AlertGroup(name) for name in row.sms),
        },
        language=row.language,
        amounts=row.amounts,
        quiet=row.quiet,
    )


def contacts_of(account_id: int, *, now: datetime, secrets: Secrets) -> dict[AlertWay, Contact]:
    """Where letters go, by way; every way is there. A code that is too old is as good as none. One statement."""
    rows = {row.way: row for row in AlertContact.objects.filter(account_id=account_id)}
    return {
        way: Contact(way) if (row := rows.get(way)) is None else _contact(row, now=now, secrets=secrets)
        for way in AlertWay
    }


def latest_letters(account_id: int, *, newest: int = 5) -> tuple[Sent, ...]:
    """What was sent lately, newest first. One statement."""
    rows = AlertDelivery.objects.filter(contact__account_id=account_id)
    return tuple(
        Sent(
            NoticeKind(row.notice.kind) if row.notice else None,
            AlertWay(row.contact.way),
            DeliveryState(row.state),
            row.ended_at or row.made_at,
        )
        for row in rows.select_related("contact", "notice").order_by("-id")[:newest]
    )


def address_of(contact: AlertContact, field_name: str, secrets: Secrets) -> str:
    """Open an address for sending; screens get a masked one."""
    return unseal(bytes(getattr(contact, field_name)), contact_place(contact, field_name), secrets)


def contact_place(contact: AlertContact, field_name: str) -> Place:
    """Where an address is sealed to: the account and the way, for the ``uid`` changes with each address."""
    return Place("accounts_alertcontact", field_name, f"{contact.account_id}/{contact.way}")


def after_the_night(moment: datetime) -> datetime:
    """This moment, or the end of the night if it is night in Shanghai."""
    local = moment.astimezone(SHANGHAI)
    begins, ends = NIGHT
    if ends <= local.time() < begins:
        return moment
    day = local.date() + timedelta(days=1 if local.time() >= begins else 0)
    return datetime.combine(day, ends, SHANGHAI)


def _contact(row: AlertContact, *, now: datetime, secrets: Secrets) -> Contact:
    way = AlertWay(row.way)
    mask = _MASKS[way]
    asked = row.asked_at if row.asked_at is not None and now - row.asked_at < CODE_HOLDS else None
    return Contact(
        way=way,
        address=mask(address_of(row, "sealed", secrets)) if row.sealed is not None else "",
        pending=mask(address_of(row, "pending", secrets)) if asked is not None else "",
        asked_at=asked,
        guesses_left=GUESSES - row.guesses,
    )
