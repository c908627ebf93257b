"""What the desk's own face says: one line for where the job is, one for the next safe step."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from purse.money import yuan
from terminals.device.display import Lamp, Words
from terminals.messages.jobs import JobTicket, Trouble

NOTHING = Words("", "")


class DeskState(StrEnum):
    """What the desk does now."""

    NO_LINE = "no_line"
    IDLE = "idle"
    AWAITING = "awaiting"
    READING = "reading"
    WRITING = "writing"
    DONE = "done"
    REFUSED = "refused"
    ENDED = "ended"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class DeskFace:
    """Everything that can be seen at one moment. ``job`` is the kind of the job under way, empty when there is none."""

    state: DeskState
    line1: Words
    line2: Words = NOTHING
    lamp: Lamp = Lamp.OFF
    job: str = ""

    def to_json(self) -> dict[str, Any]:
        """For page and console: ``{"event": "display", …}``."""
        return {"event": "display", **asdict(self)}


KINDS = {
    "read": Words("读卡", "Read the card"),
    "set": Words("按库修正卡片", "Set the card to the book"),
    "load": Words("充值", "Top up"),
    "unload": Words("撤销充值", "Take a top-up back"),
    "mark": Words("停用标记", "Stop mark"),
    "prepare": Words("制卡", "Prepare the card"),
    "extend": Words("写入有效期", "Write the last day"),
}
_LEAVE = Words("请勿取卡", "Leave the card where it is")
_UNTOUCHED = Words("这张卡没有被改动", "This card was not changed")
_TROUBLES = {
    Trouble.NO_SERVICE: (
        Words("读卡服务没有运行", "The reader service is not running"),
        Words("请重启读卡服务，任务会继续", "Restart it; the job goes on"),
    ),
    Trouble.NO_READER: (
        Words("没有找到读卡器", "No reader found"),
        Words("请插好读卡器，任务会继续", "Plug it in; the job goes on"),
    ),
    Trouble.SEVERAL_CARDS: (
        Words("不止一张卡", "More than one card"),
        Words("请只放一张卡", "One card only"),
    ),
    Trouble.WRONG_CARD: (Words("不是这张卡", "Not this card"), _UNTOUCHED),
    Trouble.FOREIGN_CARD: (Words("不是本校的卡", "Not a card of ours"), _UNTOUCHED),
    Trouble.UNREADABLE: (
        Words("卡片读不出来", "The card cannot be read"),
        Words("请平放再试，仍不行须换卡", "Lay it flat and try again, else replace it"),
    ),
    Trouble.CARD_GONE: (
        Words("拿卡过快", "Taken away too fast"),
        Words("请重新放卡，还没有写", "Put it back; nothing was written"),
    ),
    Trouble.TORN: (
        Words("写卡时卡被拿开", "Taken away while writing"),
        Words("请重新放同一张卡", "Put the same card back"),
    ),
    Trouble.NOT_CONFIRMED: (Words("写入没有读回", "Not read back"), _LEAVE),
    Trouble.CHIP_IN_USE: (
        Words("这张卡正在使用中", "This card is in use"),
        Words("请换一张空白卡", "Take a blank one"),
    ),
    Trouble.CHIP_VOID: (
        Words("空白卡已损坏或不是本校的", "Damaged, or not ours"),
        Words("请换一张空白卡", "Take another blank card"),
    ),
    Trouble.JOURNAL_BROKEN: (
        Words("本机存储故障", "Storage fault"),
        Words("不能写卡，请联系管理员", "No card is written; call the administrator"),
    ),
}


def idle(name: Words) -> DeskFace:
    """Nothing to do."""
    return DeskFace(DeskState.IDLE, Words("等待任务", "Waiting for a job"), name)


def no_line() -> DeskFace:
    """The server cannot be reached: nothing is begun, nothing is lost."""
    line2 = Words("恢复后自动继续", "Goes on by itself when it is back")
    return DeskFace(
        DeskState.NO_LINE, Words("连不上服务器", "The server cannot be reached"), line2, Lamp.AMBER
    )


def awaiting(job: JobTicket, trouble: Trouble | None) -> DeskFace:
    """A card must come; with ``trouble`` what is in the way, and what to do about it."""
    if trouble is not None:
        what, then = _TROUBLES[trouble]
        return DeskFace(DeskState.AWAITING, what, then, Lamp.AMBER, job.kind)
    return DeskFace(
        DeskState.AWAITING, Words("请放卡", "Put the card on the reader"), _about(job), Lamp.WHITE, job.kind
    )


def reading(job: JobTicket) -> DeskFace:
    """The card is read."""
    return DeskFace(DeskState.READING, Words("正在读卡", "Reading"), _LEAVE, Lamp.WHITE, job.kind)


def writing(job: JobTicket) -> DeskFace:
    """The card is written."""
    return DeskFace(DeskState.WRITING, Words("正在写卡", "Writing"), _LEAVE, Lamp.WHITE, job.kind)


def done(job: JobTicket, card_fen: int | None) -> DeskFace:
    """The job is done; what was written was read back."""
    held = NOTHING if card_fen is None else Words(f"卡 {yuan(card_fen)}", f"Card {yuan(card_fen)}")
    return DeskFace(DeskState.DONE, Words("完成", "Done"), held, Lamp.GREEN, job.kind)


def refused(job: JobTicket) -> DeskFace:
    """The server says no; the page says why."""
    return DeskFace(
        DeskState.REFUSED,
        Words("没有执行", "Not done"),
        Words("原因见柜台页面", "The page says why"),
        Lamp.RED,
        job.kind,
    )


def ended(job: JobTicket) -> DeskFace:
    """The job was cancelled or given up."""
    return DeskFace(
        DeskState.ENDED, Words("任务已结束", "The job has ended"), _about(job), Lamp.OFF, job.kind
    )


def broken(problem: str) -> DeskFace:
    """Nothing is done that cannot be written down first."""
    what, then = _TROUBLES[Trouble.JOURNAL_BROKEN]
    return DeskFace(DeskState.BROKEN, what, Words(then.zh, f"{then.en} ({problem})"), Lamp.RED)


def rejected(code: str) -> DeskFace:
    """The server does not take this machine for a desk in service."""
    line2 = Words(f"请联系管理员（{code}）", f"Call the administrator ({code})")
    return DeskFace(DeskState.BROKEN, Words("本机没有权限", "Not permitted here"), line2, Lamp.RED)


def _about(job: JobTicket) -> Words:
    """What the job is, in one line."""
    kind = KINDS.get(job.kind, Words(job.kind, job.kind))
    fen = f" {yuan(job.fen)}" if job.fen else ""
    number = f" {job.number}" if job.number is not None else ""
    return Words(f"{kind.zh}{fen}{number}", f"{kind.en}{fen}{number}")
