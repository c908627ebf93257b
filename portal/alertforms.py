"""What a holder fills in about alerts: what he wants to hear of, an address, the code that came there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.alerts import Choice
from accounts.kinds import AlertGroup, AlertWay
from portal.alertwords import GROUPS, WAYS
from portal.forms import AmountField, StrictForm
from purse.money import yuan


@dataclass(frozen=True, slots=True)
class GroupOnPage:
    """One heading of the page with its fields."""

    title: str | Promise
    hint: str | Promise
    icon: str
    amount: BoundField | None
    switch: BoundField | None
    letters: Sequence[BoundField]


class AlertsForm(StrictForm):
    """Thresholds in yuan, empty for never; for each way that has an address, which groups go out by it."""

    low = AmountField(label=_("低于（元）"))
    spend = AmountField(label=_("超过（元）"))
    waiting = forms.BooleanField(label=_("站内消息"), required=False)
    language = forms.ChoiceField(
        label=_("邮件和短信的语言"),
        choices=[("zh-hans", "简体中文"), ("en", "English")],
        error_messages={"invalid_choice": _("没有这种语言")},
    )
    amounts = forms.BooleanField(label=_("邮件和短信里写出金额"), required=False)
    quiet = forms.BooleanField(label=_("夜间 23:00–7:00 不发（挂失与冻结除外）"), required=False)

    def __init__(self, data: Any = None, *, choice: Choice, ways: Sequence[AlertWay]) -> None:
        super().__init__(data, initial=_typed(choice))
        self._choice = choice
        self._ways = ways
        if not ways:  # there is nothing to be written: the page keeps how it would be, and does not ask
            for name in ("language", "amounts", "quiet"):
                self.fields[name].widget = forms.HiddenInput()
        for way in ways:
            for group in AlertGroup:
                self.fields[f"{way}_{group}"] = forms.BooleanField(label=str(WAYS[way][0]), required=False)

    def chosen(self) -> Choice:
        """What was chosen. What the page did not ask stays as it was: letters by a way without an address."""
        typed = self.cleaned_data
        letters = {
            way: frozenset(group for group in AlertGroup if typed[f"{way}_{group}"])
            if way in self._ways
            else self._choice.letters.get(way, frozenset())
            for way in AlertWay
        }
        return Choice(
            low_fen=typed["low"],
            spend_fen=typed["spend"],
            waiting=typed["waiting"],
            letters=letters,
            language=typed["language"],
            amounts=typed["amounts"],
            quiet=typed["quiet"],
        )

    def groups(self) -> list[GroupOnPage]:
        """The headings in their order."""
        amounts = {AlertGroup.LOW: "low", AlertGroup.SPEND: "spend"}
        return [
            GroupOnPage(
                *GROUPS[group],
                amount=self[amounts[group]] if group in amounts else None,
                switch=self["waiting"] if group is AlertGroup.WAITING else None,
                letters=[self[f"{way}_{group}"] for way in self._ways],
            )
            for group in AlertGroup
        ]


class AddressForm(StrictForm):
    """Where letters are to go; what an address looks like is the service's business."""

    address = forms.CharField(max_length=254, strip=False, error_messages={"required": _("请填写地址")})

    def __init__(self, data: Any = None, *, way: AlertWay) -> None:
        super().__init__(data, prefix=None, auto_id=f"{way}_%s")
        looks = (
            {"type": "email", "autocomplete": "email", "inputmode": "email", "autocapitalize": "none"}
            if way is AlertWay.MAIL
            else {"type": "tel", "autocomplete": "tel-national", "inputmode": "numeric"}
        )
        self.fields["address"].label = str(WAYS[way][1])
        self.fields["address"].widget.attrs.update(looks)
        self.fields["address"].widget.input_type = looks["type"]


class CodeForm(StrictForm):
    """The six digits."""

    code = forms.RegexField(
        regex=r"\A[0-9]{6}\Z",
        label=_("验证码"),
        strip=False,
        error_messages={"required": _("请输入验证码"), "invalid": _("请输入 6 位半角数字")},
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "class": "pin", "size": 6}
        ),
    )

    def __init__(self, data: Any = None, *, way: AlertWay) -> None:
        super().__init__(data, auto_id=f"{way}_%s")


def _typed(choice: Choice) -> dict[str, Any]:
    """A choice as the fields show it."""
    ticked = {f"{way}_{group}": True for way, groups in choice.letters.items() for group in groups}
    return ticked | {
        "low": _yuan(choice.low_fen),
        "spend": _yuan(choice.spend_fen),
        "waiting": choice.waiting,
        "language": choice.language,
        "amounts": choice.amounts,
        "quiet": choice.quiet,
    }


def _yuan(fen: int | None) -> str:
    return "" if fen is None else yuan(fen)
