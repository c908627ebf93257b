"""What the pages of the administration say: why something is not possible, how a job or a value stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import staff
from accounts.jobs import JobState
from accounts.services import policy
from reconciliation.retention import Fate
from transactions.services import merchants

Words = str | Promise

NOT_SET: Mapping[policy.Why, Words] = {
    policy.Why.TOO_SOON: _("生效时间须至少在一分钟以后；已过的时间不能设置"),
    policy.Why.NOT_IN_BOUNDS: _("超出允许的范围"),
    policy.Why.CONTRADICTION: _("与其他参数矛盾"),
    policy.Why.NO_CHANGE: _("到那时的值已经是它，没有变化"),
    policy.Why.NO_REASON: _("请写明理由"),
    policy.Why.CHANGED: _("参数刚被别人改过，请重新核对后再确认"),
    policy.Why.SECOND_PERSON: _("该参数须全校主管同意"),
    policy.Why.BEGUN: _("该值已经生效，不能撤销；请设置新值"),
    policy.Why.UNKNOWN: _("没有这个参数"),
    policy.Why.KEY_REUSED: _("页面已用过，请刷新后再试"),
}
NOT_CHANGED: Mapping[merchants.Why, tuple[str, Words]] = {
    merchants.Why.CONTRACT_ORDER: ("contract_until", _("末日不能早于首日")),
    merchants.Why.IN_THE_PAST: ("", _("日期已过：合同最早今天到期，结算条件最早明天生效")),
    merchants.Why.NO_REASON: ("reason", _("请写明理由")),
    merchants.Why.KEY_REUSED: ("", _("页面已用过，请刷新后再试")),
}
JOB_STATES: Mapping[JobState, tuple[Words, str]] = {
    JobState.GOOD: (_("正常"), "good"),
    JobState.RUNNING: (_("运行中"), ""),
    JobState.LATE: (_("超过期限未完成"), "bad"),
    JobState.FAILED: (_("上次失败"), "bad"),
    JobState.NEVER: (_("从未运行"), "warn"),
}
COUNTS: Mapping[str, Words] = {
    "compared": _("比对"),
    "frozen": _("冻结"),
    "levelled": _("平账"),
    "opened": _("立案"),
    "closed": _("结案"),
    "postponed": _("暂缓"),
    "days": _("封存天数"),
    "months_added": _("新增分区"),
    "checked": _("检查"),
    "broken": _("不符"),
    "changed": _("变动"),
    "version": _("版本"),
    "told": _("新消息"),
    "letters": _("新信件"),
    "sent": _("已发送"),
    "waiting": _("待重发"),
    "failed": _("未送达"),
    "undelivered": _("一天内未送达"),
    "kilobytes": "KB",
    "tables": _("表"),
    "rows": _("行"),
    "entries": _("流水"),
    "dropped": _("删去旧备份"),
    "found": _("发现问题"),
    "promises": _("核验的约束"),
    "audit_seals": _("审计封签"),
    "id_numbers": _("解开证件号码"),
    "bank_cards": _("银行卡号"),
    "journal_records": _("核对终端签名"),
    "passwords": _("密码"),
    "restore_s": _("恢复用秒"),
    "check_s": _("核验用秒"),
    "holders": _("持卡人"),
    "logins": _("登录记录"),
    "lost_found": _("失卡招领"),
    "rosters": _("名册行"),
    "photo_files": _("原图"),
    "web_sessions": _("网页会话"),
    "exports": _("导出文件"),
}
FATES: Mapping[Fate, tuple[Words, str]] = {
    Fate.DELETED: (_("到期删除"), "warn"),
    Fate.ERASED: (_("清空内容"), "warn"),
    Fate.KEPT: (_("不删除"), "good"),
}
"""What becomes of rows whose time is over, and how it is coloured."""


class Names:
    """The names of those who did something, of many rows at once. Two kinds of doers have none: commands and cron."""

    def __init__(self, whos: Iterable[str]) -> None:
        ids = {number for who in whos if (number := _operator_id(who)) is not None}
        self._names = staff.names(ids) if ids else {}

    def of(self, who: str) -> str:
        """``李敏`` for ``operator:7``; what is no operator stays as it is."""
        number = _operator_id(who)
        return who if number is None else self._names.get(number, who)


def _operator_id(who: str) -> int | None:
    kind, _sep, number = who.partition(":")
    return int(number) if kind == "operator" and number.isdecimal() else None
