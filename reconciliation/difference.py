"""Why card and book differ, in the words that a holder reads; the desk shows the same ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from purse.evidence import OpenItems


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the sum from book to card: what it is, the signed amount in fen, what will happen to it."""

    word: str
    fen: int
    remedy: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Why the card holds something else than the book: ``book_fen`` + the steps = ``card_fen``."""

    book_fen: int
    card_fen: int
    steps: tuple[Step, ...]

    @property
    def gap_fen(self) -> int:
        """How far apart they are, always positive."""
        return abs(self.card_fen - self.book_fen)


def in_words(*, book_fen: int, card_fen: int, items: OpenItems, frozen: bool) -> Difference | None:
    """The difference, or None when card and book agree and nothing is open."""
    steps = tuple(step for step in _steps(items) if step.fen != 0)
    if frozen:  # nothing heals by itself now
        steps = tuple(replace(step, remedy=_("由管理中心按流水核对处理")) for step in steps)
    return Difference(book_fen, card_fen, steps) if steps else None


def _steps(items: OpenItems) -> tuple[Step, ...]:
    beyond = -items.offline_fen
    return (
        Step(_("拿卡过快，卡上尚未扣款"), items.torn_fen, _("下次刷卡自动补扣")),
        Step(_("已入账，尚未写到卡上"), -items.unwritten_fen, _("下次在联机终端刷卡时自动写入")),
        Step(_("脱机消费，流水尚未上传"), min(beyond, 0), _("终端联网后从账户扣除，无需办理")),
        Step(_("平账后又收到的脱机流水，账户重复扣除"), items.late_fen, _("管理中心核对后返还")),
        Step(_("卡片比记录多出，原因待查"), max(beyond, 0), _("请携带卡片到管理中心检查")),
    )
