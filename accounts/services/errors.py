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
    FROZEN_ALREADY = "frozen_already"
    NO_INITIAL_PASSWORD = "no_initial_password"
    PAD_IN_USE = "pad_in_use"
    PAD_OVER = "pad_over"
    PAD_TAKEN = "pad_taken"
    NOT_ON_ROSTER = "not_on_roster"
    WRONG_DOCUMENT = "wrong_document"
    FEE_CHANGED = "fee_changed"
    EXPIRY_NEEDED = "expiry_needed"
    BAD_DAY = "bad_day"
    AFTER_EXPIRY = "after_expiry"
    NO_GRANT_NEEDED = "no_grant_needed"
    NO_SERVICE = "no_service"
    CARD_WAITING = "card_waiting"
    CARD_EXPIRED = "card_expired"
    ALREADY_PRINTED = "already_printed"
    OWN_PASSWORDS = "own_passwords"


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
    Reason.FROZEN_ALREADY: _("该账户已由工作人员冻结"),
    Reason.NO_INITIAL_PASSWORD: _("登记的证件不能推出初始密码，请由持卡人在密码键盘上查看或设置"),
    Reason.PAD_IN_USE: _("密码键盘上还有一项请求没有结束"),
    Reason.PAD_OVER: _("这项密码请求已结束，请工作人员重新发起"),
    Reason.PAD_TAKEN: _("这项密码请求已在另一台设备上打开"),
    Reason.NOT_ON_ROSTER: _("名册中没有该学工号，不能办理正式卡；请先导入名册，或办理记名卡"),
    Reason.WRONG_DOCUMENT: _(
        "所查验的证件不能办理此项：教职工凭工作证或人事证明，学生凭学生证或本人身份证件"
    ),
    Reason.FEE_CHANGED: _("工本费刚刚改了，没有办理，钱没有动。请核对新的金额后再确认"),
    Reason.EXPIRY_NEEDED: _("记名卡和临时卡必须填写有效期"),
    Reason.BAD_DAY: _("日期须在今天之后、五年之内"),
    Reason.AFTER_EXPIRY: _("服务权限不能晚于卡的有效期"),
    Reason.NO_GRANT_NEEDED: _("正式卡已开通全部服务，无需授权"),
    Reason.NO_SERVICE: _("没有可授予或可收回的服务"),
    Reason.CARD_WAITING: _("该账户已有一张卡等待制作或领取"),
    Reason.CARD_EXPIRED: _("该卡已过期，请先办理延期"),
    Reason.ALREADY_PRINTED: _("该密码单已经打印过，不能再看；需要时请重新生成"),
    Reason.OWN_PASSWORDS: _("持卡人已自行设置密码，请到密码业务办理"),
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
