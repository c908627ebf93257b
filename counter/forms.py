"""What the staff types. Strict: every field once, nothing guessed, amounts by the one parser of money."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Protocol, cast
from uuid import UUID

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django_otp import devices_for_user

from accounts.actors import Actor, Channel
from accounts.checks import Rejected
from accounts.checks.amounts import parse_amount
from accounts.checks.text import parse_text
from accounts.selectors import campuses
from accounts.services import throttle
from accounts.services.login import NOT_IN
from accounts.services.operators import guess_of
from accounts.wiring import client_address, now, secrets
from counter.fields import DayField
from reconciliation.kinds import Mismatch
from reconciliation.queue import Cursor, Order, Show, Wanted
from reconciliation.workload import colleagues

REASON_MAX = 300
_CURSOR = re.compile(r"\A([0-9]{1,12})-([1-9][0-9]{0,17})\Z")
_DIGEST = re.compile(r"\A[0-9a-f]{64}\Z")
_SEQ = re.compile(r"\A[1-9][0-9]{0,9}\Z")


class StaffLoginForm(AuthenticationForm):
    """User name, password and the code of the moment. Whatever is wrong, the words are the same."""

    otp_token = forms.CharField(
        label=_("动态码"),
        help_text=_("手机验证器上的 6 位数字"),
        required=False,
        max_length=16,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
    error_messages = {"invalid_login": NOT_IN, "inactive": NOT_IN}

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = _("用户名")
        self.fields["password"].label = _("密码")

    def clean(self) -> dict[str, Any]:
        """Count the guess, then compare; one sentence for every failure (security.md section 4).

        ``auth.login`` notes the verified device in the session (``django_otp``).
        """
        assert self.request is not None
        guess = guess_of(str(self.data.get("username", "")), client_address(self.request), secrets=secrets())
        if not throttle.reserve(guess, now=now()).granted:
            raise forms.ValidationError(NOT_IN)
        try:
            cleaned: dict[str, Any] = super().clean()
            operator = cast(Any, self.get_user())
            token = str(cleaned.get("otp_token") or "")
            device = verified_device(operator, token) if operator is not None else None
            if device is None:
                raise forms.ValidationError(NOT_IN)
            operator.otp_device = device
        except forms.ValidationError:
            throttle.failed(guess, now=now())
            raise
        actor = Actor.operator(
            operator.pk, role=operator.role, channel=Channel.COUNTER, place=guess.source.name
        )
        throttle.succeeded(guess, actor=actor, now=now())
        return cleaned


def verified_device(operator: Any, token: str) -> Any | None:
    """The operator's one authenticator if the code is right now, else None. A code is right once."""
    with transaction.atomic():
        device = next(iter(devices_for_user(operator, for_verify=True)), None)
        return device if device is not None and device.verify_token(token) else None


class StrictForm(forms.Form):
    """A form in which every field comes at most once, but those that are several by their nature."""

    several: ClassVar[frozenset[str]] = frozenset()

    def clean(self) -> dict[str, Any]:
        for name in self.fields:
            if (
                name not in self.several
                and hasattr(self.data, "getlist")
                and len(self.data.getlist(name)) > 1
            ):
                shown = name in {field.name for field in self.visible_fields()}
                self.add_error(name if shown else None, _("该项重复提交，请重新填写"))
        return self.cleaned_data


class CodeField(forms.CharField):
    """A one-time code; empty where none is asked."""

    def __init__(self) -> None:
        attrs = {"autocomplete": "one-time-code", "inputmode": "numeric", "class": "pin", "size": "6"}
        super().__init__(
            label=_("动态码"),
            help_text=_("上次输入已超过 5 分钟，请再输入一次"),
            required=False,
            max_length=16,
            widget=forms.TextInput(attrs=attrs),
        )


class ReasonField(forms.CharField):
    """What a person has to say; kept for ever."""

    def __init__(self, *, label: Any, help_text: Any = "") -> None:
        widget = forms.Textarea(attrs={"rows": 2, "maxlength": REASON_MAX})
        super().__init__(label=label, help_text=help_text, required=False, widget=widget, strip=False)

    def clean(self, value: Any) -> str:
        """Text without what cannot be seen, stored or read (``accounts.checks.text``)."""
        try:
            return parse_text(value or "", field=self.label or "", limit=REASON_MAX, lines=True)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None


class KeyField(forms.CharField):
    """The one-use operation key that the page made."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> UUID:
        try:
            return UUID(str(value))
        except ValueError:
            raise forms.ValidationError(_("页面已过期，请刷新后再试")) from None


class DigestField(forms.CharField):
    """What the person was shown, as 64 hex digits."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> bytes:
        if not _DIGEST.match(str(value or "")):
            raise forms.ValidationError(_("页面已过期，请刷新后再试"))
        return bytes.fromhex(value)


class DecideForm(StrictForm):
    """One confirmation: what was shown, why, and a fresh code if the last one is old."""

    key = KeyField()
    digest = DigestField()
    reason = ReasonField(label=_("理由"), help_text=_("写进流水、审计和给持卡人的信函，最多 300 字"))
    otp_token = CodeField()


class ApproveForm(StrictForm):
    """The second person agrees to what is shown."""

    digest = DigestField()
    otp_token = CodeField()


class ReasonForm(StrictForm):
    """One text."""

    reason = ReasonField(label=_("说明"))


class CodeForm(StrictForm):
    """Only a code, where one is needed again."""

    otp_token = CodeField()


class HoldForm(StrictForm):
    """Until when a case is put off, and why."""

    until = DayField(label=_("挂账至"))
    reason = ReasonField(label=_("理由"))


class AssignForm(StrictForm):
    """Who is to look after a case."""

    operator = forms.TypedChoiceField(label=_("同事"), coerce=int)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [(each.id, each.name) for each in colleagues()]
        cast(forms.ChoiceField, self.fields["operator"]).choices = people


class EntryForm(StrictForm):
    """Which line of the statement a remedy is about; empty where it is about the whole account."""

    entry = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_entry(self) -> int | None:
        text = self.cleaned_data["entry"]
        if text and not _SEQ.match(text):
            raise forms.ValidationError(_("没有这一笔流水"))
        return int(text) if text else None


class Named(Protocol):
    """Whatever has a name in both languages."""

    @property
    def name_zh(self) -> str: ...
    @property
    def name_en(self) -> str: ...


def name_of(place: Named) -> str:
    """Its name in the reader's language."""
    english = (get_language() or "").startswith("en")
    return place.name_en if english and place.name_en else place.name_zh


class QueueForm(StrictForm):
    """Which cases. Who belongs to one campus starts with it and may look at any other (L31)."""

    EVERY: ClassVar[str] = "all"

    campus = forms.ChoiceField(label=_("校区"), required=False)
    show = forms.ChoiceField(
        label=_("范围"),
        required=False,
        choices=[
            (Show.OPEN, _("待办")),
            (Show.MINE, _("我接手的")),
            (Show.WAITING, _("等待复核")),
            (Show.ESCALATED, _("转上级的")),
            (Show.HELD, _("挂账中")),
            (Show.ALL, _("全部")),
        ],
    )
    mismatch = forms.ChoiceField(
        label=_("类别"), required=False, choices=[("", _("全部类别")), *Mismatch.choices]
    )
    age = forms.ChoiceField(
        label=_("已等"),
        required=False,
        choices=[("", _("不限")), ("1", _("1 天以上")), ("3", _("3 天以上")), ("5", _("5 天以上"))],
    )
    least = forms.CharField(
        label=_("金额不低于"),
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "placeholder": "0.00"}),
    )
    who = forms.ChoiceField(label=_("经办"), required=False)
    order = forms.ChoiceField(
        label=_("排序"),
        required=False,
        choices=[(Order.OLDEST, _("最早的在前")), (Order.LARGEST, _("金额大的在前"))],
    )
    after = forms.CharField(required=False, widget=forms.HiddenInput)
    before = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, own_campus_id: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = {place.code: place for place in campuses()}
        choices = [
            (self.EVERY, _("全部校区")),
            *((code, place.name_zh) for code, place in self.places.items()),
        ]
        own = next((code for code, place in self.places.items() if place.id == own_campus_id), self.EVERY)
        choices.sort(key=lambda choice: choice[0] != own)  # the first one is what nothing chosen means
        self.own = own
        people = [(str(each.id), each.name) for each in colleagues()]
        who = [("", _("所有人")), ("0", _("无人接手")), *people]
        cast(forms.ChoiceField, self.fields["who"]).choices = who
        cast(forms.ChoiceField, self.fields["campus"]).choices = choices

    def clean_least(self) -> int:
        """In fen; nothing typed is no bound."""
        text = self.cleaned_data["least"]
        if not text.strip():
            return 0
        try:
            return parse_amount(text)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in ("after", "before"):
            found = _CURSOR.match(cleaned.get(name) or "")
            if cleaned.get(name) and not found:
                self.add_error(None, _("页码不正确，请从第一页重新查看"))
            cleaned[name] = Cursor(int(found[1]), int(found[2])) if found else None
        if cleaned["after"] and cleaned["before"]:
            self.add_error(None, _("页码不正确，请从第一页重新查看"))
        return cleaned

    def wanted(self, *, operator_id: int, now: datetime, today: date) -> Wanted:
        """What this asks for, once it is valid."""
        chosen = self.cleaned_data
        place = self.places.get(chosen["campus"] or self.own)
        return Wanted(
            today=today,
            operator_id=operator_id,
            campus_id=place.id if place else None,
            show=Show(chosen["show"] or Show.OPEN),
            mismatch=Mismatch(chosen["mismatch"]) if chosen["mismatch"] else None,
            min_fen=chosen["least"],
            opened_before=now - timedelta(days=int(chosen["age"])) if chosen["age"] else None,
            order=Order(chosen["order"] or Order.OLDEST),
            assignee_id=int(chosen["who"]) if chosen["who"] else None,
        )
