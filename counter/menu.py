"""The tabs of the staff pages: who sees which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.kinds import OperatorRole

_DESK = (OperatorRole.CLERK, OperatorRole.SUPERVISOR, OperatorRole.AUDITOR)
_SIGNS = (*_DESK, OperatorRole.CASHIER, OperatorRole.ADMIN)


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab. ``counts`` names a number of the frame (``counter.pages``) shown beside the word."""

    url: str
    label: str | Promise
    icon: str
    roles: Sequence[OperatorRole]
    counts: str = ""


TABS = (
    Tab(
        "counter:cash",
        pgettext_lazy("tab", "收银"),
        "cash",
        (OperatorRole.CASHIER, OperatorRole.CLERK, OperatorRole.SUPERVISOR),
    ),
    Tab("counter:accounts", pgettext_lazy("tab", "持卡人"), "search", _DESK),
    Tab("counter:cases", _("待处理"), "list", _DESK),
    Tab("counter:decisions", pgettext_lazy("tab", "复核"), "check", _SIGNS, counts="waiting_count"),
    Tab("counter:disputes", pgettext_lazy("tab", "争议"), "alert", _DESK),
    Tab("counter:found_cards", _("拾卡"), "card", _DESK),
    Tab(
        "counter:audit", pgettext_lazy("tab", "审计"), "list", (OperatorRole.SUPERVISOR, OperatorRole.AUDITOR)
    ),
    Tab(
        "counter:office",
        _("系统管理"),
        "globe",
        (OperatorRole.ADMIN, OperatorRole.SUPERVISOR, OperatorRole.AUDITOR),
    ),
    Tab(
        "counter:operators",
        pgettext_lazy("tab", "操作员"),
        "lock",
        (OperatorRole.ADMIN, OperatorRole.AUDITOR),
    ),
    Tab(
        "counter:shifts",
        pgettext_lazy("tab", "班次"),
        "clock",
        (OperatorRole.SUPERVISOR, OperatorRole.AUDITOR),
    ),
    Tab("counter:roster", _("批量办理"), "people", _DESK),
)


def tabs_for(role: OperatorRole) -> list[Tab]:
    """What this operator may open, in the order of ``TABS``."""
    return [tab for tab in TABS if role in tab.roles]
