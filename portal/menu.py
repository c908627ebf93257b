"""The tabs of the personal pages: four stand in the bar on any screen, the others where there is room or under 更多."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Room(Enum):
    """Where a tab stands."""

    ALWAYS = "always"
    """In the bar, on a telephone too."""
    WIDE = "wide"
    """In the bar of a wide window, else under 更多."""
    MORE = "more"
    """Under 更多."""


@dataclass(frozen=True, slots=True)
class Tab:
    """One way into the personal pages. ``whole``: pages below its address belong to it, too."""

    name: str
    label: str | Promise
    icon: str
    room: Room
    whole: bool = True
    initial: bool = False
    """Open to those who still have the initial password."""


TABS = (
    Tab("overview", _("概览"), "home", Room.ALWAYS, whole=False),
    Tab("statement", _("流水"), "list", Room.ALWAYS),
    Tab("analysis", pgettext_lazy("tab", "分析"), "chart", Room.WIDE),
    Tab("loss", pgettext_lazy("tab", "挂失"), "lost", Room.ALWAYS, initial=True),
    Tab("lost_card", pgettext_lazy("tab", "寻卡"), "search", Room.WIDE),
    Tab("disputes", pgettext_lazy("tab", "争议"), "alert", Room.WIDE),
    Tab("messages", pgettext_lazy("tab", "消息"), "info", Room.ALWAYS),
    Tab("security", _("密码"), "lock", Room.WIDE, initial=True),
    Tab("alerts", pgettext_lazy("tab", "提醒"), "bell", Room.MORE),
    Tab("bank_card", _("银行卡"), "card", Room.MORE),
)


@dataclass(frozen=True, slots=True)
class ShownTab:
    """A tab on a page: where it leads, whether the page belongs to it, what is new there."""

    url: str
    label: str | Promise
    icon: str
    room: str
    here: bool
    count: int


def tabs_for(path: str, *, initial_password: bool, unread: int) -> Sequence[ShownTab]:
    """The tabs of a page at this address."""
    return [
        _shown(tab, path, unread=unread, alone=initial_password)
        for tab in TABS
        if tab.initial or not initial_password
    ]


def _shown(tab: Tab, path: str, *, unread: int, alone: bool) -> ShownTab:
    url = reverse(f"portal:{tab.name}")
    return ShownTab(
        url=url,
        label=tab.label,
        icon=tab.icon,
        room=(Room.ALWAYS if alone else tab.room).value,
        here=path.startswith(url) if tab.whole else path == url,
        count=unread if tab.name == "messages" else 0,
    )
