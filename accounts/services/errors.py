"""Why a change of standing is not allowed, as one enumeration with words for the screen."""

from __future__ import annotations

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Reason(StrEnum):
    """Why not."""

    NO_CARD = "no_card"
    NOT_LOST = "not_lost"
    NOT_FROZEN = "not_frozen"
    CARD_ENDED = "card_ended"
    CARD_NOT_HERE = "card_not_here"
    DOCUMENT_NEEDED = "document_needed"
    CHANGE_PASSWORD_FIRST = "change_password_first"
    BOOK_NEGATIVE = "book_negative"
    DIFFERENCE_OPEN = "difference_open"
    ACCOUNT_ENDED = "account_ended"
    ACCOUNT_FROZEN = "account_frozen"
    MONEY_LEFT = "money_left"
    WRONG_LIFE = "wrong_life"
    HAS_ACCOUNT = "has_account"
    NOT_ELIGIBLE = "not_eligible"
    LIMIT_RANGE = "limit_range"


_WORDS: dict[Reason, str | Promise] = {
    Reason.NO_CARD: _("该账户没有可挂失的卡"),
    Reason.NOT_LOST: _("该卡没有挂失"),
    Reason.NOT_FROZEN: _("该账户没有冻结"),
    Reason.CARD_ENDED: _("该卡已换卡、退卡或作废，不能再使用"),
    Reason.CARD_NOT_HERE: _("请将该卡放在读卡器上"),
    Reason.DOCUMENT_NEEDED: _("请出示有效证件"),
    Reason.CHANGE_PASSWORD_FIRST: _("请先修改初始查询密码"),
    Reason.BOOK_NEGATIVE: _("库余额为负，不能解冻"),
    Reason.DIFFERENCE_OPEN: _("卡库余额仍不一致，不能解冻"),
    Reason.ACCOUNT_ENDED: _("该账户已销户或正在销户"),
    Reason.ACCOUNT_FROZEN: _("该账户已冻结，请先办理解冻"),
    Reason.MONEY_LEFT: _("该账户还有余额或待领金额"),
    Reason.WRONG_LIFE: _("当前状态不能办理此项业务"),
    Reason.HAS_ACCOUNT: _("该人员已有账户"),
    Reason.NOT_ELIGIBLE: _("该人员不能办理正式卡"),
    Reason.LIMIT_RANGE: _("日限额超出允许范围"),
}


class NotAllowed(Exception):
    """The standing of account or card, or what was shown at the door, does not allow this;

    nothing was changed.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason

    @property
    def message(self) -> str | Promise:
        """The sentence for the screen."""
        return _WORDS[self.reason]
