"""Disputes in every state, cards in a drawer and on the board, so that these pages have something to show.

One refund was paid out, one waits for its second person; what becomes of the others is left to whoever tries the demo.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import islice

from accounts.actors import Actor, Channel
from accounts.found import live_card_id
from accounts.kinds import FoundHow
from accounts.models import Account, Operator
from accounts.options import Options
from accounts.services import found, lostposts
from accounts.services.found import Intake
from accounts.services.lostposts import Search
from accounts.services.operators import Hand
from ecard.demo.staff import CLERK, SUPERVISORS
from purse.policy import Policy
from reconciliation.kinds import DisputeEventKind, DisputeKind
from reconciliation.models import Dispute
from reconciliation.services import disputes
from reconciliation.services.disputes import Claim
from transactions.days import local_day
from transactions.models import Entry, EntryKind

FROM_NO = 20_060
"""Accounts of the crowd; the ones of the stories and of the drift are left alone."""
_KIND = DisputeEventKind


class End(Enum):
    """How a tale ends where it is not the desk's answer."""

    REFUNDED = "refunded"
    """The supervisor gave the money back."""
    PROPOSED = "proposed"
    """The clerk wants to, and a supervisor has to agree."""
    WITHDRAWN = "withdrawn"
    """The holder remembered."""


@dataclass(frozen=True, slots=True)
class Tale:
    """What a holder says is wrong, what the desk did one hour after the other, and how it ended."""

    kind: DisputeKind
    text: str
    steps: tuple[tuple[DisputeEventKind, str], ...] = ()
    end: End | None = None


TALES = (
    Tale(DisputeKind.WRONG_AMOUNT, "面是 9 元，打成了 19 元，档口的阿姨知道"),
    Tale(DisputeKind.NOT_MINE, "那个时间我在上课，没有去过这个餐厅", ((_KIND.TAKEN, ""),)),
    Tale(
        DisputeKind.DOUBLE,
        "嘀了两声，是不是扣了两次？",
        ((_KIND.TAKEN, ""), (_KIND.ASKED, "请说明当时一共买了几份，有小票请拍照带来")),
    ),
    Tale(
        DisputeKind.WRONG_AMOUNT,
        "打饭少给了一个菜，钱没少收",
        ((_KIND.TAKEN, ""), (_KIND.SETTLED, "已请餐厅当面补给您；卡上款项没有变动")),
    ),
    Tale(
        DisputeKind.DOUBLE,
        "连着两天都是同样的金额",
        ((_KIND.TAKEN, ""), (_KIND.REFUSED, "两笔是不同日期的两次消费，终端流水与库一致")),
    ),
    Tale(
        DisputeKind.WRONG_AMOUNT,
        "刷完卡窗口才说菜卖完了，什么也没有打到",
        ((_KIND.TAKEN, ""), (_KIND.REMARKED, "餐厅来电确认，那个时间窗口确实收摊了")),
        End.REFUNDED,
    ),
    Tale(DisputeKind.NOT_MINE, "卡借给同学用过一次，这一笔他说不是他的", ((_KIND.TAKEN, ""),), End.PROPOSED),
    Tale(DisputeKind.DOUBLE, "想起来了，是替室友多打了一份", end=End.WITHDRAWN),
)
FOUND = (("学苑餐厅二楼", 0), ("图书馆 302 室", 3), ("操场看台", 12))
"""Where the desk's cards were found, and how many days ago."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A holder with a live card and the newest sale on his statement."""

    account: Account
    entry_seq: int

    @property
    def actor(self) -> Actor:
        return Actor.holder(self.account.holder.uid, channel=Channel.WEB, place="demo")


def make_care(now: datetime) -> None:
    """Tell the tales once."""
    if Dispute.objects.exists():
        return
    people = [Operator.objects.get(username=name) for name in (SUPERVISORS[0], CLERK)]
    hand = Hand(people[0].pk, "desk", now)
    pairs = list(islice(_pairs(now), len(TALES) + len(FOUND)))
    for number, (tale, pair) in enumerate(zip(TALES, pairs, strict=False)):
        _dispute(tale, pair, people, now - timedelta(hours=30 - number))
    for number, (place, pair) in enumerate(zip(FOUND, pairs[len(TALES) :], strict=False)):
        _find(place, pair, hand, now, searched=number == 0)


def _dispute(tale: Tale, pair: _Pair, people: Sequence[Operator], at: datetime) -> None:
    supervisor, clerk = people
    claim = Claim(uuid.uuid4(), pair.account.pk, tale.kind, tale.text, entry_seq=pair.entry_seq)
    made = disputes.open_dispute(claim, actor=pair.actor, now=at, options=Options()).dispute
    for step, words in tale.steps:
        at += timedelta(hours=1)
        hand = Hand(supervisor.pk, "desk", at)
        disputes.work(made.pk, step, words, key=uuid.uuid4(), hand=hand, now=at)
    at += timedelta(hours=1)
    if tale.end is End.WITHDRAWN:
        disputes.withdraw(pair.account.pk, made.pk, key=uuid.uuid4(), actor=pair.actor, now=at)
    elif tale.end is not None:
        who = supervisor if tale.end is End.REFUNDED else clerk
        _refund(made.pk, Hand(who.pk, "desk", at), at)


def _refund(dispute_id: int, hand: Hand, at: datetime) -> None:
    """Look, then decide; what it takes besides follows from who it is and how much."""
    policy = Policy()
    shown = disputes.preview_refund(dispute_id, hand=hand, now=at, policy=policy)
    reason = "终端流水与商户说明一致，退还这一笔"
    disputes.refund(dispute_id, shown.plan.digest, reason, key=uuid.uuid4(), hand=hand, now=at, policy=policy)


def _find(place: tuple[str, int], pair: _Pair, hand: Hand, now: datetime, *, searched: bool) -> None:
    where, days = place
    day, campus_id = local_day(now) - timedelta(days=days), pair.account.campus_id
    if searched:
        search = Search(uuid.uuid4(), pair.account.pk, campus_id, "学苑餐厅附近", day, "蓝色卡套，急用")
        lostposts.post(search, actor=pair.actor, now=now)
    card_id = live_card_id(pair.account.pk)
    intake = Intake(uuid.uuid4(), FoundHow.READER, where, day, "1 号柜台抽屉", card_id, campus_id=campus_id)
    found.take_in(intake, hand=hand, now=now, today=local_day(now))


def _pairs(now: datetime) -> Iterator[_Pair]:
    """Holders of the crowd who bought something lately, in the order of their numbers."""
    since = now - timedelta(days=20)
    accounts = Account.objects.select_related("holder").filter(number__gte=FROM_NO, cards__life="active")
    for account in accounts.order_by("number")[:60]:
        sales = Entry.objects.filter(account_id=account.pk, kind=EntryKind.PURCHASE, occurred_at__gt=since)
        seq = sales.order_by("-id").values_list("seq", flat=True).first()
        if seq is not None:
            yield _Pair(account, seq)
