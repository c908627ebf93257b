"""What second persons, administrators and lookers-on type."""

from __future__ import annotations

import re
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.checks import Rejected
from accounts.checks.identifiers import SchoolNumber, parse_identifier
from accounts.checks.text import parse_text
from accounts.kinds import OperatorRole
from accounts.selectors import campuses
from accounts.services.staffing import USERNAME_FORM, NewStaff, Post
from counter.forms import CodeField, DigestField, KeyField, ReasonField, StrictForm, name_of

NAME_MAX = 30
PASSWORD_MAX = 128
"""Longer ones are refused before any hash is computed."""


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
