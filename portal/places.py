"""The card centers of the guide (L21-27) and when they are open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from transactions.days import SHANGHAI

WORKING_HOURS = ((time(8, 0), time(11, 30)), (time(13, 30), time(17, 0)))
WORKING_HOURS_TEXT = _("周一至周五 8:00–11:30，13:30–17:00")


@dataclass(frozen=True, slots=True)
class CardCenter:
    """A center (校园智能卡管理中心): any of them serves any holder."""

    campus: str | Promise
    place: str | Promise


CARD_CENTERS = (
    CardCenter(_("崂山校区"), _("图书馆区 B 楼 网络中心用户接待大厅")),
    CardCenter(_("鱼山校区"), _("逸夫馆 网络中心办公室")),
    CardCenter(_("浮山校区"), _("图书馆四楼 网络中心办公室")),
)


def is_open(now: datetime) -> bool:
    """Whether the centers serve people at this moment; public holidays are not known here."""
    local = now.astimezone(SHANGHAI)
    return local.weekday() < 5 and any(start <= local.time() < end for start, end in WORKING_HOURS)
