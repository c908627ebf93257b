"""What the pages of second persons say."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.approvals import RequestState, Why

Words = str | Promise

REQUEST_STATES: dict[RequestState, tuple[Words, str]] = {
    RequestState.WAITING: (_("等待复核"), "warn"),
    RequestState.AGREED: (_("已同意，待办理"), "warn"),
    RequestState.DONE: (_("已办理"), "good"),
    RequestState.NOT_DONE: (_("未办理"), "bad"),
    RequestState.REFUSED: (_("已退回"), "bad"),
    RequestState.WITHDRAWN: (_("已撤回"), ""),
    RequestState.EXPIRED: (_("已过期"), ""),
}

WHY: dict[Why, Words] = {
    Why.NOT_ENTITLED: _("您的岗位不能办理此项"),
    Why.OTHER_CAMPUS: _("这是其他校区提出的，由该校区主管或全校主管复核"),
    Why.OWN_ACCOUNT: _("不能处理自己的账户，请由同事办理"),
    Why.ABOUT_ONESELF: _("与本人有关的申请，请由同事办理"),
    Why.CODE_TOO_OLD: _("动态码已超过 5 分钟，请再输入一次"),
    Why.SAME_PERSON: _("提出人不能自己复核"),
    Why.NOT_CHIEF: _("金额超过 200 元，须由全校主管复核"),
    Why.NO_REASON: _("请写明理由"),
    Why.NOT_OPEN: _("已有人处理过，请看结果"),
    Why.NOT_AGREED: _("还没有第二人同意"),
    Why.EXPIRED: _("已过期，请重新提出"),
    Why.CHANGED: _("内容已变化，请重新核对后再提出"),
    Why.USED: _("已办理过，不能再用"),
    Why.KEY_REUSED: _("页面已用过，请刷新后再试"),
    Why.WITHDRAWN: _("提出人已撤回"),
    Why.CHECKER_GONE: _("同意的人已停用或调岗，这次同意作废；请提出人撤回后重新提出"),
}
