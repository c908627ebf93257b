"""The stories of the guide as accounts with fixed numbers, for documents, tests and curious newcomers (screens.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecard.demo.history import History, Line
from transactions.models import Contra, EntryKind, Mode


@dataclass(frozen=True, slots=True)
class Story:
    """One account with a story. Amounts in fen; ``torn_fen`` and then ``offline_fen`` end its history."""

    number: int
    name: str
    tells: str
    end_fen: int
    torn_fen: tuple[int, ...] = ()
    offline_fen: int = 0
    lost: bool = False
    named: bool = False
    unclaimed_fen: int = 0
    limit_fen: int = 50_00


STORIES = (
    Story(10086, "林晓雨", "正常的卡，28.40 元", 28_40),
    Story(
        10087,
        "陈浩然",
        "卡 80、库 28：差额 52 元，已冻结 (指南第六节)",
        80_00,
        torn_fen=(26_00, 26_00),
        limit_fen=600_00,
    ),
    Story(10088, "王思远", "拿卡过快：库 1.10、卡 2.40 (指南第六节)", 2_40, torn_fen=(1_30,)),
    Story(
        10089,
        "赵一诺",
        "库为负数 -0.01：拿卡过快后又脱机消费，已冻结",
        10_00,
        torn_fen=(9_00,),
        offline_fen=1_01,
    ),
    Story(10091, "黄雨欣", "已挂失", 35_60, lost=True),
    Story(10092, "周子涵", "有 50.00 元待领，下次刷卡到账", 22_90, unclaimed_fen=50_00),
    Story(10093, "吴师傅", "记名卡", 66_00, named=True),
    # at the end, because identity numbers, and with them initial passwords, go by the place in this list
    Story(
        10090,
        "孙嘉怡",
        "终端静默六天后平账，之后流水才上传：重复扣款 23.40，库 17.80、卡 41.20，已冻结 (指南第六节)",
        64_60,
    ),
)
QUERY_PIN = "275839"
CONSUMPTION_PIN = "940516"
"""Passwords that the people of the stories have chosen; 10092 still has his initial one."""
STILL_INITIAL = frozenset({10092})
INITIAL_PIN = "074069"
"""His: the last six of an identity number that is nobody's (guide L131)."""
NUMBERS = frozenset(story.number for story in STORIES)


def ending(story: Story, history: History, now: datetime) -> History:
    """Let the story happen at the end of an ordinary fortnight."""
    yesterday = (now - timedelta(days=1)).replace(hour=18, minute=40, second=0)
    lines = list(history.lines)
    for number, fen in enumerate(story.torn_fen):
        at = yesterday + timedelta(minutes=number)
        lines.append(Line(at, EntryKind.PURCHASE, -fen, Contra.MERCHANT, 0, torn=True))
    if story.offline_fen:
        at = yesterday + timedelta(minutes=30)
        lines.append(Line(at, EntryKind.OFFLINE_SALE, -story.offline_fen, Contra.MERCHANT, 1, Mode.OFFLINE))
    return History(lines)
