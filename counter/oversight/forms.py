"""What second persons, administrators and lookers-on type."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts import staff
from accounts.checks import Rejected
from accounts.checks.identifiers import AccountNumber, SchoolNumber, parse_identifier
from accounts.checks.text import parse_text
from accounts.kinds import OperatorRole
from accounts.selectors import campuses
from accounts.services.staffing import USERNAME_FORM, NewStaff, Post
from accounts.services.throttle import SHANGHAI
from accounts.trail import Cursor, Wanted, account_of
from counter.fields import parse_day
from counter.forms import CodeField, DigestField, KeyField, ReasonField, StrictForm, name_of
from counter.oversight.auditwords import DEEDS, DOORS

NAME_MAX = 30
PASSWORD_MAX = 128
"""Longer ones are refused before any hash is computed."""
_CURSOR = re.compile(r"\A([0-9T:.+-]{19,40})~([1-9][0-9]{0,17})\Z")


class AgreeForm(StrictForm):
    """The second person agrees to what is shown."""

    digest = DigestField()
    otp_token = CodeField()


class PostForm(StrictForm):
    """Another post for somebody: role, campus, back office, and why."""

    key = KeyField()
    role = forms.ChoiceField(label=_("岗位"), choices=OperatorRole.choices)
    campus = forms.ChoiceField(label=_("校区"), required=False)
    back_office = forms.BooleanField(label=_("可进管理后台（只读）"), required=False)
    reason = ReasonField(label=_("理由"), help_text=_("另一位管理员会看到，并写进审计，最多 300 字"))
    otp_token = CodeField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = [(place.code, name_of(place)) for place in campuses()]
        cast(forms.ChoiceField, self.fields["campus"]).choices = [("", _("全部校区")), *places]

    def post(self) -> Post:
        """The post, once this is valid."""
        chosen = self.cleaned_data
        return Post(OperatorRole(chosen["role"]), chosen["campus"], chosen["back_office"])


class NewStaffForm(PostForm):
    """Somebody new."""

    username = forms.CharField(
        label=_("用户名"),
        help_text=_("2 至 64 个半角字母、数字或 . _ -，登录时用，不能再改"),
        strip=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    name = forms.CharField(
        label=_("姓名"), help_text=_("显示在屏幕和收据上"), strip=False, max_length=200, required=False
    )
    school_no = forms.CharField(
        label=_("本人学号或工号"),
        help_text=_("有校园卡的必填：任何人不能为自己办理"),
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("username", "name", "role", "campus", "back_office", "school_no", "reason")

    def clean_username(self) -> str:
        """Exactly as it will be typed at the door."""
        text: str = self.cleaned_data["username"]
        if not re.match(USERNAME_FORM, text):
            raise forms.ValidationError(_("只能用 2 至 64 个半角字母、数字或 . _ -"))
        return text

    def clean_name(self) -> str:
        """A name without what cannot be seen or stored."""
        try:
            return parse_text(self.cleaned_data["name"] or "", field=_("姓名"), limit=NAME_MAX)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None

    def clean_school_no(self) -> str:
        """A school number, or nothing."""
        text = self.cleaned_data["school_no"]
        if not text:
            return ""
        try:
            parsed = parse_identifier(text)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None
        if not isinstance(parsed, SchoolNumber):
            raise forms.ValidationError(_("请填写学号或工号，不是帐号"))
        return parsed.value

    def staff(self) -> NewStaff:
        """Who, once this is valid."""
        chosen = self.cleaned_data
        return NewStaff(chosen["username"], chosen["name"], self.post(), chosen["school_no"])


class DeedForm(StrictForm):
    """A deed of one administrator: why, where a reason is asked for, and a fresh code."""

    reason = ReasonField(label=_("理由"))
    otp_token = CodeField()


class EnableForm(DeedForm):
    """Somebody is to be let in again."""

    key = KeyField()


class OwnPasswordForm(StrictForm):
    """The old password, and the new one twice."""

    old = forms.CharField(
        label=_("原密码"),
        strip=False,
        max_length=PASSWORD_MAX,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label=_("新密码"),
        help_text=_("至少 12 个字符，不能是常见密码，不能与用户名相近"),
        strip=False,
        max_length=PASSWORD_MAX,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("再输一次新密码"),
        strip=False,
        max_length=PASSWORD_MAX,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    @sensitive_variables("cleaned")
    def clean(self) -> dict[str, Any]:
        """The two new ones are one."""
        cleaned = super().clean()
        if {"new", "again"} <= cleaned.keys() and cleaned["new"] != cleaned["again"]:
            self.add_error("again", _("两次输入的新密码不一致"))
        return cleaned


class AuditForm(StrictForm):
    """Which deeds. Days are those of the campus; everything empty is everything."""

    since = forms.CharField(label=_("从"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.CharField(label=_("到"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    who = forms.ChoiceField(label=_("操作员"), required=False)
    deed = forms.ChoiceField(label=_("操作"), required=False)
    door = forms.ChoiceField(label=_("渠道"), required=False)
    number = forms.CharField(
        label=_("帐号"),
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "placeholder": "10086"}),
    )
    after = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [(str(row.id), f"{row.name}（{row.username}）") for row in staff.staff(active=None)]
        deeds = sorted(((code, str(word)) for code, word in DEEDS.items()), key=lambda each: each[0])
        for name, choices in (
            ("who", [("", _("所有人")), *people]),
            ("deed", [("", _("全部操作")), *deeds]),
            ("door", [("", _("全部渠道")), *DOORS.items()]),
        ):
            cast(forms.ChoiceField, self.fields[name]).choices = choices

    def clean_since(self) -> date | None:
        """The first day."""
        return _day(self.cleaned_data["since"])

    def clean_until(self) -> date | None:
        """The last day, included."""
        return _day(self.cleaned_data["until"])

    def clean_number(self) -> int | None:
        """The account with these five digits; None for nothing typed."""
        text = self.cleaned_data["number"]
        if not text:
            return None
        try:
            parsed = parse_identifier(text)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None
        found = account_of(parsed.value) if isinstance(parsed, AccountNumber) else None
        if found is None:
            raise forms.ValidationError(_("没有这个帐号"))
        return found

    def clean_after(self) -> Cursor | None:
        """Where the page starts."""
        text = self.cleaned_data["after"]
        if not text:
            return None
        found = _CURSOR.match(text)
        try:
            if found is None:
                raise ValueError
            return Cursor(datetime.fromisoformat(found[1]), int(found[2]))
        except ValueError:
            raise forms.ValidationError(_("页码不正确，请从第一页重新查看")) from None

    def clean(self) -> dict[str, Any]:
        """The days in their order."""
        cleaned = super().clean()
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", _("结束日期不能早于开始日期"))
        return cleaned

    def wanted(self, scope: Wanted) -> Wanted:
        """What this asks for within what the person may see, once it is valid."""
        chosen = self.cleaned_data
        since, until = chosen["since"], chosen["until"]
        return replace(
            scope,
            since=_midnight(since) if since else None,
            until=_midnight(until + timedelta(days=1)) if until else None,
            actor=f"operator:{chosen['who']}" if chosen["who"] else "",
            action=chosen["deed"],
            channel=chosen["door"],
            account_id=chosen["number"],
        )


def _day(text: str) -> date | None:
    return parse_day(text) if text else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)
