"""The doors of the system in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.actors import Channel

CHANNEL_WORDS: Final[Mapping[str, str | Promise]] = {
    Channel.WEB: _("网站"),
    Channel.PHONE: _("电话"),
    Channel.QUERY_KIOSK: _("查询机"),
    Channel.LOAD_KIOSK: _("圈存机"),
    Channel.POS: _("消费终端"),
    Channel.COUNTER: _("管理中心"),
    Channel.CASHIER: _("充值点"),
    Channel.SYSTEM: _("系统"),
}
