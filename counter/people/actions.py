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


ACTIONS: tuple[Action, ...] = ()
"""All deeds, in the order of the page within their group."""


def offered(facts: Facts) -> list[tuple[Words, list[Offered]]]:
    """The actions by group, empty groups left out."""
    rows: dict[Group, list[Offered]] = {group: [] for group in GROUPS}
    for action in ACTIONS:
        url = reverse(action.url_name, kwargs={"account_id": facts.account.id})
        rows[action.group].append(Offered(action, url, action.why_not(facts)))
    return [(GROUPS[group], found) for group, found in rows.items() if found]
