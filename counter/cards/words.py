"""What the pages about cards say: why not, what a step is, what was done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected
from accounts.services.accounts import NumbersExhausted
from accounts.services.holders import AlreadyRegistered
from reconciliation.closing import Against
from reconciliation.services.closing import CardBack, NotClosable, Way
from transactions.services.cardmoney import Cause, HoldRefused, PaidBy
from transactions.services.cash import CashRefused, Why
from transactions.services.holds import NoSuchHold

Words = str | Promise

MONEY: dict[Why, Words] = {
    Why.NO_SHIFT: _("您没有打开的班次，不能收付现金；没有办理，也没有动钱。请先开班，或改从余额中扣"),
    Why.OWN_ACCOUNT: _("不能处理自己的账户，请由同事办理"),
    Why.ACCOUNT_ENDED: _("该账户已销户，没有动钱"),
    Why.AMOUNT: _("金额不正确，没有动钱"),
    Why.NO_REASON: _("没有写明用途，没有动钱"),
    Why.BOOK_SHORT: _("账户余额不足，没有办理，也没有动钱。请收现金"),
    Why.DEPOSIT_SHORT: _("该账户没有这么多押金，没有动钱"),
    Why.DRAWER_SHORT: _("钱箱里没有这么多现金，没有办理，也没有动钱"),
    Why.CARD_LIVE: _("钱还在用中的卡上，没有办理。请先收回卡片，或收现金"),
}

AGAINST: dict[Against, tuple[Words, Words]] = {
    Against.CLOSED: (_("已经销户"), ""),
    Against.NOT_CLOSING: (_("还没有开始销户"), _("请先查验证件，开始销户。")),
    Against.FROZEN: (_("账户已冻结"), _("请先在读卡器上核对一致并解冻。")),
    Against.OPEN_CASE: (_("有未结的差额案例"), _("请先处理案例。")),
    Against.OPEN_DISPUTE: (_("有未结的申诉"), _("请先答复申诉。")),
    Against.DEBT: (_("库余额为负"), _("请先收回欠款。")),
    Against.OFFLINE_GAP: (_("卡上有脱机消费还没有上传"), _("等终端上传；静默满五天由夜间对账平账。")),
    Against.LATE: (_("有一笔重复扣款还没有退还"), _("请先退还。")),
    Against.HELD: (_("换卡时预留的钱还没有解除"), _("到期自动解除，也可以提前解除。")),
    Against.WAITING: (_("等待迟到流水的天数未满"), _("期满后可以退款。")),
    Against.CARD_JOB: (_("读卡器正在写这张卡"), _("请等任务结束。")),
}

CAUSES: dict[str, Words] = {
    Cause.LOST: _("遗失"),
    Cause.DAMAGED: _("损坏"),
    Cause.FAULT: _("卡片自身故障"),
}
PAID: dict[str, Words] = {PaidBy.CASH: _("现金"), PaidBy.BOOK: _("从余额扣")}
WAYS: dict[str, Words] = {Way.CASH: _("现金"), Way.TRANSFER: _("银行转账")}
BACK: dict[str, Words] = {
    CardBack.RETURNED: _("已收回"),
    CardBack.SOUVENIR: _("留作纪念，作废"),
    CardBack.GONE: _("没有卡或已遗失"),
}

FEE = _("补卡工本费")
DEPOSIT = _("记名卡押金")
PAYOUT = _("销户退款")
NUMBERS_GONE = _("没有可用的帐号，请联系系统管理员；没有开户")
BAD_HOLD = _("预留金额须大于 0、不超过扣费后的余额；没有办理，也没有动钱")
HOLD_GONE = _("这笔预留已经解除")


@contextmanager
def told() -> Iterator[None]:
    """Whatever a service refuses becomes one sentence for the form (``Rejected``)."""
    try:
        yield
    except CashRefused as refused:
        raise Rejected(MONEY[refused.why]) from None
    except HoldRefused:
        raise Rejected(BAD_HOLD) from None
    except NoSuchHold:
        raise Rejected(HOLD_GONE) from None
    except AlreadyRegistered as refused:
        raise Rejected(refused.message) from None
    except NumbersExhausted:
        raise Rejected(NUMBERS_GONE) from None
    except NotClosable as refused:
        what, then = AGAINST[refused.against[0]]
        raise Rejected(_("%(what)s。%(then)s没有办理"), what=what, then=then) from None
