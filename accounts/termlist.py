"""Every number and word of ``purse.policy`` and ``accounts.options`` with its name, help, unit and bounds, by chapter.

And what must hold between them, so that no value is set with which the others make no sense.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from accounts.policies import InForce
from accounts.terms import Group, Term, Unit, Words

GROUPS: Final[Mapping[Group, Words]] = {
    Group.BOOK: _("限额与余额"),
    Group.LOAD: _("充值与圈存"),
    Group.SALE: _("联机消费"),
    Group.OFFLINE: _("脱机消费"),
    Group.STANDING: _("冻结、平账与更正"),
    Group.CARDS: _("卡片业务"),
    Group.SERVICE: _("服务与文字"),
}

# Bounds: fen for yuan, seconds for durations. What a card can hold bounds the first chapter (docs/card-layout.md).
_LIST: Final = (
    Term(
        "default_limit_fen",
        _("初始日限额"),
        _("新开账户的日限额；当日消费超过它须输入消费密码。"),
        Unit.YUAN,
        Group.BOOK,
        0,
        600_00,
    ),
    Term(
        "max_limit_fen",
        _("日限额上限"),
        _("持卡人和柜台最高可设的日限额。"),
        Unit.YUAN,
        Group.BOOK,
        50_00,
        655_00,
    ),
    Term(
        "max_book_fen",
        _("余额上限"),
        _("充值后库余额不得超过它。调低不影响已有的余额。"),
        Unit.YUAN,
        Group.BOOK,
        100_00,
        5_000_00,
    ),
    Term(
        "load_min_fen", _("圈存最小金额"), _("银行转账一次至少转入的金额。"), Unit.YUAN, Group.LOAD, 1, 100_00
    ),
    Term(
        "load_max_fen",
        _("圈存最大金额"),
        _("银行转账一次最多转入的金额。"),
        Unit.YUAN,
        Group.LOAD,
        1_00,
        1_000_00,
    ),
    Term(
        "cash_top_up_min_fen",
        _("现金充值最小金额"),
        _("一次现金充值至少收取的金额。"),
        Unit.YUAN,
        Group.LOAD,
        1,
        100_00,
    ),
    Term(
        "cash_top_up_max_fen",
        _("现金充值上限"),
        _("一次现金充值最多收取的金额。"),
        Unit.YUAN,
        Group.LOAD,
        1_00,
        2_000_00,
    ),
    Term(
        "claim_at_till",
        _("刷卡时领取待领款"),
        _("待领金额可在消费终端刷卡时写入卡片。"),
        Unit.FLAG,
        Group.LOAD,
    ),
    Term(
        "sale_max_fen",
        _("单笔消费上限"),
        _("终端联机消费一笔的上限，防止输错金额。"),
        Unit.YUAN,
        Group.SALE,
        1_00,
        655_00,
    ),
    Term(
        "double_tap",
        _("重复金额提醒"),
        _("同一张卡在此时间内以相同金额再次刷卡，终端先询问。"),
        Unit.SECONDS,
        Group.SALE,
        0,
        60,
        two=False,
    ),
    Term(
        "retap",
        _("补刷时间"),
        _("拿卡过快后，在此时间内再刷一次即补写，不再扣款。"),
        Unit.SECONDS,
        Group.SALE,
        3,
        60,
        two=False,
    ),
    Term(
        "clock_skew",
        _("终端时钟误差"),
        _("终端与服务器的时钟相差超过它，请求被拒绝。"),
        Unit.SECONDS,
        Group.SALE,
        30,
        600,
    ),
    Term(
        "offline_sale_max_fen",
        _("脱机单笔上限"),
        _("终端脱机时一笔消费的上限。"),
        Unit.YUAN,
        Group.OFFLINE,
        0,
        100_00,
    ),
    Term(
        "offline_day_max_fen",
        _("脱机每日上限"),
        _("每张卡每天在一台终端脱机消费的上限。"),
        Unit.YUAN,
        Group.OFFLINE,
        0,
        500_00,
    ),
    Term(
        "offline_in_a_row",
        _("连续脱机次数"),
        _("一张卡连续脱机消费的最多次数；卡上只记得住六次。"),
        Unit.TIMES,
        Group.OFFLINE,
        0,
        5,
    ),
    Term(
        "offline_stale_sale_max_fen",
        _("名单过期时的单笔上限"),
        _("黑名单超过有效时间后，脱机一笔消费的上限。"),
        Unit.YUAN,
        Group.OFFLINE,
        0,
        100_00,
    ),
    Term(
        "hotlist_stale",
        _("黑名单有效时间"),
        _("黑名单比它更旧，脱机单笔上限随之降低。"),
        Unit.HOURS,
        Group.OFFLINE,
        3600,
        432_000,
    ),
    Term(
        "hotlist_dead",
        _("黑名单失效时间"),
        _("黑名单比它更旧，不再脱机消费。"),
        Unit.LONG,
        Group.OFFLINE,
        86_400,
        864_000,
    ),
    Term(
        "freeze_gap_fen",
        _("冻结差额"),
        _("卡余额比库余额高出的金额超过它，账户冻结。"),
        Unit.YUAN,
        Group.STANDING,
        0,
        500_00,
    ),
    Term(
        "freeze_on_late_upload",
        _("迟到流水冻结"),
        _("平账之后原流水又到达时，冻结账户等待退还。"),
        Unit.FLAG,
        Group.STANDING,
    ),
    Term(
        "levelling_silence",
        _("平账静默天数"),
        _("终端静默达到它，夜间对账按卡平账。"),
        Unit.LONG,
        Group.STANDING,
        86_400,
        2_592_000,
    ),
    Term(
        "refund_alone_max_fen",
        _("单人更正上限"),
        _("主管一人可以完成的更正金额；超过须第二人复核。"),
        Unit.YUAN,
        Group.STANDING,
        0,
        500_00,
    ),
    Term(
        "clerk_alone_max_fen",
        _("卡务员单人更正上限"),
        _("卡务人员一人可以完成的更正金额。"),
        Unit.YUAN,
        Group.STANDING,
        0,
        100_00,
    ),
    Term(
        "second_level_fen",
        _("全校主管复核起点"),
        _("更正金额超过它，须全校主管复核。"),
        Unit.YUAN,
        Group.STANDING,
        0,
        5_000_00,
    ),
    Term(
        "step_up",
        _("动态码有效时间"),
        _("更正与解冻前，动态码须在此时间内输入过。"),
        Unit.MINUTES,
        Group.STANDING,
        60,
        900,
    ),
    Term(
        "card_fee_fen",
        _("补卡工本费"),
        _("丢失补卡时收取；卡片自然损坏不收。"),
        Unit.YUAN,
        Group.CARDS,
        0,
        200_00,
    ),
    Term(
        "card_deposit_fen",
        _("记名卡押金"),
        _("记名卡和临时卡的押金，退卡时退还。"),
        Unit.YUAN,
        Group.CARDS,
        0,
        200_00,
    ),
    Term(
        "closing_wait_days",
        _("销户等待天数"),
        _("停用后等待迟到流水的天数，期满才能退款销户。"),
        Unit.DAYS,
        Group.CARDS,
        0,
        60,
    ),
    Term(
        "dispute_window_days",
        _("争议期限"),
        _("一笔流水之后可以提出争议的天数。"),
        Unit.DAYS,
        Group.SERVICE,
        30,
        365,
    ),
    Term(
        "hold_back_days",
        _("补卡暂留天数"),
        _("有终端静默时，旧卡余额暂留的天数；0 为不暂留。"),
        Unit.DAYS,
        Group.CARDS,
        0,
        30,
    ),
    Term(
        "bank_name_zh",
        _("合作银行"),
        _("圈存页面和说明中的银行名称。"),
        Unit.TEXT,
        Group.SERVICE,
        1,
        20,
        two=False,
    ),
    Term(
        "bank_name_en",
        _("合作银行（英文）"),
        _("英文页面中的银行名称。"),
        Unit.TEXT,
        Group.SERVICE,
        1,
        40,
        two=False,
    ),
)
TERMS: Final[Mapping[str, Term]] = {term.name: term for term in _LIST}

_RULES: Final[tuple[tuple[Callable[[InForce], bool], Words], ...]] = (
    (lambda at: at.policy.default_limit_fen <= at.policy.max_limit_fen, _("初始日限额不能高于日限额上限")),
    (lambda at: at.policy.load_min_fen <= at.policy.load_max_fen, _("圈存最小金额不能高于最大金额")),
    (lambda at: at.policy.load_max_fen <= at.policy.max_book_fen, _("圈存最大金额不能高于余额上限")),
    (
        lambda at: at.policy.cash_top_up_min_fen <= at.policy.cash_top_up_max_fen,
        _("现金充值最小金额不能高于上限"),
    ),
    (lambda at: at.policy.cash_top_up_max_fen <= at.policy.max_book_fen, _("现金充值上限不能高于余额上限")),
    (lambda at: at.policy.sale_max_fen <= at.policy.max_book_fen, _("单笔消费上限不能高于余额上限")),
    (
        lambda at: at.policy.offline_sale_max_fen <= at.policy.sale_max_fen,
        _("脱机单笔上限不能高于联机单笔上限"),
    ),
    (
        lambda at: at.policy.offline_sale_max_fen <= at.policy.offline_day_max_fen,
        _("脱机单笔上限不能高于脱机每日上限"),
    ),
    (
        lambda at: at.policy.offline_stale_sale_max_fen <= at.policy.offline_sale_max_fen,
        _("名单过期时的单笔上限不能高于脱机单笔上限"),
    ),
    (lambda at: at.policy.hotlist_stale <= at.policy.hotlist_dead, _("黑名单有效时间不能长于失效时间")),
    (
        lambda at: at.policy.clerk_alone_max_fen <= at.policy.refund_alone_max_fen,
        _("卡务员单人上限不能高于主管单人上限"),
    ),
    (
        lambda at: at.policy.refund_alone_max_fen <= at.policy.second_level_fen,
        _("单人更正上限不能高于全校主管复核起点"),
    ),
)


def contradiction(at: InForce) -> Words | None:
    """What does not go together, or None."""
    return next((words for holds, words in _RULES if not holds(at)), None)
