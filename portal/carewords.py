"""Sentences about disputes, found cards and messages: what happened, whether money moved, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from accounts.kinds import NoticeKind
from accounts.notices import NoticeRow
from accounts.services.lostposts import PostProblem
from portal import alertwords
from purse.money import yuan
from reconciliation.kinds import DisputeEventKind, DisputeKind, DisputeState
from reconciliation.services.disputes import Problem

Words = str | Promise

STATES: dict[DisputeState, tuple[Words, str]] = {
    DisputeState.OPEN: (gettext_lazy("待受理"), "warn"),
    DisputeState.TAKEN: (gettext_lazy("核查中"), "warn"),
    DisputeState.ASKED: (gettext_lazy("等您补充"), "bad"),
    DisputeState.PROPOSED: (gettext_lazy("退款审批中"), "warn"),
    DisputeState.REFUNDED: (gettext_lazy("已退款"), "good"),
    DisputeState.SETTLED: (gettext_lazy("已办结"), "good"),
    DisputeState.REFUSED: (gettext_lazy("不予退款"), ""),
    DisputeState.WITHDRAWN: (gettext_lazy("已撤回"), ""),
}
MOMENTS: dict[DisputeEventKind, Words] = {
    DisputeEventKind.OPENED: gettext_lazy("您提出了争议"),
    DisputeEventKind.TAKEN: gettext_lazy("管理中心已受理"),
    DisputeEventKind.ASKED: gettext_lazy("管理中心请您补充"),
    DisputeEventKind.ADDED: gettext_lazy("您的补充"),
    DisputeEventKind.PROPOSED: gettext_lazy("管理中心提出退款，等待审批"),
    DisputeEventKind.RETURNED: gettext_lazy("退款审批没有通过，继续核查"),
    DisputeEventKind.REFUNDED: gettext_lazy("已退款"),
    DisputeEventKind.SETTLED: gettext_lazy("管理中心答复"),
    DisputeEventKind.REFUSED: gettext_lazy("管理中心答复：不予退款"),
    DisputeEventKind.WITHDRAWN: gettext_lazy("您撤回了争议"),
}
KIND_HINTS: dict[DisputeKind, Words] = {
    DisputeKind.WRONG_AMOUNT: gettext_lazy("终端上打的金额与应付的不同"),
    DisputeKind.DOUBLE: gettext_lazy("同一次消费扣了两笔"),
    DisputeKind.NOT_MINE: gettext_lazy("这笔不是我刷的；请同时考虑挂失"),
    DisputeKind.TOP_UP_MISSING: gettext_lazy("交了钱，余额没有增加"),
}
PROBLEMS: dict[Problem, Words] = {
    Problem.NO_SUCH_MOVEMENT: gettext_lazy("没有这一笔流水；没有登记争议，款项没有变动"),
    Problem.WRONG_KIND: gettext_lazy("这笔流水不能提出这种争议；没有登记，款项没有变动"),
    Problem.TAKEN_BACK: gettext_lazy("这笔流水已经冲正或退还，钱已退给您，不需要再提出争议"),
    Problem.TOO_OLD: gettext_lazy("已超过提出争议的期限，没有登记，款项没有变动；请带小票到管理中心咨询"),
    Problem.IN_FUTURE: gettext_lazy("日期不能晚于今天"),
    Problem.NO_WORDS: gettext_lazy("请填写说明"),
    Problem.TOO_MANY: gettext_lazy("您还有很多争议没有办结；请到管理中心当面办理"),
    Problem.FINISHED: gettext_lazy("争议的进展已有变化，请看最新情况；刚才的内容没有保存"),
    Problem.NOT_ENTITLED: gettext_lazy("您不能办理此项"),
    Problem.OWN_ACCOUNT: gettext_lazy("您不能办理此项"),
    Problem.KEY_REUSED: gettext_lazy("页面已用过，请刷新后再试"),
    Problem.NO_MOVEMENT: gettext_lazy("流水上没有可以退的这一笔"),
}
POST_PROBLEMS: dict[PostProblem, Words] = {
    PostProblem.TOO_MANY: gettext_lazy("今天已发布 5 条，请明天再来；没有发布"),
    PostProblem.BAD_DAY: gettext_lazy("日期应在一年以内，且不晚于今天；没有发布"),
    PostProblem.NO_CARD: gettext_lazy("您没有在用的卡，不需要寻卡；没有发布"),
    PostProblem.OVER: gettext_lazy("这条信息已不在公告栏"),
    PostProblem.RENEWED: gettext_lazy("每条信息只能延长一次"),
    PostProblem.NOT_ENTITLED: gettext_lazy("您不能办理此项"),
    PostProblem.OTHER_CAMPUS: gettext_lazy("您不能办理此项"),
    PostProblem.NO_WORDS: gettext_lazy("请填写说明"),
    PostProblem.KEY_REUSED: gettext_lazy("页面已用过，请刷新后再试"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A message as it is read: title, sentence, where to go on, how urgent it looks."""

    title: str
    text: str
    url: str
    tone: str
    icon: str


def told(row: NoticeRow) -> Told:
    """A message in the reader's language."""
    title, text, tone, icon = _SAID[row.kind](row)
    return Told(title, text, _url(row), tone, icon)


def _url(row: NoticeRow) -> str:
    if row.kind in alertwords.SAID:
        return alertwords.entry_of(row)
    thing, number = row.thing
    return reverse("portal:dispute", args=[number]) if thing == "dispute" else reverse("portal:lost_card")


Said = tuple[str, str, str, str]


def _card_found(row: NoticeRow) -> Said:
    return (
        _("有人拾到您的卡"),
        _("卡面号码与您的一致。请看卡在哪里；如果还没有挂失，请先挂失。"),
        "warn",
        "card",
    )


def _card_kept(row: NoticeRow) -> Said:
    text = _("有人拾到您的卡，保存在%(campus)s管理中心，保管到 %(until)s。请带有效证件领取。") % {
        "campus": _campus(row),
        "until": row.facts["keep_until"],
    }
    return _("有人拾到您的卡"), text, "warn", "card"


def _card_moved(row: NoticeRow) -> Said:
    text = _("您的卡已转到%(campus)s管理中心，请到那里领取。") % {"campus": _campus(row)}
    return _("您的卡换了地方"), text, "warn", "card"


def _card_returned(row: NoticeRow) -> Said:
    return _("您的卡已领回"), _("如果您没有领卡，请立即挂失并联系管理中心。"), "good", "check"


def _card_gone(row: NoticeRow) -> Said:
    return _("拾到的卡已过保管期"), _("卡片已按规定处理，账户里的钱不变。需要用卡请办理补卡。"), "", "info"


def _post_hidden(row: NoticeRow) -> Said:
    text = _("管理中心没有公开您的寻卡信息：%(reason)s") % {"reason": row.facts.get("reason", "")}
    return _("寻卡信息没有公开"), text, "", "info"


def _opened(row: NoticeRow) -> Said:
    text = _("受理号 %(reference)s，最迟 %(due)s 答复您。款项没有变动。") % {
        "reference": row.facts["reference"],
        "due": row.facts.get("due_on", ""),
    }
    return _("争议已登记"), text, "", "clock"


def _asked(row: NoticeRow) -> Said:
    text = _("争议 %(reference)s 需要您补充说明，请点开查看。") % row.facts
    return _("请补充争议材料"), text, "bad", "alert"


def _refunded(row: NoticeRow) -> Said:
    facts = {"reference": row.facts["reference"], "amount": f"¥{yuan(row.facts['fen'])}"}
    if row.facts.get("waits"):
        text = _("争议 %(reference)s：%(amount)s 已退到待领金额，下次在联机终端刷卡时到账。") % facts
    else:
        text = _("争议 %(reference)s：%(amount)s 已退回您的账户。") % facts
    return _("争议已退款"), text, "good", "check"


def _settled(row: NoticeRow) -> Said:
    return _("争议已答复"), _("争议 %(reference)s 已办结，请点开查看答复。") % row.facts, "good", "check"


def _refused(row: NoticeRow) -> Said:
    text = _("争议 %(reference)s 不予退款，款项没有变动；理由请点开查看。") % row.facts
    return _("争议不予退款"), text, "", "info"


_SAID = {
    NoticeKind.CARD_FOUND: _card_found,
    NoticeKind.CARD_KEPT: _card_kept,
    NoticeKind.CARD_MOVED: _card_moved,
    NoticeKind.CARD_RETURNED: _card_returned,
    NoticeKind.CARD_GONE: _card_gone,
    NoticeKind.POST_HIDDEN: _post_hidden,
    NoticeKind.DISPUTE_OPENED: _opened,
    NoticeKind.DISPUTE_ASKED: _asked,
    NoticeKind.DISPUTE_REFUNDED: _refunded,
    NoticeKind.DISPUTE_SETTLED: _settled,
    NoticeKind.DISPUTE_REFUSED: _refused,
    **alertwords.SAID,
}


def state_chip(state: DisputeState) -> tuple[Words, str]:
    """A state in one word, with its tone."""
    return STATES[state]


def next_step(state: DisputeState, due_on: date, today: date) -> Words:
    """What the holder has to expect, or to do."""
    if state is DisputeState.ASKED:
        return _("请在下面补充，我们收到后继续核查。")
    if state in (DisputeState.OPEN, DisputeState.TAKEN, DisputeState.PROPOSED):
        if today > due_on:
            return _("已超过答复期限，对不起。您可以带受理号到任一管理中心催办。")
        return _("最迟 %(due)s 答复您（10 个工作日）。") % {"due": due_on.isoformat()}
    return ""


def _campus(row: NoticeRow) -> str:
    english = row.facts.get("campus_en", "") if (get_language() or "").startswith("en") else ""
    return str(english or row.facts.get("campus_zh", ""))
