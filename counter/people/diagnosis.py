"""What is wrong with a card that does not work, from one reading: every finding in words, with the one safe next step.

Pure: the ended job and what the book says in, findings out, the gravest first (guide L89, R043, C08).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.making import SEQ_LAST, SEQ_NEAR_END

Words = str | Promise


class Sign(StrEnum):
    """Everything that an examination can find."""

    NO_READING = "no_reading"
    NO_SERVICE = "no_service"
    NO_READER = "no_reader"
    SEVERAL_CARDS = "several_cards"
    CARD_GONE = "card_gone"
    NO_ANSWER = "no_answer"
    FOREIGN = "foreign"
    NOT_OURS = "not_ours"
    BOTH_COPIES_BAD = "both_copies_bad"
    OTHER_ACCOUNT = "other_account"
    CLOSED = "closed"
    REPLACED = "replaced"
    LOST = "lost"
    FROZEN = "frozen"
    EXPIRED = "expired"
    NOT_ISSUED = "not_issued"
    FORK = "fork"
    ROLLBACK = "rollback"
    EXCESS = "excess"
    WORN = "worn"
    NEARLY_WORN = "nearly_worn"
    TORN = "torn"
    UNWRITTEN = "unwritten"
    OFFLINE_GAP = "offline_gap"
    LATE = "late"
    BOOK_NEGATIVE = "book_negative"
    IN_DOUBT = "in_doubt"
    COPY_BAD = "copy_bad"
    STOP_MARK = "stop_mark"
    LIMIT_DIFFERS = "limit_differs"
    UNCLAIMED = "unclaimed"
    EMPTY = "empty"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class Words3:
    """A finding in words: what it is, what to do, and where that is done (a name of ``counter.urls``, or empty)."""

    what: Words
    then: Words
    url_name: str = ""
    tone: str = "bad"


_REPLACE = "counter:replace_card"
_CASE = "case"
_READ = "read"
_HEAL = "heal"

WORDS: dict[Sign, Words3] = {
    Sign.NO_READING: Words3(_("还没有读到卡"), _("请平放卡片，再读一次。"), _READ, "warn"),
    Sign.NO_SERVICE: Words3(_("读卡服务没有运行"), _("请重启本机的读卡服务，再读一次。"), _READ, "warn"),
    Sign.NO_READER: Words3(_("没有找到读卡器"), _("请插好读卡器，再读一次。"), _READ, "warn"),
    Sign.SEVERAL_CARDS: Words3(_("读卡器上有不止一张卡"), _("请只放一张卡，再读一次。"), _READ, "warn"),
    Sign.CARD_GONE: Words3(_("拿卡过快，没有读完；卡没有被改动"), _("请平放卡片，再读一次。"), _READ, "warn"),
    Sign.NO_ANSWER: Words3(
        _("卡片没有应答或读不出来，芯片可能已损坏"),
        _("换一个位置再读一次；仍不行请换卡。库里的钱不受影响。"),
        _REPLACE,
    ),
    Sign.FOREIGN: Words3(
        _("密钥不对：不是本校的卡，或密钥区已损坏"),
        _("请核对是不是本校的卡；确是本校卡的，请换卡。"),
        _REPLACE,
    ),
    Sign.NOT_OURS: Words3(
        _("密钥是本校的，但卡上的身份与登记不符"), _("请留下这张卡并转主管，不要写卡。"), "counter:cases"
    ),
    Sign.BOTH_COPIES_BAD: Words3(
        _("数据块受损：两份余额记录都读不通，不能恢复"), _("请换卡；库余额带到新卡。"), _REPLACE
    ),
    Sign.OTHER_ACCOUNT: Words3(
        _("这是另一个账户的卡"), _("请打开那个账户再办理。"), "counter:account", "warn"
    ),
    Sign.CLOSED: Words3(_("账户已销户或正在销户"), _("卡不能再用，请收回。"), "counter:account"),
    Sign.REPLACED: Words3(
        _("这张卡已换卡、退卡或作废"), _("请收回这张卡；持卡人应使用新卡。"), "counter:account"
    ),
    Sign.LOST: Words3(_("卡片已挂失"), _("核对证件后办理解挂。"), "counter:lift_loss"),
    Sign.FROZEN: Words3(_("账户已冻结"), _("请按案例核对差额，平账后解冻。"), _CASE),
    Sign.EXPIRED: Words3(_("卡片已过期"), _("请办理延期。"), "counter:extend_card"),
    Sign.NOT_ISSUED: Words3(_("卡片还没有启用"), _("持卡人第一次刷卡即启用；这次读卡也算。"), "", "warn"),
    Sign.FORK: Words3(
        _("同一序号出现两种内容，卡可能被复制"), _("请留下这张卡，转主管处理后作废换卡；不要写卡。"), _CASE
    ),
    Sign.ROLLBACK: Words3(
        _("卡上内容比已确认的旧，可能有人写回了旧数据"),
        _("请留下这张卡，转主管处理后作废换卡；不要写卡。"),
        _CASE,
    ),
    Sign.EXCESS: Words3(_("卡上的钱多于全部记录"), _("请留下这张卡，转主管查明来源；不得平账。"), _CASE),
    Sign.WORN: Words3(_("卡片写入次数已用完"), _("请换卡；库余额带到新卡。"), _REPLACE),
    Sign.NEARLY_WORN: Words3(_("卡片写入次数快用完"), _("现在还能用，建议换卡。"), _REPLACE, "warn"),
    Sign.TORN: Words3(
        _("拿卡过快：库已扣款，卡上还没有扣"), _("把卡留在读卡器上，补写一次即可。"), _HEAL, "warn"
    ),
    Sign.UNWRITTEN: Words3(_("库里的钱还没有写到卡上"), _("把卡留在读卡器上，补写一次即可。"), _HEAL, "warn"),
    Sign.OFFLINE_GAP: Words3(
        _("卡上有脱机消费，流水还没有上传"),
        _("等终端上传后自动入账；满五天按卡平账。不要写卡。"),
        _CASE,
        "warn",
    ),
    Sign.LATE: Words3(_("平账后流水又到，账户多扣了钱"), _("请在案例里退还。"), _CASE, "warn"),
    Sign.BOOK_NEGATIVE: Words3(_("库余额为负"), _("先处理其余差额，剩余部分向持卡人收取。"), _CASE),
    Sign.IN_DOUBT: Words3(
        _("上次写卡的结果还没有确认"), _("这次读卡已核对；再读一次可确认。"), _READ, "warn"
    ),
    Sign.COPY_BAD: Words3(
        _("数据块受损：两份余额记录中一份读不通，另一份完好，可恢复"),
        _("把卡留在读卡器上，补写一次即可。"),
        _HEAL,
        "warn",
    ),
    Sign.STOP_MARK: Words3(
        _("卡上有停用标记，脱机终端不接受"), _("账户已正常的，补写一次去掉标记。"), _HEAL, "warn"
    ),
    Sign.LIMIT_DIFFERS: Words3(
        _("卡上的日限额与库不同"), _("联机终端按库执行；补写一次即更新卡上的限额。"), _HEAL, "warn"
    ),
    Sign.UNCLAIMED: Words3(_("有待领金额还没有到卡"), _("持卡人下次在联机终端刷卡自动到账。"), "", "warn"),
    Sign.EMPTY: Words3(_("余额为零，消费会被拒绝"), _("请充值。"), "", "warn"),
    Sign.HEALTHY: Words3(
        _("没有发现问题：卡片读写正常，卡库一致"), _("请持卡人再试；仍不行请记下终端号和时间。"), "", "good"
    ),
}


@dataclass(frozen=True, slots=True)
class Examined:
    """What one reading told. ``result`` as ``transactions.services.desk.Reading.to_json`` with ``broken`` beside it.

    ``trouble`` and ``refusal`` are the job's; ``done``: the reading came to its end. ``account_id``: whose card was
    expected, None for any. ``unclaimed_fen`` and the rest of the book come with ``result``.
    """

    done: bool
    trouble: str
    refusal: str
    result: Mapping[str, Any] | None
    today: date
    account_id: int | None = None
    over: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """One finding, with an amount in fen where there is one."""

    sign: Sign
    fen: int | None = None
    words: Words3 = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", WORDS[self.sign])


def diagnose(seen: Examined) -> Sequence[Found]:
    """Every finding, the gravest first; never empty."""
    found = list(_unread(seen))
    if not found and seen.result is not None:
        found = list(_standing(seen, seen.result)) + list(_content(seen.result)) + list(_money(seen.result))
    return found or [Found(Sign.HEALTHY)]


def may_write(found: Sequence[Found]) -> bool:
    """Whether writing what the card lacks is safe: nothing unexplained, nothing to wait for, the card in force."""
    never = {
        Sign.FORK, Sign.ROLLBACK, Sign.EXCESS, Sign.OFFLINE_GAP, Sign.LATE, Sign.BOOK_NEGATIVE, Sign.FROZEN,
        Sign.LOST, Sign.REPLACED, Sign.CLOSED, Sign.EXPIRED, Sign.WORN, Sign.OTHER_ACCOUNT,
    }  # fmt: skip
    return not any(each.sign in never for each in found)


_TROUBLES = {
    "no_service": Sign.NO_SERVICE,
    "no_reader": Sign.NO_READER,
    "several_cards": Sign.SEVERAL_CARDS,
    "card_gone": Sign.CARD_GONE,
    "wrong_card": Sign.OTHER_ACCOUNT,
    "foreign_card": Sign.FOREIGN,
    "unreadable": Sign.NO_ANSWER,
}


def _unread(seen: Examined) -> Iterator[Found]:
    """Why there is no content to look at."""
    content = seen.result is not None and seen.result.get("account_id") is not None
    if content and seen.done:
        return
    if seen.result is not None and any(count > 1 for count in seen.result.get("broken", {}).values()):
        yield Found(Sign.BOTH_COPIES_BAD)
    elif seen.trouble in _TROUBLES:
        yield Found(_TROUBLES[seen.trouble])
    elif seen.refusal == "foreign_card":
        yield Found(Sign.NOT_OURS)
    elif seen.refusal == "unreadable":
        yield Found(Sign.BOTH_COPIES_BAD)
    elif not content:
        yield Found(Sign.NO_READING)


def _standing(seen: Examined, told: Mapping[str, Any]) -> Iterator[Found]:
    if seen.account_id is not None and told["account_id"] != seen.account_id:
        yield Found(Sign.OTHER_ACCOUNT)
    if told["life"] in ("replaced", "returned", "void", "damaged"):
        yield Found(Sign.REPLACED)
    if told.get("refusal") == "account_closed":
        yield Found(Sign.CLOSED)
    if told["lost"] and told["life"] not in ("replaced", "returned", "void"):
        yield Found(Sign.LOST)
    if told["frozen_reasons"]:
        yield Found(Sign.FROZEN)
    expires = told.get("expires_on")
    if told["life"] == "expired" or (expires and date.fromisoformat(expires) < seen.today):
        yield Found(Sign.EXPIRED)


_FINDINGS = {"fork": Sign.FORK, "rollback": Sign.ROLLBACK, "excess": Sign.EXCESS}


def _content(told: Mapping[str, Any]) -> Iterator[Found]:
    if told.get("finding"):
        yield Found(_FINDINGS[told["finding"]])
    top = max(told["spend"]["seq"], told["load"]["seq"])
    if told.get("refusal") == "card_worn" or top >= SEQ_LAST:
        yield Found(Sign.WORN)
    elif top >= SEQ_NEAR_END:
        yield Found(Sign.NEARLY_WORN)
    if any(told.get("broken", {}).values()):
        yield Found(Sign.COPY_BAD)
    usable = told.get("refusal") is None
    if told["spend"].get("stop") and usable:
        yield Found(Sign.STOP_MARK)
    if usable and told["card_limit_fen"] != told["limit_fen"]:
        yield Found(Sign.LIMIT_DIFFERS)


def _money(told: Mapping[str, Any]) -> Iterator[Found]:
    healed = told.get("after_fen") is not None
    if told["torn_fen"] and not healed:
        yield Found(Sign.TORN, told["torn_fen"])
    if told["unwritten_fen"] and not healed:
        yield Found(Sign.UNWRITTEN, told["unwritten_fen"])
    if told["offline_fen"] > 0:
        yield Found(Sign.OFFLINE_GAP, told["offline_fen"])
    if told["late_fen"]:
        yield Found(Sign.LATE, told["late_fen"])
    if told["book_fen"] < 0:
        yield Found(Sign.BOOK_NEGATIVE, told["book_fen"])
    if told["in_doubt"] and not (told["torn_fen"] or told["unwritten_fen"]):
        yield Found(Sign.IN_DOUBT)
    if told["unclaimed_fen"]:
        yield Found(Sign.UNCLAIMED, told["unclaimed_fen"])
    elif told["card_fen"] == 0 and told["book_fen"] == 0:
        yield Found(Sign.EMPTY)
