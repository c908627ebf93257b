"""What can be done for an account at the counter: one registry, shown on the account page.

Every area adds its rows to ``ACTIONS``. A deed's page is ``/counter/accounts/<int:account_id>/<deed>/``. An action that
is not possible now stays on the page, with the reason; the page of the deed and its service decide again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.kinds import OperatorRole
from accounts.selectors import AccountOverview
from accounts.status import Status

Words = str | Promise
CLERKS = (OperatorRole.CLERK, OperatorRole.SUPERVISOR)


class Group(StrEnum):
    """Under which heading an action stands, in this order."""

    CARD = "card"
    SAFETY = "safety"
    ACCOUNT = "account"
    MONEY = "money"


GROUPS: dict[Group, Words] = {
    Group.CARD: pgettext_lazy("deeds", "卡片"),
    Group.SAFETY: pgettext_lazy("deeds", "挂失与密码"),
    Group.ACCOUNT: pgettext_lazy("deeds", "账户"),
    Group.MONEY: pgettext_lazy("deeds", "资金"),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides whether an action is possible now. Amounts in fen."""

    account: AccountOverview
    today: date
    role: OperatorRole
    own: bool
    """The operator's own account: nobody serves himself (P4)."""
    open_cases: int
    waiting: int
    """Decisions about this account that wait for a second person or for its card."""
    card_here: bool
    """Whether this desk's reader showed exactly this card within two minutes."""
    bound: bool = False
    """Whether a bank card is bound to it."""

    @property
    def open(self) -> bool:
        """Whether the account is in use."""
        return self.account.life == "open"

    @property
    def live_card(self) -> bool:
        """Whether it has a card that can still be used."""
        return self.account.card is not None and self.account.card.life in ("issued", "active")

    @property
    def lost(self) -> bool:
        """Whether its card is reported lost."""
        return self.account.card is not None and self.account.card.lost_at is not None

    @property
    def frozen(self) -> bool:
        """Whether account and card are frozen."""
        return self.account.frozen_at is not None


Allowed = Callable[[Facts], Words | None]
"""Why not, in one sentence without its full stop; None when it can be done."""


@dataclass(frozen=True, slots=True)
class Action:
    """One deed. ``roles``: whose work it is; ``allowed``: why the account does not allow it now, or None.

    ``looks``: only shows something, so that also auditors may, and also one's own account.
    """

    url_name: str
    label: Words
    icon: str
    roles: Sequence[OperatorRole]
    allowed: Allowed
    group: Group = Group.ACCOUNT
    looks: bool = False
    fkey: str = ""
    """The function key that presses it, such as ``F7``."""

    def why_not(self, facts: Facts) -> Words | None:
        """Why it is not possible for this operator and this account now, or None."""
        if facts.role not in self.roles:
            return _("您的岗位不能办理此项")
        if facts.own and not self.looks:
            return _("不能处理自己的账户，请由同事办理")
        return self.allowed(facts)


@dataclass(frozen=True, slots=True)
class Offered:
    """An action as the page shows it: where it leads, or why it does not."""

    action: Action
    url: str
    why_not: Words | None


def always(_facts: Facts) -> None:
    """Nothing about the account stands against it."""


def _open(facts: Facts) -> Words | None:
    return None if facts.open else _("账户不在使用中")


def _loss(facts: Facts) -> Words | None:
    if facts.account.life == "closed":
        return _("账户已销户")
    if facts.account.card is None or facts.account.card.life in ("blank", "replaced", "returned", "void"):
        return _("没有可挂失的卡")
    return _("已经挂失") if facts.lost else None


def _lift(facts: Facts) -> Words | None:
    if not facts.lost:
        return _("没有挂失")
    if not facts.live_card:
        return _("这张卡已换卡、退卡或作废")
    return _open(facts)


def _limit(facts: Facts) -> Words | None:
    return _("已冻结，请先处理差异并解冻") if facts.frozen else _open(facts)


def _freeze(facts: Facts) -> Words | None:
    if facts.account.life in ("pending", "closed"):
        return _("账户不在使用中")
    return _("已经冻结") if facts.frozen else None


def _passwords(facts: Facts) -> Words | None:
    if facts.account.card is not None and facts.account.card.life == "expired":
        return _("卡片已过期，请先办理延期")
    return _open(facts)


def _unbind(facts: Facts) -> Words | None:
    return None if facts.bound else _("没有绑定银行卡")


def _make(facts: Facts) -> Words | None:
    if facts.account.life not in ("pending", "open"):
        return _("账户不在使用中")
    return None


def _replace(facts: Facts) -> Words | None:
    card = facts.account.card
    if card is None or card.life not in ("issued", "active", "damaged"):
        return _("没有可换的卡")
    if facts.frozen:
        return _("已冻结，请先处理差异并解冻")
    if facts.account.shown.status == Status.EXPIRED:
        return _("卡片已过期，请先办理延期")
    return _open(facts)


def _new_card(facts: Facts) -> Words | None:
    card = facts.account.card
    if card is not None and card.life in ("issued", "active", "expired", "damaged"):
        return _("已有卡片，请办理换卡或延期")
    return _("已冻结，请先处理差异并解冻") if facts.frozen else _make(facts)


def _extend(facts: Facts) -> Words | None:
    card = facts.account.card
    if card is None or card.life not in ("issued", "active", "expired"):
        return _("没有可延期的卡")
    return _open(facts) if card.expires_on else _("这张卡长期有效")


def _services(facts: Facts) -> Words | None:
    return _make(facts)


_LOOKS = (*CLERKS, OperatorRole.AUDITOR)
ACTIONS: tuple[Action, ...] = (
    Action("counter:replace_card", _("换卡"), "card", CLERKS, _replace, Group.CARD, fkey="F6"),
    Action("counter:make_card", _("制卡与发卡"), "card", _LOOKS, _make, Group.CARD, looks=True),
    Action("counter:face", _("打印卡面"), "print", _LOOKS, _make, Group.CARD, looks=True),
    Action("counter:new_card", _("补制卡片"), "card", CLERKS, _new_card, Group.CARD),
    Action("counter:extend_card", _("延期"), "clock", CLERKS, _extend, Group.CARD),
    Action("counter:grants", _("服务权限"), "check", CLERKS, _services, Group.CARD),
    Action("counter:release_hold", _("解除换卡预留"), "out", CLERKS, always, Group.MONEY),
    Action("counter:close_account", _("销户退款"), "out", _LOOKS, always, Group.MONEY, looks=True),
    Action(
        "counter:report_loss", pgettext_lazy("deeds", "挂失"), "lost", CLERKS, _loss, Group.SAFETY, fkey="F7"
    ),
    Action("counter:lift_loss", pgettext_lazy("deeds", "解挂"), "card", CLERKS, _lift, Group.SAFETY),
    Action(
        "counter:passwords",
        pgettext_lazy("deeds", "密码"),
        "lock",
        CLERKS,
        _passwords,
        Group.SAFETY,
        fkey="F8",
    ),
    Action("counter:freeze", pgettext_lazy("deeds", "冻结"), "frozen", CLERKS, _freeze, Group.SAFETY),
    Action(
        "counter:limit", pgettext_lazy("deeds", "日限额"), "list", CLERKS, _limit, Group.ACCOUNT, fkey="F9"
    ),
    Action("counter:bank_card", pgettext_lazy("deeds", "绑定银行卡"), "card", CLERKS, _open, Group.ACCOUNT),
    Action("counter:unbind", pgettext_lazy("deeds", "银行卡解约"), "out", CLERKS, _unbind, Group.ACCOUNT),
    Action(
        "counter:statement",
        pgettext_lazy("deeds", "流水与打印"),
        "list",
        _LOOKS,
        always,
        Group.ACCOUNT,
        looks=True,
    ),
    Action(
        "counter:identity",
        pgettext_lazy("deeds", "查看完整证件信息"),
        "search",
        CLERKS,
        always,
        Group.ACCOUNT,
        looks=True,
    ),
    Action(
        "counter:loss_history",
        pgettext_lazy("deeds", "挂失与办理记录"),
        "clock",
        _LOOKS,
        always,
        Group.ACCOUNT,
        looks=True,
    ),
    Action(
        "counter:accesses_of",
        _("谁看过"),
        "search",
        (OperatorRole.SUPERVISOR, OperatorRole.AUDITOR),
        always,
        Group.ACCOUNT,
        looks=True,
    ),
    Action("counter:open_dispute", _("登记争议"), "alert", CLERKS, always, Group.MONEY),
)
"""All deeds, in the order of the page within their group."""


def offered(facts: Facts) -> list[tuple[Words, list[Offered]]]:
    """The actions by group, empty groups left out."""
    rows: dict[Group, list[Offered]] = {group: [] for group in GROUPS}
    for action in ACTIONS:
        url = reverse(action.url_name, kwargs={"account_id": facts.account.id})
        rows[action.group].append(Offered(action, url, action.why_not(facts)))
    return [(GROUPS[group], found) for group, found in rows.items() if found]
