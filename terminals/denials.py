"""Why a door stays shut, in both languages: one sentence for the display beside it and for the desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.rights import Denial

Words = str | Promise

WORDS: Final[Mapping[Denial, Words]] = {
    Denial.UNKNOWN: _("不是本校校园卡，或没有这个号码"),
    Denial.CARD_REPLACED: _("该卡已换卡、退卡或作废"),
    Denial.ACCOUNT_CLOSED: _("账户未开通、销户中或已销户"),
    Denial.CARD_LOST: _("该卡已挂失"),
    Denial.CARD_FROZEN: _("账户已冻结，不能用于身份识别，请到校园智能卡管理中心"),
    Denial.CARD_EXPIRED: _("该卡已过期，请到校园智能卡管理中心延期"),
    Denial.CARD_SUSPECT: _("卡内信息与登记不符，请到校园智能卡管理中心检查"),
    Denial.SERVICE_RIGHT: _("记名卡未开通此项服务"),
    Denial.OTHER_CAMPUS: _("该门禁只对本校区的持卡人开放"),
}
_LANGUAGES: Final = {"zh": "zh-hans", "en": "en"}


def sentence(denial: Denial | None, language: str) -> str:
    """The sentence in ``zh`` or ``en``; empty for a yes."""
    if denial is None:
        return ""
    with translation.override(_LANGUAGES[language]):
        return str(WORDS[denial])
