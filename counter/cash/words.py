"""What the cashier's pages say when something is not done: what is wrong, whether money moved, what to do."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.services.approvals import Why as NotAgreed
from counter.jobwords import REFUSALS
from purse.rules import Refusal
from transactions.services.cash import Why as NotPaid
from transactions.services.shifts import Why as NoShift
from transactions.services.slips import Why as NoSlip

Words = str | Promise

SHIFTS: dict[NoShift, Words] = {
    NoShift.NOT_ENTITLED: _("您的岗位不能办理此项。"),
    NoShift.NO_DRAWER: _("本校区没有这个钱箱，或已停用。请重新选择。"),
    NoShift.DRAWER_TAKEN: _("这个钱箱还有别人的班次没有交班，请先交班或换一个钱箱。"),
    NoShift.HAS_SHIFT: _("您已有一个班次在进行，请先交班。"),
    NoShift.AMOUNT: _("备用金须在 0 至 100000.00 元之间，且与清点的张数一致。"),
    NoShift.NO_SHIFT: _("您没有正在进行的班次，钱没有动。请先开班。"),
    NoShift.GOING_ON: _("还有一笔充值或撤销没有结束，请等读卡器完成或结束任务后再交班。"),
    NoShift.NO_REASON: _("清点与应有不一致，请写明原因。"),
    NoShift.SAME_PERSON: _("不能接收自己的班次，请由另一位主管接收。"),
    NoShift.NOT_CLOSED: _("班次还没有交班。"),
    NoShift.ACCEPTED: _("这个班次已由另一位主管接收。"),
    NoShift.CODE_FORM: _("编号须为 1 至 3 个大写字母加两位数字，且没有用过，如 YS01。"),
}

_UNMOVED = _("钱没有动。")

SLIPS: dict[NoSlip, tuple[Words, Words]] = {
    NoSlip.NOT_ENTITLED: (_("现金充值由收银员办理。"), _UNMOVED),
    NoSlip.NO_SHIFT: (_("您没有正在进行的班次。"), _("钱没有动。请先开班。")),
    NoSlip.OWN_ACCOUNT: (_("不能给自己的账户充值，请由同事办理。"), _UNMOVED),
    NoSlip.TOO_SMALL: (_("金额低于单笔下限。"), _("钱没有动。请重新输入。")),
    NoSlip.TOO_LARGE: (_("金额超过单笔上限。"), _("钱没有动。请重新输入，或分两笔。")),
    NoSlip.NOT_SHOWN: (
        _("顾客屏还没有显示金额。"),
        _("钱没有动。请等顾客屏显示，或请持卡人在本屏核对后勾选。"),
    ),
    NoSlip.DROPPED: (_("这一笔已放弃。"), _("钱没有动。请重新输入金额。")),
}

STANDING: dict[Refusal, Words] = {
    Refusal.CARD_LOST: _("钱没有动。请持卡人带证件到管理中心或在圈存机解挂。"),
    Refusal.CARD_FROZEN: _("钱没有动。请持卡人到管理中心处理差异并解冻。"),
    Refusal.CARD_REPLACED: _("钱没有动。请持卡人用现在在用的卡，或到管理中心办卡。"),
    Refusal.CARD_EXPIRED: _("钱没有动。请持卡人到管理中心办理延期。"),
    Refusal.ACCOUNT_CLOSED: _("钱没有动。账户不再收款。"),
    Refusal.TOP_UP_TOO_LARGE: _("钱没有动。请减少金额。"),
}

VOIDS: dict[str, Words] = {
    "kind": _("只有现金充值可以撤销。"),
    "shift": _("只能撤销自己本班次的充值。"),
    "voided": _("这一笔已经撤销。"),
    "spent": _("充值之后账户又有变动，不能撤销；请到管理中心办理。"),
}

AGREEMENT: dict[NotAgreed, Words] = {
    NotAgreed.NOT_ENTITLED: _("您的岗位不能办理此项。"),
    NotAgreed.OWN_ACCOUNT: _("不能办理本人的账户。"),
    NotAgreed.NO_REASON: _("请写明理由。"),
    NotAgreed.KEY_REUSED: _("页面已用过，请刷新后再试。"),
}

PAYMENTS: dict[NotPaid, Words] = {
    NotPaid.NO_SHIFT: _("收付现金须在自己进行中的班次里，钱没有动。请先开班。"),
    NotPaid.OWN_ACCOUNT: _("不能办理本人的账户。"),
    NotPaid.ACCOUNT_ENDED: _("账户已销户，钱没有动。"),
    NotPaid.AMOUNT: _("金额不正确，钱没有动。"),
    NotPaid.NO_REASON: _("请写明收付的项目。"),
    NotPaid.BOOK_SHORT: _("账户余额不足，钱没有动。请收现金。"),
    NotPaid.DEPOSIT_SHORT: _("没有这么多押金，钱没有动。"),
    NotPaid.DRAWER_SHORT: _("钱箱里没有这么多现金，钱没有动。"),
    NotPaid.CARD_LIVE: _("这笔钱在卡上，钱没有动。请收回卡片后办理，或收现金。"),
}
"""For every area that calls ``transactions.services.cash``."""


def slip_words(why: NoSlip | Refusal) -> tuple[Words, Words]:
    """What is wrong, and what follows."""
    if isinstance(why, NoSlip):
        return SLIPS[why]
    return REFUSALS.get(why.value, _("不能充值。")), STANDING.get(why, _UNMOVED)


def agreement_words(why: NotAgreed) -> Words:
    """Why the request is not made."""
    return AGREEMENT.get(why, _("现在不能提交复核，请刷新后再试。"))
