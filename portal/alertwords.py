"""Sentences about alerts: on the site, where the holder is signed in, and in letters, which may lie open somewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from accounts.channels import CHANNEL_WORDS
from accounts.kinds import AlertGroup, AlertWay, DeliveryState, NoticeKind
from accounts.notices import NoticeRow
from accounts.status import FREEZE_WORDS
from purse.money import yuan

Words = str | Promise
Said = tuple[str, str, str, str]
"""Title, sentence, tone and icon of a message."""

GROUPS: Final[Mapping[AlertGroup, tuple[Words, Words, str]]] = {
    AlertGroup.LOW: (
        gettext_lazy("余额不足"),
        gettext_lazy("账户余额低于这个金额时提醒一次，充值后重新计算"),
        "cash",
    ),
    AlertGroup.SPEND: (
        gettext_lazy("大额消费"),
        gettext_lazy("一笔消费超过这个金额时提醒"),
        "chart",
    ),
    AlertGroup.WAITING: (
        gettext_lazy("待领金额"),
        gettext_lazy("补助或退款等您刷卡领取时提醒"),
        "clock",
    ),
    AlertGroup.STANDING: (
        gettext_lazy("挂失与冻结"),
        gettext_lazy("挂失、解挂、冻结和解冻，站内消息总会通知"),
        "lock",
    ),
    AlertGroup.CARE: (
        gettext_lazy("拾卡与争议"),
        gettext_lazy("有人拾到您的卡、争议有了答复，站内消息总会通知"),
        "search",
    ),
}
"""What a holder chooses from, with what it means."""
WAYS: Final[Mapping[AlertWay, tuple[Words, Words]]] = {
    AlertWay.MAIL: (gettext_lazy("邮件"), gettext_lazy("邮箱地址")),
    AlertWay.SMS: (gettext_lazy("短信"), gettext_lazy("手机号码")),
}
STATES: Final[Mapping[DeliveryState, tuple[Words, str]]] = {
    DeliveryState.WAITING: (gettext_lazy("待发送"), "warn"),
    DeliveryState.SENT: (gettext_lazy("已发送"), "good"),
    DeliveryState.FAILED: (gettext_lazy("未送达"), "bad"),
    DeliveryState.DROPPED: (gettext_lazy("已取消"), ""),
}


def entry_of(row: NoticeRow) -> str:
    """The page about the thing that a message tells of."""
    thing, number = row.thing
    if thing == "entry":
        return reverse("portal:movement", args=[number])
    return reverse("portal:loss" if row.kind in _OF_THE_CARD else "portal:overview")


def _low_book(row: NoticeRow) -> Said:
    text = _("账户余额 %(book)s，低于您设定的 %(below)s。") % {
        "book": _amount(row.facts["fen"]),
        "below": _amount(row.facts["below_fen"]),
    }
    return _("余额低于提醒值"), text, "warn", "cash"


def _large_spend(row: NoticeRow) -> Said:
    facts = {
        "at": f"{localtime(datetime.fromisoformat(row.facts['at'])):%m-%d %H:%M}",
        "place": _place(row),
        "fen": _amount(row.facts["fen"]),
    }
    text = _("%(at)s 在%(place)s消费 %(fen)s。不是您本人刷的卡，请立即挂失。") % facts
    return _("一笔大额消费"), text, "warn", "chart"


def _money_waiting(row: NoticeRow) -> Said:
    text = _("%(fen)s 等您领取，下次在联机终端刷卡时自动到账。") % {"fen": _amount(row.facts["fen"])}
    return _("有待领金额"), text, "good", "clock"


def _card_lost(row: NoticeRow) -> Said:
    text = _("挂失渠道：%(channel)s。联机终端不再接受这张卡。不是您本人挂失的，请持有效证件到管理中心。")
    return _("卡已挂失"), text % {"channel": _channel(row)}, "bad", "lost"


def _loss_lifted(row: NoticeRow) -> Said:
    text = _("解挂渠道：%(channel)s。卡可以使用了。不是您本人办理的，请立即再次挂失并修改查询密码。")
    return _("卡已解挂"), text % {"channel": _channel(row)}, "good", "check"


def _frozen(row: NoticeRow) -> Said:
    reasons = _("、").join(str(FREEZE_WORDS.get(reason, reason)) for reason in row.facts["reasons"])
    text = _("原因：%(reasons)s。卡暂时不能消费，账户里的钱不变；请持卡和有效证件到管理中心。")
    return _("账户已冻结"), text % {"reasons": reasons}, "bad", "frozen"


def _unfrozen(row: NoticeRow) -> Said:
    return _("账户已解冻"), _("卡可以使用了。"), "good", "check"


SAID: Final[Mapping[NoticeKind, Callable[[NoticeRow], Said]]] = {
    NoticeKind.LOW_BOOK: _low_book,
    NoticeKind.LARGE_SPEND: _large_spend,
    NoticeKind.MONEY_WAITING: _money_waiting,
    NoticeKind.CARD_LOST: _card_lost,
    NoticeKind.LOSS_LIFTED: _loss_lifted,
    NoticeKind.FROZEN: _frozen,
    NoticeKind.UNFROZEN: _unfrozen,
}
WITHOUT_AMOUNTS: Final[Mapping[NoticeKind, Words]] = {
    NoticeKind.LOW_BOOK: gettext_lazy("账户余额低于您设定的金额。"),
    NoticeKind.LARGE_SPEND: gettext_lazy("有一笔消费超过您设定的金额。不是您本人刷的卡，请立即挂失。"),
    NoticeKind.MONEY_WAITING: gettext_lazy("有一笔钱等您领取，下次在联机终端刷卡时自动到账。"),
    NoticeKind.DISPUTE_REFUNDED: gettext_lazy("争议已退款，登录后可以看到金额。"),
}
"""What a letter says instead, unless its holder wants amounts in it. No other message has any."""
_OF_THE_CARD: Final = frozenset({NoticeKind.CARD_LOST, NoticeKind.LOSS_LIFTED})


def _amount(fen: int) -> str:
    return f"¥{yuan(fen)}"


def _channel(row: NoticeRow) -> str:
    return str(CHANNEL_WORDS.get(row.facts["channel"], row.facts["channel"]))


def _place(row: NoticeRow) -> str:
    english = row.facts.get("place_en", "") if (get_language() or "").startswith("en") else ""
    return str(english or row.facts.get("place_zh") or _("消费终端"))
