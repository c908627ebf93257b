"""What the desk's pages say: why something is not possible, how a line stands, what follows from a plan."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from reconciliation.kinds import DecisionAction, Mismatch
from reconciliation.rulings import DecisionState
from reconciliation.services.remedies import Obstacle
from reconciliation.timeline import Movement, Stand
from transactions.kinds import EntryKind, Mode
from transactions.services.levelling import grounds_of

Words = str | Promise

OBSTACLES: dict[Obstacle, Words] = {
    Obstacle.NOT_ENTITLED: _("您的岗位不能办理此项"),
    Obstacle.OTHER_CAMPUS: _("这是其他校区的案例"),
    Obstacle.OWN_ACCOUNT: _("不能处理自己的账户，请由同事办理"),
    Obstacle.CODE_TOO_OLD: _("动态码已超过 5 分钟，请再输入一次"),
    Obstacle.SAME_PERSON: _("提出人不能自己复核"),
    Obstacle.NOT_CHIEF: _("金额超过 200 元，须由全校主管复核"),
    Obstacle.CASE_CLOSED: _("案例已结案"),
    Obstacle.NOT_OPEN: _("已有人处理过，请看结果"),
    Obstacle.WAITING: _("该账户有一项处理尚未完成，请先处理它"),
    Obstacle.CHANGED: _("卡、库或流水已变化，请重新核对"),
    Obstacle.WITHDRAWN: _("提出人已撤回"),
    Obstacle.CHECKER_GONE: _("同意的人已停用或调岗，这次同意作废，请重新提出"),
    Obstacle.NO_REASON: _("请写明理由"),
    Obstacle.NO_CARD: _("该账户没有在用的卡"),
    Obstacle.NOTHING_TO_DO: _("卡库一致，无需修正"),
    Obstacle.CARD_ABOVE_BOOK: _("卡高于库，不能按卡修正"),
    Obstacle.OFFLINE_OPEN: _("有脱机消费尚未上传，写卡会把这笔钱多给出去"),
    Obstacle.LATE_OPEN: _("有重复扣款尚未退还，请先退还"),
    Obstacle.BOOK_NEGATIVE: _("库余额为负"),
    Obstacle.BOOK_BELOW_ZERO: _("修正后库余额会低于零"),
    Obstacle.CARD_SUSPECT: _("卡上有记录无法解释的内容，须先由主管核查"),
    Obstacle.CARD_NOT_HERE: _("请把该卡放在本柜台读卡器上读一次"),
    Obstacle.NOT_EQUAL: _("卡库仍不一致，或还有未完成的项目"),
    Obstacle.NOT_FROZEN: _("该账户没有冻结"),
    Obstacle.NOTHING_LATE: _("没有重复扣款的流水"),
    Obstacle.NOT_REVERSIBLE: _("这一笔不能冲正"),
    Obstacle.REVERSED: _("这一笔已经冲正"),
    Obstacle.ACCOUNT_ENDED: _("该账户已销户"),
    Obstacle.NOT_A_DESK: _("没有这个读卡器"),
    Obstacle.DESK_BUSY: _("读卡器正在做另一项任务"),
    Obstacle.KEY_REUSED: _("页面已用过，请刷新后再试"),
    Obstacle.NOT_ASSIGNABLE: _("不能分派给这位同事，可能已停用、换岗，或案例是他本人的"),
}

STANDS: dict[Stand, tuple[Words, str]] = {
    Stand.BOTH: (_("已入卡"), ""),
    Stand.TORN: (_("库有卡无"), "warn"),
    Stand.UNWRITTEN: (_("库有卡无"), "warn"),
    Stand.GAP: (_("卡有库无"), "bad"),
    Stand.LEVELLED_GAP: (_("卡有库无，已平账"), "warn"),
    Stand.LATE: (_("重复扣款"), "bad"),
    Stand.REFUNDED: (_("重复扣款，已退还"), "good"),
}

STATES: dict[DecisionState, tuple[Words, str]] = {
    DecisionState.WAITING: (_("等待复核"), "warn"),
    DecisionState.APPROVED: (_("已同意，待放卡执行"), "warn"),
    DecisionState.DONE: (_("已执行"), "good"),
    DecisionState.NOT_DONE: (_("未执行"), "bad"),
    DecisionState.REFUSED: (_("已退回"), "bad"),
    DecisionState.WITHDRAWN: (_("已撤回"), ""),
}

EFFECTS: dict[DecisionAction, Words] = {
    DecisionAction.SET_TO_CARD: _("库余额降到卡上已花掉的钱为止；流水日后到达时作为重复扣款退还。"),
    DecisionAction.SET_TO_BOOK: _("在读卡器上把卡写成与库一致；库余额不变。"),
    DecisionAction.REFUND: _("把平账后又扣了一次的金额退回库；卡上的钱不变。"),
    DecisionAction.REVERSE: _("这一笔消费作废，金额退到待领，下次刷卡到账。"),
    DecisionAction.UNFREEZE: _("账户和卡片恢复使用；卡与库刚在读卡器上核对一致。"),
}

ADVICE: dict[Mismatch, Words] = {
    Mismatch.TORN: _("持卡人在任何联机终端再刷一次，卡就补上这笔扣款；不必等的，可在读卡器上按库修正。"),
    Mismatch.OFFLINE_GAP: _("流水还在脱机终端里。终端上传后自动平；终端静默满五天，夜间对账按卡平账。"),
    Mismatch.DOUBLE: _("平账之后流水又到了，这些钱扣了两次，应如数退还。"),
    Mismatch.TORN_LOAD: _("钱在库里，没写到卡上。在读卡器上按库修正，或持卡人下次刷卡自动写入。"),
    Mismatch.EXCESS: _("卡上的钱多于全部记录。收回卡片，查明来源；不得平账。"),
    Mismatch.FORK: _("同一序号出现两种内容，卡被复制过。作废换卡。"),
    Mismatch.ROLLBACK: _("卡上出现了比已确认更旧的内容，有人写回了旧数据。作废换卡。"),
    Mismatch.NEGATIVE: _("先处理其余差额；仍为负的部分向持卡人收取。"),
    Mismatch.DISPUTE: _("持卡人对一笔流水有争议，退款的决定在等待办理；办完后争议自动办结。"),
}


def obstacle_words(value: str) -> Words:
    """The sentence of an obstacle by its value."""
    return OBSTACLES[Obstacle(value)]


def note_words(movement: Movement | None) -> str:
    """What is said beside a movement that no terminal made: why a levelling was due, or a person's words."""
    if movement is None or movement.mode != Mode.SERVER:
        return ""
    grounds = grounds_of(movement.note) if movement.kind == EntryKind.LEVELLING else None
    if grounds is None:
        return movement.note
    terminals = gettext("、").join(str(each) for each in grounds.terminal_ids)
    return gettext("按卡序号 %(seq)s 平账；长期静默的终端：%(terminals)s 号机") % {
        "seq": grounds.spend_seq,
        "terminals": terminals,
    }
