"""Why a binding is not made or ended, as one enumeration with words for the screen."""

from __future__ import annotations

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Problem(StrEnum):
    """Why not."""

    ACCOUNT_ENDED = "account_ended"
    HAS_BINDING = "has_binding"
    BANK_CARD_TAKEN = "bank_card_taken"
    NOT_BOUND = "not_bound"
    NOT_PENDING = "not_pending"
    OTHER_CARD = "other_card"


_WORDS: dict[Problem, str | Promise] = {
    Problem.ACCOUNT_ENDED: _("该账户不在使用中，不能绑定银行卡"),
    Problem.HAS_BINDING: _("该账户已绑定一张银行卡，请先解约或办理更换"),
    Problem.BANK_CARD_TAKEN: _("这张银行卡已绑定另一个账户，请先在那个账户解约"),
    Problem.NOT_BOUND: _("该账户没有绑定银行卡"),
    Problem.NOT_PENDING: _("没有待确认的签约"),
    Problem.OTHER_CARD: _("出示的银行卡与待确认的签约不是同一张"),
}


class NotBound(Exception):
    """The binding was not made, confirmed or ended; nothing was written."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem

    @property
    def message(self) -> str | Promise:
        """The sentence for the screen."""
        return _WORDS[self.problem]
