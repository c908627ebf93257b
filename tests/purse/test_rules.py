"""Every refusal, and both sides of every boundary, with the line of the guide that pins it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from purse.policy import Policy
from purse.rules import (
    DebitFacts,
    FreezeReason,
    OfflineFacts,
    Pin,
    Refusal,
    Standing,
    bank_load_in_range,
    freeze_reason,
    levelling_due,
    refuse_debit,
    refuse_offline,
    refuse_standing,
    refuse_top_up,
)

POLICY = Policy()
GOOD = DebitFacts(
    standing=Standing(), amount_fen=10_00, card_fen=60_00, book_fen=60_00, spent_today_fen=0, limit_fen=50_00
)
OFFLINE = OfflineFacts(
    amount_fen=10_00,
    card_fen=60_00,
    spent_today_fen=0,
    limit_fen=50_00,
    sold_here_today_fen=0,
    in_a_row=0,
    stop_mark=False,
    on_hotlist=None,
    behind_last_seen=False,
    expired=False,
    list_age_s=60.0,
)
HOUR_S = 3600.0


def debit(**changes):
    return refuse_debit(replace(GOOD, **changes), POLICY)


def offline(**changes):
    return refuse_offline(replace(OFFLINE, **changes), POLICY)


def test_a_good_card_pays():
    assert debit() is None
    assert offline() is None


FLAGS = [
    ("card_usable", False, Refusal.CARD_REPLACED),
    ("account_open", False, Refusal.ACCOUNT_CLOSED),
    ("card_lost", True, Refusal.CARD_LOST),
    ("account_frozen", True, Refusal.CARD_FROZEN),
    ("card_expired", True, Refusal.CARD_EXPIRED),
    ("suspect", True, Refusal.CARD_SUSPECT),
]


@pytest.mark.parametrize(("flag", "value", "refusal"), FLAGS)
def test_every_flag_refuses_payment_loading_and_identification(flag, value, refusal):
    """指南: 当卡片冻结时,该卡片不能进行消费及身份识别业务。"""
    standing = replace(Standing(), **{flag: value})

    assert refuse_standing(standing) is refusal
    assert debit(standing=standing) is refusal
    assert refuse_top_up(standing=standing, amount_fen=1, book_fen=0, policy=POLICY) is refusal


@pytest.mark.parametrize("first", range(len(FLAGS)))
def test_the_graver_reason_is_named_first(first):
    flags = {flag: value for flag, value, _ in FLAGS[first:]}

    assert debit(standing=replace(Standing(), **flags), pin=Pin.WRONG, card_worn=True) is FLAGS[first][2]


def test_below_the_flags_the_order_is_worn_locked_wrong_too_large_insufficient_password():
    facts = {"amount_fen": 500_01, "card_fen": 0, "spent_today_fen": 60_00}

    assert debit(**facts, card_worn=True, pin=Pin.LOCKED) is Refusal.CARD_WORN
    assert debit(**facts, pin=Pin.LOCKED) is Refusal.PASSWORD_LOCKED
    assert debit(**facts, pin=Pin.WRONG) is Refusal.PASSWORD_WRONG
    assert debit(**facts) is Refusal.SALE_TOO_LARGE
    assert debit(**facts | {"amount_fen": 500_00}) is Refusal.INSUFFICIENT
    assert (
        debit(**facts | {"amount_fen": 500_00, "card_fen": 500_00, "book_fen": 500_00})
        is Refusal.PASSWORD_NEEDED
    )


@pytest.mark.parametrize(
    ("card_fen", "book_fen", "refusal"),
    [
        (10_00, 10_00, None),
        (9_99, 60_00, Refusal.INSUFFICIENT),
        (60_00, 9_99, Refusal.INSUFFICIENT),
        (10_00, 60_00, None),
        (60_00, 10_00, None),
    ],
)
def test_funds_are_the_smaller_of_card_and_book(card_fen, book_fen, refusal):
    """指南 L83: 卡内余额不足。"""
    assert debit(card_fen=card_fen, book_fen=book_fen) is refusal


@pytest.mark.parametrize(
    ("spent", "amount", "refusal"),
    [
        (40_00, 10_00, None),
        (40_00, 10_01, Refusal.PASSWORD_NEEDED),
        (0, 50_00, None),
        (50_00, 1, Refusal.PASSWORD_NEEDED),
    ],
)
def test_the_password_is_asked_above_the_limit_not_at_it(spent, amount, refusal):
    """指南 L157: 当一天累计消费超过消费限额时使用。(系统默认消费限额为50元)"""
    assert debit(spent_today_fen=spent, amount_fen=amount) is refusal
    assert debit(spent_today_fen=spent, amount_fen=amount, pin=Pin.RIGHT) is None


@pytest.mark.parametrize(("amount", "refusal"), [(500_00, None), (500_01, Refusal.SALE_TOO_LARGE)])
def test_one_purchase_has_a_bound(amount, refusal):
    assert debit(amount_fen=amount, card_fen=900_00, book_fen=900_00, pin=Pin.RIGHT) is refusal


@pytest.mark.parametrize(
    ("book_fen", "card_fen", "reason"),
    [
        (28_00, 80_00, FreezeReason.CARD_ABOVE_BOOK),
        (30_00, 80_00, None),
        (29_99, 80_00, FreezeReason.CARD_ABOVE_BOOK),
        (80_00, 28_00, None),
        (0, 0, None),
        (-1, 0, FreezeReason.BOOK_NEGATIVE),
        (-1, 80_00, FreezeReason.BOOK_NEGATIVE),
    ],
    ids=["gap 52", "gap exactly 50", "gap 50.01", "book above card", "zero", "book -0.01", "both"],
)
def test_freezes_by_the_guides_two_rules(book_fen, card_fen, reason):
    """指南 L95: 当数据库余额为负数时(例如;-0.01元)或智能卡卡片余额与数据库余额的差额大于50元时。"""
    assert freeze_reason(book_fen=book_fen, card_fen=card_fen, policy=POLICY) is reason


NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
FIVE_DAYS = timedelta(hours=5 * 24)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("silence", "due"), [(FIVE_DAYS - SECOND, False), (FIVE_DAYS, True), (FIVE_DAYS + SECOND, True)]
)
def test_levelling_is_due_after_five_times_24_hours_of_silence(silence, due):
    """指南 L109: 如果脱机POS机5天以上不能与系统通讯时,系统将根据智能卡卡片中的余额进行平账处理。"""
    long_ago = NOW - timedelta(days=30)

    assert levelling_due(now=NOW, terminal_contact_at=NOW - silence, gap_since=long_ago, policy=POLICY) is due
    assert levelling_due(now=NOW, terminal_contact_at=long_ago, gap_since=NOW - silence, policy=POLICY) is due
    assert levelling_due(now=NOW, terminal_contact_at=None, gap_since=NOW - silence, policy=POLICY) is due


@pytest.mark.parametrize(("fen", "inside"), [(99, False), (1_00, True), (500_00, True), (500_01, False)])
def test_a_bank_load_moves_1_to_500_yuan(fen, inside):
    """指南 L43: 转账资金范围在1元至500元之间。"""
    assert bank_load_in_range(fen, POLICY) is inside


@pytest.mark.parametrize(("amount", "refusal"), [(40_00, None), (40_01, Refusal.TOP_UP_TOO_LARGE)])
def test_a_purse_holds_a_thousand_yuan(amount, refusal):
    assert refuse_top_up(standing=Standing(), amount_fen=amount, book_fen=960_00, policy=POLICY) is refusal


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"on_hotlist": Refusal.CARD_LOST}, Refusal.CARD_LOST),
        ({"stop_mark": True}, Refusal.CARD_FROZEN),
        ({"expired": True}, Refusal.CARD_EXPIRED),
        ({"behind_last_seen": True}, Refusal.CARD_SUSPECT),
        ({"card_worn": True}, Refusal.CARD_WORN),
        ({"list_age_s": None}, Refusal.OFFLINE_STOPPED),
        ({"list_age_s": 5 * 24 * HOUR_S - 1, "amount_fen": 10_00}, None),
        ({"list_age_s": 5 * 24 * HOUR_S}, Refusal.OFFLINE_STOPPED),
        ({"list_age_s": 24 * HOUR_S, "amount_fen": 20_00}, None),
        ({"list_age_s": 24 * HOUR_S + 1, "amount_fen": 10_00}, None),
        ({"list_age_s": 24 * HOUR_S + 1, "amount_fen": 10_01}, Refusal.OFFLINE_CAP),
        ({"amount_fen": 10_00, "card_fen": 10_00}, None),
        ({"amount_fen": 10_00, "card_fen": 9_99}, Refusal.INSUFFICIENT),
        ({"amount_fen": 10_00, "spent_today_fen": 40_00}, None),
        ({"amount_fen": 10_00, "spent_today_fen": 40_01}, Refusal.OFFLINE_PASSWORD),
        ({"amount_fen": 20_00}, None),
        ({"amount_fen": 20_01}, Refusal.OFFLINE_CAP),
        ({"amount_fen": 10_00, "sold_here_today_fen": 40_00}, None),
        ({"amount_fen": 10_00, "sold_here_today_fen": 40_01}, Refusal.OFFLINE_CAP),
        ({"in_a_row": 4}, None),
        ({"in_a_row": 5}, Refusal.OFFLINE_CAP),
    ],
)
def test_a_till_without_the_network_sells_within_its_bounds(changes, refusal):
    assert offline(**changes) is refusal


def test_offline_the_graver_reason_is_named_first():
    everything = {
        "on_hotlist": Refusal.CARD_LOST,
        "stop_mark": True,
        "expired": True,
        "behind_last_seen": True,
        "card_worn": True,
        "list_age_s": None,
        "card_fen": 0,
    }
    named = []
    for fine in ["", "on_hotlist", "stop_mark", "expired", "behind_last_seen", "card_worn", "list_age_s"]:
        if fine:
            everything[fine] = getattr(OFFLINE, fine)
        named.append(offline(**everything))

    assert named == [
        Refusal.CARD_LOST,
        Refusal.CARD_FROZEN,
        Refusal.CARD_EXPIRED,
        Refusal.CARD_SUSPECT,
        Refusal.CARD_WORN,
        Refusal.OFFLINE_STOPPED,
        Refusal.INSUFFICIENT,
    ]
