"""What the reader panel says: where a job is, what is in its way, and the one safe next step."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from terminals.kinds import JobKind, JobState
from terminals.services.jobs import JobView

Words = str | Promise

TROUBLES: dict[str, tuple[Words, Words]] = {
    "no_service": (_("读卡服务没有运行"), _("请重启本机的读卡服务，任务会自动继续。")),
    "no_reader": (_("没有找到读卡器"), _("请插好读卡器，任务会自动继续。")),
    "several_cards": (_("读卡器上有不止一张卡"), _("请只放一张卡。")),
    "wrong_card": (_("不是这张卡"), _("请换上本账户的卡；这张卡没有被改动。")),
    "foreign_card": (_("不是本校的卡"), _("请换上本账户的卡；这张卡没有被改动。")),
    "unreadable": (_("卡片读不出来"), _("请平放后再试一次；仍不行须换卡。这张卡没有被改动。")),
    "card_gone": (_("拿卡过快，还没有写卡"), _("请重新放卡；卡与库都没有变。")),
    "torn": (_("写卡时卡被拿开"), _("请重新放同一张卡，会接着写完；请不要用别的卡。")),
    "not_confirmed": (_("写入的内容没有读回"), _("请不要拿开卡，正在再写；仍不行须换卡。")),
    "chip_in_use": (_("这张卡正在使用中"), _("请换一张空白卡；这张卡没有被改动。")),
    "chip_void": (_("这张空白卡已损坏或不是本校的"), _("请换一张空白卡，这张作废。")),
    "journal_broken": (_("本机存储故障，不能写卡"), _("请联系管理员；卡与库都没有变。")),
}

REFUSALS: dict[str, Words] = {
    "unreadable": _("卡片读不出来，须换卡。"),
    "foreign_card": _("不是本校的卡。"),
    "card_lost": _("卡片已挂失，请先办理解挂。"),
    "card_frozen": _("账户已冻结，请先处理差异并解冻。"),
    "card_expired": _("卡片已过期，请先办理延期。"),
    "card_replaced": _("这张卡已换卡、退卡或作废。"),
    "account_closed": _("账户已销户。"),
    "card_suspect": _("卡上内容没有记录可以解释，请由主管处理。"),
    "card_worn": _("卡片写入次数已用完，须换卡。"),
    "top_up_too_large": _("充值后超过余额上限。"),
    "offline_open": _("卡上有脱机消费还没有上传，现在按库修正会把这笔钱多给出去；请等终端上传或先平账。"),
    "late_open": _("有一笔重复扣款还没有退还，请先退还。"),
    "book_negative": _("库余额为负，请先处理。"),
    "nothing_to_claim": _("没有待领金额。"),
    "has_card": _("该账户已有在用的卡。"),
    "chip_in_use": _("这张卡正在使用中。"),
    "shift_closed": _("班次已交班，钱没有动；请开班后重新办理。"),
    "spent": _("充值之后又有消费或变动，不能撤销。"),
    "not_agreed": _("主管没有同意这一笔，或已经用过。"),
}

_ENDS: dict[JobState, tuple[Words, Words]] = {
    JobState.REFUSED: (_("没有执行"), _("卡与库都没有变。")),
    JobState.FAILED_UNCHANGED: (_("没有完成"), _("卡与库都没有变，可以重新开始。")),
    JobState.EXPIRED: (_("没有等到卡"), _("卡与库都没有变，可以重新开始。")),
    JobState.CANCELLED: (_("已取消"), _("卡与库都没有变。")),
}
_DONE: dict[JobKind, Words] = {
    JobKind.READ: _("已读卡"),
    JobKind.SET: _("卡与库一致"),
    JobKind.LOAD: _("已充值，库与卡都已入账"),
    JobKind.UNLOAD: _("已撤销充值，库与卡都已减去"),
    JobKind.MARK: _("卡上标记已更新"),
    JobKind.PREPARE: _("制卡完成"),
    JobKind.EXTEND: _("有效期已写入卡片"),
}
_UNDER_WAY: dict[JobState, Words] = {
    JobState.ORDERED: _("等待读卡程序接收"),
    JobState.TAKEN: _("请放卡"),
    JobState.CARD_AWAITED: _("请放卡"),
    JobState.READING: _("正在读卡，请勿取卡"),
    JobState.WRITING: _("正在写卡，请勿取卡"),
}


def says(job: JobView) -> tuple[Words, Words]:
    """Two sentences: what is, and what to do next. They never say less than is known of the money."""
    if not job.over:
        return _of_open(job)
    if job.state is JobState.DONE:
        return _DONE[job.kind], REFUSALS.get(job.refusal, "")
    if job.state is JobState.STATE_UNKNOWN:
        return _of_doubt(job)
    what, then = _ENDS[job.state]
    return what, REFUSALS.get(job.refusal, then)


def trouble(name: str) -> str:
    """What was in the way, as one sentence; empty for nothing."""
    return str(TROUBLES[name][0]) if name in TROUBLES else ""


def tone(job: JobView) -> str:
    """``good``, ``warn``, ``bad`` or empty: the colour that goes with the words."""
    if not job.over:
        return "warn" if job.trouble or not job.agent_there else ""
    if job.state is JobState.DONE:
        return "warn" if job.refusal else "good"
    return "bad" if job.state is JobState.STATE_UNKNOWN else "warn"


def _of_open(job: JobView) -> tuple[Words, Words]:
    if job.state is JobState.ORDERED and not job.agent_there:
        return _("读卡程序没有响应"), _("请确认本柜台的读卡程序已启动；任务不会丢失，也可以取消。")
    if job.trouble in TROUBLES:
        return TROUBLES[job.trouble]
    return _UNDER_WAY[job.state], ""


def _of_doubt(job: JobView) -> tuple[Words, Words]:
    """A job that was given up after something was told: what the book did, what the card may hold, what heals it."""
    heals = _("下一次在任何终端刷这张卡时会自动补齐；也可以现在放回同一张卡再读一次。")
    if job.kind is JobKind.PREPARE:
        return _("制卡没有完成"), _("这张卡还不能使用；请用同一张空白卡再制一次。")
    if job.refusal:
        return _("没有写完"), REFUSALS.get(job.refusal, heals)
    if job.entry_seq is not None and job.card_outcome == "not_written":
        return _("库已入账，卡没有写入"), heals
    if job.entry_seq is not None:
        return _("库已入账，卡是否写入尚未确认"), heals
    return _("写卡结果尚未确认，库没有变"), heals
