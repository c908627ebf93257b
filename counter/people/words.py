"""What the pages about people say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.kinds import SecretKind, Service
from accounts.papers import PaperKind
from accounts.services.papers import AGREES
from counter.cards.words import BACK, CAUSES, PAID, WAYS
from purse.money import yuan

Words = str | Promise

OWN = _("不能处理自己的账户，请由同事办理")
KEY_REUSED = _("页面已用过，请刷新后再试")
BUSY = _("系统正忙，没有办理，请稍后再试")

LOCKED_DOORS: dict[str, Words] = {
    "remote": _("网站与电话"),
    "physical": _("查询机与圈存机"),
    "consumption": _("消费密码"),
}
"""By ``accounts.models.Budget``: which doors wrong passwords have closed."""

QUICK_REASONS: tuple[Words, ...] = (_("持卡人在场查询"), _("核对卡库差额"), _("处理投诉"))
"""Reasons that can be chosen instead of typed."""

KEYED_TWICE = _("该项重复提交，请重新填写")

PAD_SAYS: dict[str, tuple[Words, str]] = {
    "waiting": (_("等待密码键盘打开"), ""),
    "opened": (_("持卡人正在密码键盘上输入"), "warn"),
    "done": (_("密码已设置"), "good"),
    "cancelled": (_("已取消，密码没有改"), "bad"),
    "failed": (_("多次未成功，已结束；密码没有改"), "bad"),
    "timed_out": (_("超过 3 分钟没有完成，密码没有改"), "bad"),
}
"""By state of the request: what the clerk is told, and its colour."""

_LABELS: dict[str, Words] = {
    "reference": _("受理号"),
    "since": _("此前已挂失于"),
    "uid": _("卡芯片号"),
    "before_fen": _("之前"),
    "after_fen": _("之后"),
    "kinds": _("密码"),
    "bank_card": _("银行卡"),
    "before": _("原银行卡"),
    "issue_no": _("第几张卡"),
    "old_uid": _("旧卡芯片号"),
    "cause": _("换卡原因"),
    "fee_fen": _("工本费"),
    "paid_by": _("支付方式"),
    "hold_fen": _("预留金额"),
    "former": _("原有效期"),
    "expires_on": _("有效期至"),
    "services": _("服务"),
    "until": _("开通至"),
    "book_fen": _("库余额"),
    "unclaimed_fen": _("待领"),
    "deposit_fen": _("押金"),
    "total_fen": _("合计"),
    "way": _("退款方式"),
    "card_back": _("卡片"),
    "receipt": _("票据号"),
}
"""What a receipt calls the facts of a deed, in its order."""


NAMED: dict[str, Mapping[str, Words]] = {
    "cause": CAUSES,
    "paid_by": PAID,
    "way": WAYS,
    "card_back": BACK,
}
"""Facts that are values of an enumeration."""


def money(fen: int) -> str:
    """``¥12.50``."""
    return f"¥{yuan(fen)}"


def receipt_lines(facts: Mapping[str, Any]) -> list[tuple[Words, Words]]:
    """The facts of a deed in words, those without a name or a value left out."""
    return [
        (label, _value(name, facts[name]))
        for name, label in _LABELS.items()
        if facts.get(name) not in (None, "")
    ]


def document_words(document: str, check: str) -> list[Words]:
    """Which document was seen, and how it stood to the register."""
    if not check:
        return []
    agreed = _("末四位与登记相符") if check == AGREES else _("登记中没有这种证件")
    return [PaperKind(document).label, agreed]


def _value(name: str, value: Any) -> Words:
    if name.endswith("_fen"):
        return money(int(value))
    if name == "kinds":
        return "、".join(str(SecretKind(kind).label) for kind in value)
    if name in NAMED:
        return NAMED[name][value]
    if name == "services":
        return "、".join(str(Service(each).label) for each in value)
    if name == "since":
        return str(value)[:16].replace("T", " ")
    return str(value)
