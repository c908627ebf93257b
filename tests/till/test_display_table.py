"""Every row of the display table that concerns a purchase, a void or a balance query (screens.md 6.8)."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from purse.rules import Refusal, Standing
from terminals.device import display
from terminals.device.clock import CHINA
from terminals.device.display import PATTERNS, Sound
from terminals.device.reader.field import Kind
from terminals.device.tapped import Ending
from terminals.device.till import Ended, Shows, Sounds
from tests.till.bench import ended

READS = 9
"""Card operations until the purse is read: UID, three sectors opened, five blocks read."""


def test_idle_shows_the_time_and_the_line(bench):
    now = datetime(2026, 11, 23, 12, 8, tzinfo=CHINA)

    online = display.idle(now, name=bench.config.name, online=True, unsent=0)
    offline = display.idle(now, name=bench.config.name, online=False, unsent=12)

    assert (online.led, online.line1.zh, online.line2.zh, online.lamp) == (
        "12 08 ",
        "请输入金额",
        "7号 在线",
        "off",
    )
    assert (offline.led, offline.line2.zh, offline.lamp) == ("12 08 ", "脱机 未传 12", "amber")


def test_the_till_itself_goes_idle_with_the_line_it_has(bench):
    assert re.fullmatch(r"[0-9]{2} [0-9]{2} ", bench.face.led)
    assert bench.face.line2.zh == "7号 在线"

    bench.network(up=False)
    bench.till.tick()

    assert bench.shown[1:] == ("请输入金额", "脱机 未传 0", "amber")


def test_the_amount_is_shown_before_the_first_card_command(bench):
    """L81: 刷卡前请先看清应付金额."""
    bench.issue("10086", 28_40)

    bench.till.amount(5_50)

    assert bench.shown == ("  5.50", "应付 5.50 元", "请核对后刷卡", "white")
    assert bench.sounds == []
    assert bench.reader.field.log == []


def test_an_empty_tap_shows_the_balance_and_is_silent(bench):
    bench.issue("10086", 28_40, today_fen=18_50)

    tapped = bench.tap("10086")

    assert bench.shown == (" 28.40", "余额 28.40", "今日 18.50 限额 50.00", "white")
    assert bench.sounds == []
    assert tapped.ending is Ending.BALANCE
    assert all(operation.kind is not Kind.WRITE for operation in bench.reader.field.log)


def test_paid_online(bench):
    bench.issue("10086", 28_40)

    tapped = bench.sell("10086", 5_50)

    assert bench.shown == (" 22.90", "消费 5.50", "余额 22.90 请取卡", "green")
    assert bench.sounds == ["OK"]
    assert (tapped.ending, tapped.card_fen, tapped.book_fen) == (Ending.PAID, 22_90, 22_90)
    assert bench.card_fen("10086") == bench.account("10086").book_fen == 22_90


def test_paid_offline(bench):
    bench.issue("10086", 28_40)
    bench.network(up=False)

    tapped = bench.sell("10086", 5_50)

    assert bench.shown == (" 22.90", "脱机消费 5.50", "余额 22.90 请取卡", "green")
    assert bench.sounds == ["OK"]
    assert (tapped.ending, tapped.card_fen, tapped.book_fen) == (Ending.PAID_OFFLINE, 22_90, None)
    assert (bench.card_fen("10086"), bench.account("10086").book_fen) == (22_90, 28_40)


def test_unclaimed_money_rides_on_the_purchase(bench):
    bench.issue("10086", 28_40, unclaimed_fen=50_00)

    tapped = bench.sell("10086", 5_50)

    assert bench.shown == (" 72.90", "到账 50.00 消费 5.50", "余额 72.90 请取卡", "green")
    assert bench.sounds == ["OK"]
    assert tapped.ending is Ending.PAID
    assert bench.card_fen("10086") == bench.account("10086").book_fen == 72_90


def test_over_the_limit_asks_for_the_password_with_six_hyphens_in_silence(bench):
    bench.issue("10086", 80_00, today_fen=46_00)

    tapped = bench.sell("10086", 5_50, stays=True)

    assert bench.shown == ("------", "超出日限额", "请输入消费密码", "amber")
    assert bench.sounds == []
    assert ended(tapped) == (Ending.REFUSED, Refusal.PASSWORD_NEEDED)


@pytest.mark.parametrize("stays", [True, False], ids=["the card lies there", "the card is tapped again"])
def test_the_right_password_pays_with_a_new_key(bench, stays):
    bench.issue("10086", 80_00, today_fen=46_00)
    asked = bench.sell("10086", 5_50, stays=stays)
    bench.till.keys("170")
    bench.till.keys("114")
    bench.till.confirm()

    paid = bench.use() if stays else bench.tap("10086")

    assert paid.ending is Ending.PAID
    assert paid.key.seq == asked.key.seq + 1
    assert bench.sounds == ["OK"]
    assert bench.account("10086").book_fen == 74_50


def test_wrong_passwords_count_down_and_lock(bench):
    bench.issue("10086", 80_00, today_fen=46_00)
    bench.sell("10086", 5_50, stays=True)
    seen = []

    for _ in range(3):
        bench.till.keys("000000")
        bench.till.confirm()
        tapped = bench.use()
        seen.append((*bench.shown, *bench.sounds, tapped.refusal))

    assert seen == [
        ("------", "密码错误 剩 2 次", "请输入消费密码", "red", "ALARM", Refusal.PASSWORD_WRONG),
        ("------", "密码错误 剩 1 次", "请输入消费密码", "red", "ALARM", Refusal.PASSWORD_WRONG),
        ("E 10  ", "密码已锁", "请到管理中心", "red", "ALARM", Refusal.PASSWORD_LOCKED),
    ]
    assert bench.account("10086").book_fen == bench.card_fen("10086") == 80_00


def test_nobody_elses_card_is_tried_with_a_typed_password(bench):
    bench.issue("10086", 80_00, today_fen=46_00)
    bench.issue("10087", 80_00, today_fen=46_00)
    bench.sell("10086", 5_50)
    bench.till.keys("170114")
    bench.till.confirm()

    other = bench.tap("10087")

    assert other.ending is Ending.OTHER_CARD
    assert bench.account("10087").wrong == 0
    assert bench.tap("10086").ending is Ending.PAID


def test_over_the_limit_offline_is_refused(bench):
    bench.issue("10086", 100_00)
    bench.sell("10086", 45_00)
    bench.network(up=False)

    tapped = bench.sell("10086", 5_50)

    assert bench.shown == ("E 09  ", "脱机不能验证密码", "请减少金额", "red")
    assert bench.sounds == ["ALARM"]
    assert ended(tapped) == (Ending.REFUSED, Refusal.OFFLINE_PASSWORD)


def test_insufficient(bench):
    """L83 的四种情况之一：余额不足."""
    bench.issue("10086", 2_40)

    tapped = bench.sell("10086", 5_50)

    assert bench.shown == ("E 01  ", "余额不足 2.40", "应付 5.50", "red")
    assert bench.sounds == ["ALARM"]
    assert ended(tapped) == (Ending.REFUSED, Refusal.INSUFFICIENT)


def test_card_enough_but_not_the_book_after_a_torn_tap_heals_the_card(bench):
    """指南: 卡、库 2.40，消费 1.30，拿卡过快：库 1.10，卡仍 2.40。"""
    bench.issue("10086", 2_40)
    torn = bench.sell("10086", 1_30, leave_after=READS)
    bench.skip(10)
    assert torn.ending is Ending.TORN
    assert (bench.account("10086").book_fen, bench.card_fen("10086")) == (1_10, 2_40)

    tapped = bench.sell("10086", 2_00)

    assert bench.shown == ("E 01  ", "余额不足 1.10", "应付 2.00", "red")
    assert bench.sounds == ["ALARM"]
    assert ended(tapped) == (Ending.REFUSED, Refusal.INSUFFICIENT)
    assert (bench.account("10086").book_fen, bench.card_fen("10086")) == (1_10, 1_10)


def test_a_damaged_card(bench):
    card = bench.issue("10086", 28_40)
    card.blocks[8], card.blocks[9] = bytes(16), bytes(16)
    bench.keep("10086", card)

    tapped = bench.sell("10086", 5_50)

    assert bench.shown == ("E 02  ", "卡片读写错误", "请到管理中心", "red")
    assert bench.sounds == ["ALARM"]
    assert ended(tapped) == (Ending.REFUSED, Refusal.UNREADABLE)


@pytest.mark.parametrize(
    ("standing", "refusal", "led", "line1"),
    [
        (Standing(card_lost=True), Refusal.CARD_LOST, "E 03  ", "卡片已挂失"),
        (Standing(account_frozen=True), Refusal.CARD_FROZEN, "E 04  ", "卡片已冻结"),
        (Standing(card_expired=True), Refusal.CARD_EXPIRED, "E 05  ", "已过期"),
        (Standing(card_usable=False), Refusal.CARD_REPLACED, "E 06  ", "已补卡作废"),
        (Standing(account_open=False), Refusal.ACCOUNT_CLOSED, "E 07  ", "已销户"),
    ],
)
def test_cards_that_may_not_be_used(bench, standing, refusal, led, line1):
    bench.issue("10086", 28_40, standing=standing)

    tapped = bench.sell("10086", 5_50)

    assert bench.shown == (led, line1, "请到管理中心", "red")
    assert bench.sounds == ["ALARM"]
    assert ended(tapped) == (Ending.REFUSED, refusal)
    assert bench.account("10086").book_fen == bench.card_fen("10086") == 28_40


def test_a_foreign_card(bench):
    card = bench.issue("10086", 28_40)
    card.blocks = [
        block if (place + 1) % 4 else b"\x11" * 6 + block[6:10] + b"\x22" * 6
        for place, block in enumerate(card.blocks)
    ]
    bench.keep("10086", card)

    tapped = bench.sell("10086", 5_50)

    assert bench.shown[:2] == ("E 08  ", "非本系统卡")
    assert (bench.shown[3], bench.sounds) == ("red", ["ALARM"])
    assert ended(tapped) == (Ending.REFUSED, Refusal.FOREIGN_CARD)
    assert "debit" not in bench.university.calls


def test_taken_away_too_fast_keeps_the_key_and_the_same_card_finishes_it(bench):
    bench.issue("10086", 28_40)

    torn = bench.sell("10086", 5_50, leave_after=READS)
    assert bench.shown == ("rEtry ", "拿卡过快", "请重新放卡", "amber")
    assert bench.sounds == ["RETRY"]
    assert (torn.ending, bench.account("10086").book_fen, bench.card_fen("10086")) == (
        Ending.TORN,
        22_90,
        28_40,
    )
    paid = bench.tap("10086")

    assert bench.shown == (" 22.90", "消费 5.50", "余额 22.90 请取卡", "green")
    assert bench.sounds == ["OK"]
    assert (paid.ending, paid.key) == (Ending.PAID, torn.key)
    assert bench.account("10086").book_fen == bench.card_fen("10086") == 22_90
    assert bench.university.calls.count("debit") == 1


def test_nobody_comes_back_with_the_card(bench):
    """L101: 库已扣款，卡未扣款."""
    bench.issue("10086", 28_40)
    bench.sell("10086", 5_50, leave_after=READS)
    bench.skip(9.5)
    assert bench.face.led == "rEtry "
    bench.events.clear()

    bench.skip(0.6)

    assert bench.shown == ("E 11  ", "交易未完成", "卡片未扣款", "red")
    alarm = next(event for event in bench.events if isinstance(event, Sounds))
    assert (alarm.sound, alarm.beep.longest_ms) == (Sound.ALARM, 1_000)
    assert (bench.account("10086").book_fen, bench.card_fen("10086")) == (22_90, 28_40)


def test_another_card_cannot_finish_a_torn_sale(bench):
    bench.issue("10086", 28_40)
    bench.issue("10087", 50_00)
    torn = bench.sell("10086", 5_50, leave_after=READS)

    other = bench.tap("10087")
    assert bench.shown[:2] == ("rEtry ", "不是同一张卡")
    assert (bench.shown[3], bench.sounds) == ("amber", ["RETRY"])
    paid = bench.tap("10086")

    assert (other.ending, other.key) == (Ending.OTHER_CARD, torn.key)
    assert (paid.ending, paid.key) == (Ending.PAID, torn.key)
    assert bench.account("10087").book_fen == bench.card_fen("10087") == 50_00


def test_no_reply_and_no_way_to_sell_without_it(bench):
    bench.university.policy = type(bench.university.policy)(offline_sale_max_fen=1_00)
    bench.university.offline = False
    bench.restart()
    bench.parts.sales.may_sell_offline = False
    bench.issue("10086", 28_40)
    bench.university.drop_answers = 4

    tapped = bench.sell("10086", 5_50)

    assert bench.shown == ("E 12  ", "通讯超时", "请重刷", "amber")
    assert bench.sounds == ["ALARM"]
    assert tapped.ending is Ending.UNKNOWN
    bench.report()
    assert bench.university.reports[-1].outcome == "abandoned"
    assert bench.account("10086").book_fen == bench.card_fen("10086") == 28_40


def test_same_card_and_amount_within_ten_seconds_waits_for_the_operator(bench):
    bench.issue("10086", 28_40)
    bench.sell("10086", 5_50)
    bench.skip(9.9)

    asked = bench.sell("10086", 5_50, stays=True)
    assert bench.shown == ("dUPL  ", "重复刷卡?", "确认请按 确认", "amber")
    assert bench.sounds == []
    assert (asked.ending, asked.key, bench.account("10086").book_fen) == (Ending.DOUBLE, None, 22_90)
    bench.till.confirm()

    assert bench.use().ending is Ending.PAID
    assert bench.account("10086").book_fen == bench.card_fen("10086") == 17_40


@pytest.mark.parametrize(
    ("fen", "later_s"), [(5_51, 1), (5_50, 10)], ids=["other amount", "ten seconds later"]
)
def test_another_sale_to_the_same_card_is_no_double_tap(bench, fen, later_s):
    bench.issue("10086", 28_40)
    bench.sell("10086", 5_50)
    bench.skip(later_s)

    assert bench.sell("10086", fen).ending is Ending.PAID


def test_two_cards_in_the_field(bench):
    bench.issue("10086", 28_40)
    bench.issue("10087", 28_40)
    bench.till.amount(5_50)
    bench.reader.place("10086")
    bench.reader.place("10087")

    tapped = bench.use()

    assert bench.shown[:2] == ("E 13  ", "请只放一张卡")
    assert (bench.shown[3], bench.sounds) == ("red", ["ALARM"])
    assert tapped.ending is Ending.REFUSED
    bench.take_away()
    assert bench.tap("10086").ending is Ending.PAID


def test_a_clock_behind_the_journal_stops_offline_sales_only(bench):
    bench.issue("10086", 28_40)
    bench.network(up=False)
    bench.wall_error_ms = -3 * 86_400_000
    bench.cut_power()
    bench.start()
    bench.network(up=False)
    bench.parts.clock._heard = False
    bench.parts.clock._anchor = (bench.parts.clock._wall_ms(), bench.parts.clock.mono())

    bench.sell("10086", 5_50)
    assert bench.shown[:2] == ("E 15  ", "停止脱机消费")
    assert (bench.shown[3], bench.sounds) == ("red", ["ALARM"])
    bench.network(up=True)

    assert bench.sell("10086", 5_50).ending is Ending.PAID


def test_void_takes_back_the_last_sale_from_book_and_card(bench):
    bench.issue("10086", 28_40)
    bench.sell("10086", 5_50)
    bench.report()

    bench.till.void()
    assert bench.shown[:3] == ("  5.50", "撤销 5.50 元", "请刷原卡")
    tapped = bench.tap("10086")

    assert bench.shown == (" 28.40", "已撤销 5.50", "余额 28.40", "green")
    assert bench.sounds == ["OK"]
    assert tapped.ending is Ending.VOIDED
    assert bench.account("10086").book_fen == bench.card_fen("10086") == 28_40


def test_void_refuses_another_card_and_a_second_time(bench):
    bench.issue("10086", 28_40)
    bench.issue("10087", 28_40)
    bench.sell("10086", 5_50)
    bench.report()
    bench.till.void()

    assert bench.tap("10087").ending is Ending.OTHER_CARD
    assert bench.tap("10086").ending is Ending.VOIDED
    bench.events.clear()
    bench.till.void()

    assert bench.shown[:2] == ("E 17  ", "无可撤销交易")
    assert bench.card_fen("10087") == 28_40


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_has_a_face_of_six_characters_in_two_languages(refusal):
    signal = display.refused(refusal, fen=1, funds_fen=0, pin_left=2)

    assert len(signal.face.led) == 6
    assert signal.face.line1.zh
    assert signal.face.line1.en.isascii()
    assert signal.sound is (None if refusal is Refusal.PASSWORD_NEEDED else Sound.ALARM)


def test_sounds_go_as_they_should():
    ok, alarm, retry = PATTERNS[Sound.OK], PATTERNS[Sound.ALARM], PATTERNS[Sound.RETRY]

    assert (ok.on_ms, ok.least, ok.longest_ms) == (150, 1, 150)
    assert (alarm.on_ms, alarm.off_ms, alarm.least, alarm.longest_ms) == (100, 100, 6, 3_000)
    assert (retry.on_ms, retry.off_ms, retry.longest_ms) == (800, 200, 10_000)


@pytest.mark.parametrize(
    ("fen", "led"),
    [(1, "  0.01"), (99_99, " 99.99"), (100_00, "100.00"), (1000_00, "1000.0"), (-1_30, " -1.30")],
)
def test_amounts_on_the_led(fen, led):
    assert display.led_amount(fen) == led


def test_events_come_in_the_order_face_sound_result(bench):
    bench.issue("10086", 28_40)

    bench.sell("10086", 5_50)

    assert [type(event) for event in bench.events] == [Shows, Sounds, Ended]
