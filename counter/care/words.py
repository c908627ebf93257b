"""What the desk reads about disputes and found cards."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.kinds import FoundEventKind, FoundState
from accounts.selectors import campuses
from accounts.services.found import FoundProblem
from accounts.services.lostposts import PostProblem
from reconciliation.kinds import DisputeEventKind, DisputeState
from reconciliation.services.disputes import Problem

Words = str | Promise

STATES: dict[DisputeState, tuple[Words, str]] = {
    DisputeState.OPEN: (_("待受理"), "warn"),
    DisputeState.TAKEN: (_("核查中"), "warn"),
    DisputeState.ASKED: (_("等持卡人补充"), ""),
    DisputeState.PROPOSED: (_("退款审批中"), "warn"),
    DisputeState.REFUNDED: (_("已退款"), "good"),
    DisputeState.SETTLED: (_("已办结"), "good"),
    DisputeState.REFUSED: (_("不予退款"), ""),
    DisputeState.WITHDRAWN: (_("已撤回"), ""),
}
MOMENTS: dict[DisputeEventKind, Words] = {
    DisputeEventKind.OPENED: _("持卡人提出"),
    DisputeEventKind.TAKEN: _("受理"),
    DisputeEventKind.ASKED: _("请持卡人补充"),
    DisputeEventKind.ADDED: _("持卡人补充"),
    DisputeEventKind.REMARKED: _("内部备注，持卡人看不到"),
    DisputeEventKind.PROPOSED: _("提出退款"),
    DisputeEventKind.RETURNED: _("退款未执行，继续核查"),
    DisputeEventKind.REFUNDED: _("已退款"),
    DisputeEventKind.SETTLED: _("答复并办结"),
    DisputeEventKind.REFUSED: _("答复：不予退款"),
    DisputeEventKind.WITHDRAWN: _("持卡人撤回"),
}
PROBLEMS: dict[Problem, Words] = {
    Problem.NO_SUCH_MOVEMENT: _("没有这一笔流水"),
    Problem.WRONG_KIND: _("这笔流水不能提出这种争议"),
    Problem.TAKEN_BACK: _("这笔流水已经冲正或退还，不需要再提出争议"),
    Problem.TOO_OLD: _("已超过提出争议的期限，没有登记"),
    Problem.IN_FUTURE: _("日期不能晚于今天"),
    Problem.NO_WORDS: _("请填写说明，持卡人会看到"),
    Problem.TOO_MANY: _("该账户未办结的争议太多，请先办结"),
    Problem.FINISHED: _("争议的进展已有变化，请看最新情况"),
    Problem.NOT_ENTITLED: _("您的岗位不能办理此项"),
    Problem.OWN_ACCOUNT: _("不能处理自己的账户，请由同事办理"),
    Problem.KEY_REUSED: _("页面已用过，请刷新后再试"),
    Problem.NO_MOVEMENT: _("流水上没有可以退的这一笔；查实少充的，请凭小票到收银台补充值，再办结本争议"),
}
FOUND_STATES: dict[FoundState, tuple[Words, str]] = {
    FoundState.KEPT: (_("保管中"), "warn"),
    FoundState.HANDED_OVER: (_("已领回"), "good"),
    FoundState.GONE: (_("过期已处理"), ""),
}
FOUND_MOMENTS: dict[FoundEventKind, Words] = {
    FoundEventKind.TAKEN_IN: _("收到"),
    FoundEventKind.REPORTED_LOST: _("代为挂失，受理号"),
    FoundEventKind.LEFT_IN_USE: _("不挂失，失主来领"),
    FoundEventKind.MOVED: _("转到"),
    FoundEventKind.HANDED_OVER: _("交还本人"),
    FoundEventKind.GONE: _("过期处理"),
}
FOUND_PROBLEMS: dict[FoundProblem, Words] = {
    FoundProblem.NOT_ENTITLED: _("您的岗位不能办理此项"),
    FoundProblem.OTHER_CAMPUS: _("卡在另一校区，由那里办理"),
    FoundProblem.OWN_ACCOUNT: _("不能处理自己的账户，请由同事办理"),
    FoundProblem.BAD_DAY: _("日期应在一年以内，且不晚于今天"),
    FoundProblem.ALREADY_KEPT: _("这张卡已经登记过，正在保管"),
    FoundProblem.NOT_KEPT: _("这张卡已不在保管中，请看最新情况"),
    FoundProblem.NOBODY_S: _("不知道是谁的卡，不能办理此项"),
    FoundProblem.NOT_LIVE: _("这是已作废的旧卡，不用挂失"),
    FoundProblem.NOT_YET: _("还没有过保管期"),
    FoundProblem.SAME_CAMPUS: _("卡本来就在这个校区"),
    FoundProblem.NO_WORDS: _("请填写说明"),
    FoundProblem.KEY_REUSED: _("页面已用过，请刷新后再试"),
    FoundProblem.NO_CARD: _("该账户没有可挂失的卡"),
}
POST_PROBLEMS: dict[PostProblem, Words] = {
    PostProblem.NO_WORDS: _("请写明理由，发布人会看到"),
    PostProblem.OVER: _("这条信息已撤下或过期"),
    PostProblem.OTHER_CAMPUS: _("这是其他校区的信息"),
    PostProblem.NOT_ENTITLED: _("您的岗位不能办理此项"),
}


def campus_choices() -> list[tuple[str, str]]:
    """The campuses by code, in the reader's language."""
    english = (get_language() or "").startswith("en")
    return [(place.code, (english and place.name_en) or place.name_zh) for place in campuses()]
