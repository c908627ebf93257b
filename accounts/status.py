"""The one status that is shown for an account and its card: the first that applies (requirements 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, AccountLife, Card, CardLife
from purse.rules import FreezeReason


class Status(StrEnum):
    """What a screen shows, strongest first."""

    CLOSED = "closed"
    REPLACED = "replaced"
    RETURNED = "returned"
    VOID = "void"
    EXPIRED = "expired"
    LOST = "lost"
    FROZEN = "frozen"
    DAMAGED = "damaged"
    PENDING = "pending"
    CLOSING = "closing"
    NORMAL = "normal"


WORDS: dict[Status, str | Promise] = {
    Status.CLOSED: _("已销户"),
    Status.REPLACED: _("已换卡"),
    Status.RETURNED: _("已退卡"),
    Status.VOID: _("已作废"),
    Status.EXPIRED: _("已过期"),
    Status.LOST: _("已挂失"),
    Status.FROZEN: _("已冻结"),
    Status.DAMAGED: _("已损坏"),
    Status.PENDING: _("待领卡"),
    Status.CLOSING: _("销户中"),
    Status.NORMAL: _("正常"),
}

FREEZE_WORDS: dict[str, str | Promise] = {
    FreezeReason.BOOK_NEGATIVE: _("库余额为负"),
    FreezeReason.CARD_ABOVE_BOOK: _("卡余额比库余额多出太多"),
    FreezeReason.LATE_UPLOAD: _("平账后又收到脱机流水，金额被重复扣除"),
    FreezeReason.BY_HAND: _("工作人员冻结"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A status with its word and, where there is one, the reason in words."""

    status: Status
    reasons: Sequence[str | Promise] = ()

    @property
    def word(self) -> str | Promise:
        """The word for the chip on the screen."""
        return WORDS[self.status]


_ENDED = {
    CardLife.REPLACED: Status.REPLACED,
    CardLife.RETURNED: Status.RETURNED,
    CardLife.VOID: Status.VOID,
}


def shown_status(account: Account, card: Card | None, *, today: date) -> Shown:
    """Say the first status that applies. ``card`` is the newest of the account, if it has any.

    A card is good up to and including its last day.
    """
    if account.life == AccountLife.CLOSED:
        return Shown(Status.CLOSED)
    if card is not None:
        if ended := _ENDED.get(CardLife(card.life)):
            return Shown(ended)
        if card.life == CardLife.EXPIRED or (card.expires_on is not None and card.expires_on < today):
            return Shown(Status.EXPIRED)
        if card.lost:
            return Shown(Status.LOST)
    if account.frozen:
        return Shown(Status.FROZEN, [FREEZE_WORDS[reason] for reason in account.frozen_reasons])
    if card is not None and card.life == CardLife.DAMAGED:
        return Shown(Status.DAMAGED)
    if account.life == AccountLife.PENDING or card is None or card.life == CardLife.BLANK:
        return Shown(Status.PENDING)
    if account.life == AccountLife.CLOSING:
        return Shown(Status.CLOSING)
    return Shown(Status.NORMAL)
