"""What holder and operator see and hear: one function per row of the display table (docs/till.md).

A six-character LED, two text lines in Chinese and English, a lamp, and at most one sound. Nothing here decides; it
only says what was decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from purse.money import yuan
from purse.rules import Refusal

LED_WIDTH = 6
HYPHENS = "------"


class Lamp(StrEnum):
    """The lamp beside the reader."""

    OFF = "off"
    WHITE = "white"
    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class Sound(StrEnum):
    """The sounds by name. OK is heard if and only if a card write was read back."""

    OK = "OK"
    ALARM = "ALARM"
    RETRY = "RETRY"


@dataclass(frozen=True, slots=True)
class Beep:
    """How a sound goes: on and off in milliseconds, repeated at least ``least`` times and at most ``longest_ms``.

    Beyond ``least`` it goes on only until its cause is gone (the card has left, or was tapped again).
    """

    on_ms: int
    off_ms: int
    least: int
    longest_ms: int


PATTERNS = {
    Sound.OK: Beep(150, 0, 1, 150),
    Sound.ALARM: Beep(100, 100, 6, 3_000),
    Sound.RETRY: Beep(800, 200, 1, 10_000),
}
SHORT_ALARM = Beep(100, 100, 5, 1_000)
"""The alarm of a sale that nobody finished: one second, there is no card to wait for."""


@dataclass(frozen=True, slots=True)
class Words:
    """One line in both languages."""

    zh: str
    en: str

    def said(self, language: str) -> str:
        """The line in ``zh`` or ``en``."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Face:
    """Everything that can be seen at one moment."""

    led: str
    line1: Words
    line2: Words
    lamp: Lamp = Lamp.OFF

    def __post_init__(self) -> None:
        if len(self.led) != LED_WIDTH:
            raise ValueError(f"the LED has {LED_WIDTH} characters, not {self.led!r}")


@dataclass(frozen=True, slots=True)
class Signal:
    """A face together with the sound that goes with it."""

    face: Face
    sound: Sound | None = None
    beep: Beep | None = None

    @property
    def pattern(self) -> Beep | None:
        """How the sound goes, None when there is none."""
        return self.beep or (PATTERNS[self.sound] if self.sound else None)


NOTHING = Words("", "")
OFFLINE_STOPPED = Words("停止脱机消费", "Offline sales stopped")
NO_LINE = Words("通讯中断 不能消费", "No connection, no sales")
TO_THE_CENTER = Words("请到管理中心", "Go to the card center")


def led_amount(fen: int) -> str:
    """An amount on the LED, right-aligned; from 1000.00 on the last digit does not fit and is left out."""
    return yuan(fen).rjust(LED_WIDTH)[:LED_WIDTH]


# ------------------------------------------------------------------------------------------------ before a tap


def idle(now: datetime, *, name: Words, online: bool, unsent: int, stopped: Words | None = None) -> Face:
    """The time, whether the till has its server, and what waits to be uploaded. ``now`` in the campus's local time.

    ``stopped``: why nothing can be sold as things are; the operator shall know it before a holder stands there.
    """
    line1 = Words("请输入金额", "Enter the amount")
    led = f"{now:%H %M} "
    waiting = Words(f"未传 {unsent}", f"{unsent} unsent")
    if stopped is not None:
        state = "在线" if online else "脱机"
        return Face(
            led,
            stopped,
            Words(f"{state} {waiting.zh}", f"{'online' if online else 'OFFLINE'} {waiting.en}"),
            Lamp.RED,
        )
    if not online:
        return Face(led, line1, Words(f"脱机 {waiting.zh}", f"OFFLINE {waiting.en}"), Lamp.AMBER)
    line2 = Words(f"{name.zh} 在线", f"{name.en} online")
    if unsent:
        line2 = Words(f"{line2.zh} {waiting.zh}", f"{line2.en} {waiting.en}")
    return Face(led, line1, line2)


def amount(fen: int) -> Face:
    """The amount that the holder must see before the card is touched (L81)."""
    return Face(
        led_amount(fen),
        Words(f"应付 {yuan(fen)} 元", f"To pay {yuan(fen)}"),
        Words("请核对后刷卡", "Check, then tap the card"),
        Lamp.WHITE,
    )


def ask_void(fen: int) -> Face:
    """The operator wants the last sale back: its card must be shown."""
    return Face(
        led_amount(fen),
        Words(f"撤销 {yuan(fen)} 元", f"Void {yuan(fen)}"),
        Words("请刷原卡", "Tap the same card"),
        Lamp.WHITE,
    )


def ask_card() -> Face:
    """A balance query was chosen; the card is missing."""
    return Face(
        HYPHENS.replace("-", " "), Words("查询余额", "Balance"), Words("请刷卡", "Tap the card"), Lamp.WHITE
    )


def ask_card_again() -> Face:
    """The password is in; the card has been taken away meanwhile."""
    return Face(
        HYPHENS,
        Words("密码已输入", "Password entered"),
        Words("请重新刷卡", "Tap the card again"),
        Lamp.AMBER,
    )


def password(digits: int) -> Signal:
    """The day's limit is exceeded: six hyphens, silent. Typed digits are stars."""
    line2 = Words("*" * digits, "*" * digits) if digits else Words("请输入消费密码", "Enter your password")
    return Signal(Face(HYPHENS, Words("超出日限额", "Above the daily limit"), line2, Lamp.AMBER))


def double_tap() -> Signal:
    """The same card and amount again within ten seconds: the operator must want it."""
    return Signal(
        Face(
            "dUPL  ",
            Words("重复刷卡?", "Same sale again?"),
            Words("确认请按 确认", "Confirm to go on"),
            Lamp.AMBER,
        )
    )


# ------------------------------------------------------------------------------------------- how a tap ended


def balance(card_fen: int, *, today_fen: int, limit_fen: int) -> Signal:
    """An empty tap. No OK: nothing was paid."""
    return Signal(
        Face(
            led_amount(card_fen),
            Words(f"余额 {yuan(card_fen)}", f"Balance {yuan(card_fen)}"),
            Words(
                f"今日 {yuan(today_fen)} 限额 {yuan(limit_fen)}",
                f"Today {yuan(today_fen)} limit {yuan(limit_fen)}",
            ),
            Lamp.WHITE,
        )
    )


def paid(fen: int, card_fen: int, *, claimed_fen: int = 0) -> Signal:
    """Paid online; unclaimed money that rode along is named first."""
    line1 = Words(f"消费 {yuan(fen)}", f"Paid {yuan(fen)}")
    if claimed_fen:
        line1 = Words(
            f"到账 {yuan(claimed_fen)} 消费 {yuan(fen)}", f"Received {yuan(claimed_fen)}, paid {yuan(fen)}"
        )
    return _done(line1, card_fen)


def paid_offline(fen: int, card_fen: int) -> Signal:
    """Paid without the server; the record follows."""
    return _done(Words(f"脱机消费 {yuan(fen)}", f"Paid offline {yuan(fen)}"), card_fen)


def voided(fen: int, card_fen: int) -> Signal:
    """The last sale was taken back, on the card too."""
    return _done(Words(f"已撤销 {yuan(fen)}", f"Voided {yuan(fen)}"), card_fen, take=False)


def torn() -> Signal:
    """Taken away too fast (拿卡过快): the same card, please."""
    return Signal(
        Face(
            "rEtry ", Words("拿卡过快", "Card taken too soon"), Words("请重新放卡", "Put it back"), Lamp.AMBER
        ),
        Sound.RETRY,
    )


def other_card() -> Signal:
    """Somebody else's card cannot finish this sale."""
    return Signal(
        Face(
            "rEtry ",
            Words("不是同一张卡", "Not the same card"),
            Words("请放回原卡", "Put back the first card"),
            Lamp.AMBER,
        ),
        Sound.RETRY,
    )


def unfinished() -> Signal:
    """Nobody came back with the card."""
    face = Face(
        "E 11  ",
        Words("交易未完成", "Not completed"),
        Words("卡片未扣款", "The card was not charged"),
        Lamp.RED,
    )
    return Signal(face, Sound.ALARM, SHORT_ALARM)


def no_answer() -> Signal:
    """No reply from the server, and no way to sell without it."""
    return _alarm("E 12  ", Words("通讯超时", "No answer"), Words("请重刷", "Tap again"), Lamp.AMBER)


def several_cards() -> Signal:
    """More than one card in the field (L161)."""
    return _alarm("E 13  ", Words("请只放一张卡", "One card only, please"), NOTHING)


def journal_broken() -> Signal:
    """Nothing is sold that cannot be written down first."""
    return _alarm("E 14  ", Words("停止脱机消费", "Sales stopped"), Words("终端存储故障", "Storage fault"))


def journal_full() -> Signal:
    """So much waits to be uploaded that no more is taken in."""
    return _alarm("E 14  ", OFFLINE_STOPPED, Words("流水已满 请联网", "Journal full: connect"))


def list_too_old() -> Signal:
    """Nobody knows any more which cards were reported lost."""
    return _alarm("E 12  ", OFFLINE_STOPPED, Words("名单过期 请联网", "Hotlist too old: connect"), Lamp.AMBER)


def clock_wrong() -> Signal:
    """The clock went back behind the journal; without the server there is no true time."""
    return _alarm("E 15  ", OFFLINE_STOPPED, Words("终端时钟错误", "Clock fault"))


def refused(refusal: Refusal, *, fen: int = 0, funds_fen: int = 0, pin_left: int | None = None) -> Signal:
    """Why the card was not accepted. ``funds_fen``: what could be spent, once the card is healed."""
    if refusal is Refusal.PASSWORD_NEEDED:
        return password(0)
    if refusal is Refusal.PASSWORD_WRONG:
        left = 0 if pin_left is None else pin_left
        return _alarm(
            HYPHENS,
            Words(f"密码错误 剩 {left} 次", f"Wrong password, {left} left"),
            Words("请输入消费密码", "Try again"),
        )
    if refusal is Refusal.INSUFFICIENT:
        return _alarm(
            "E 01  ",
            Words(f"余额不足 {yuan(funds_fen)}", f"Not enough: {yuan(funds_fen)}"),
            Words(f"应付 {yuan(fen)}", f"To pay {yuan(fen)}"),
        )
    led, line1, line2 = _REFUSALS[refusal]
    return _alarm(led, line1, line2)


_LESS = Words("请减少金额", "Take less")
_DAMAGED = Words("卡片读写错误", "The card cannot be read")
_FOREIGN = Words("非本系统卡", "Not a card of ours")
_NO_RIGHT = Words("无此权限", "Not permitted here")
_REFUSALS: dict[Refusal, tuple[str, Words, Words]] = {
    Refusal.UNREADABLE: ("E 02  ", _DAMAGED, TO_THE_CENTER),
    Refusal.CARD_WORN: ("E 02  ", _DAMAGED, TO_THE_CENTER),
    Refusal.CARD_LOST: ("E 03  ", Words("卡片已挂失", "Card reported lost"), TO_THE_CENTER),
    Refusal.CARD_FROZEN: ("E 04  ", Words("卡片已冻结", "Card frozen"), TO_THE_CENTER),
    Refusal.CARD_EXPIRED: ("E 05  ", Words("已过期", "Card expired"), TO_THE_CENTER),
    Refusal.CARD_REPLACED: ("E 06  ", Words("已补卡作废", "Card replaced"), TO_THE_CENTER),
    Refusal.ACCOUNT_CLOSED: ("E 07  ", Words("已销户", "Account closed"), TO_THE_CENTER),
    Refusal.FOREIGN_CARD: ("E 08  ", _FOREIGN, NOTHING),
    Refusal.CARD_SUSPECT: ("E 08  ", _FOREIGN, TO_THE_CENTER),
    Refusal.OFFLINE_PASSWORD: ("E 09  ", Words("脱机不能验证密码", "No password check offline"), _LESS),
    Refusal.OFFLINE_CAP: ("E 09  ", Words("超过脱机限额", "Above the offline limit"), _LESS),
    Refusal.SALE_TOO_LARGE: ("E 09  ", Words("超过单笔限额", "Above the limit of a sale"), _LESS),
    Refusal.TOP_UP_TOO_LARGE: ("E 09  ", Words("超过余额上限", "Above the largest balance"), TO_THE_CENTER),
    Refusal.PASSWORD_LOCKED: ("E 10  ", Words("密码已锁", "Password locked"), TO_THE_CENTER),
    Refusal.OFFLINE_STOPPED: ("E 12  ", Words("通讯超时", "No answer"), Words("请重刷", "Tap again")),
    Refusal.SERVICE_RIGHT: ("E 16  ", _NO_RIGHT, TO_THE_CENTER),
    Refusal.TERMINAL_RIGHT: ("E 16  ", _NO_RIGHT, Words("请联系管理员", "Call the administrator")),
    Refusal.VOIDED: ("E 17  ", Words("该笔已撤销", "Already voided"), NOTHING),
    Refusal.NOTHING_TO_VOID: ("E 17  ", Words("无可撤销交易", "Nothing to void"), NOTHING),
}


def _done(line1: Words, card_fen: int, *, take: bool = True) -> Signal:
    left = yuan(card_fen)
    line2 = Words(
        f"余额 {left} 请取卡" if take else f"余额 {left}", f"Balance {left}" + (", take it" if take else "")
    )
    return Signal(Face(led_amount(card_fen), line1, line2, Lamp.GREEN), Sound.OK)


def _alarm(led: str, line1: Words, line2: Words, lamp: Lamp = Lamp.RED) -> Signal:
    return Signal(Face(led, line1, line2, lamp), Sound.ALARM)
