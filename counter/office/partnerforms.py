"""What the administration types about the keys of other systems."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.selectors import campuses
from counter.fields import DayField, LineField
from counter.forms import CodeField, KeyField, ReasonField, StrictForm, name_of
from terminals.partners import ASKABLE
from terminals.services import partners
from terminals.services.partners import BadAddress, NewPartner

PER_MINUTE = 600


class PartnerForm(StrictForm):
    """A key for another system: who runs it, what it may ask, from where and until when."""

    several: ClassVar[frozenset[str]] = frozenset({"services", "places"})

    key = KeyField()
    name_zh = LineField(label=_("名称"), help_text=_("如：图书馆管理系统"))
    name_en = LineField(label=_("英文名称"), required=False)
    contact = LineField(
        label=_("联系人"), help_text=_("运行该系统的部门，电话或邮箱；停用前要找得到人"), limit=120
    )
    services = forms.MultipleChoiceField(
        label=_("可以查询的服务"),
        choices=[(service.value, service.label) for service in ASKABLE],
        error_messages={"required": _("请至少选择一项服务"), "invalid_choice": _("没有这项服务")},
    )
    places = forms.MultipleChoiceField(
        label=_("门禁和设备所在的校区"),
        error_messages={"required": _("请至少选择一个校区"), "invalid_choice": _("没有这个校区")},
    )
    tells_name = forms.BooleanField(label=_("允许时告知姓名（只露姓，如 张*）"), required=False)
    tells_school_no = forms.BooleanField(
        label=_("允许时告知学号或工号（借阅、上机登录需要）"), required=False
    )
    by_number = forms.BooleanField(label=_("可以不刷卡，按帐号或学工号查询"), required=False)
    addresses = LineField(
        label=_("网络地址"),
        help_text=_("只接受来自这些地址的请求，如 10.8.0.0/24，多个用空格隔开；不填则不限"),
        limit=400,
        required=False,
    )
    per_minute = forms.IntegerField(
        label=_("每分钟最多查询"),
        min_value=1,
        max_value=6000,
        error_messages={
            "required": _("请填写 1 至 6000 的整数"),
            "invalid": _("请填写 1 至 6000 的整数"),
            "min_value": _("请填写 1 至 6000 的整数"),
            "max_value": _("请填写 1 至 6000 的整数"),
        },
    )
    expires_on = DayField(label=_("密钥末日"), help_text=_("当天仍可用，次日起拒绝；最长两年"))
    reason = ReasonField(label=_("理由"), help_text=_("复核人会看到，并写进审计，最多 300 字"))
    otp_token = CodeField()

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        choices = [(str(place.id), name_of(place)) for place in campuses()]
        cast(forms.MultipleChoiceField, self.fields["places"]).choices = choices

    def clean_addresses(self) -> tuple[str, ...]:
        """As networks."""
        try:
            return partners.networks(self.cleaned_data["addresses"])
        except BadAddress as bad:
            words = _("不是网络地址：%(word)s。一行最多八个，如 10.8.0.0/24")
            raise forms.ValidationError(words, params={"word": str(bad)}) from None

    def clean_expires_on(self) -> date:
        """Not over yet, and not for ever."""
        day = cast(date, self.cleaned_data["expires_on"])
        if not self.today <= day <= self.today + partners.LONGEST:
            raise forms.ValidationError(_("须在今天之后、两年之内"))
        return day

    def campus_ids(self) -> tuple[int, ...]:
        """Where its doors stand, once this is valid."""
        return tuple(sorted({int(place) for place in self.cleaned_data["places"]}))

    def wanted(self) -> NewPartner:
        """The key, once this is valid."""
        chosen = self.cleaned_data
        return NewPartner(
            name_zh=chosen["name_zh"],
            name_en=chosen["name_en"],
            contact=chosen["contact"],
            services=tuple(each.value for each in ASKABLE if each.value in chosen["services"]),
            campus_ids=self.campus_ids(),
            tells_name=chosen["tells_name"],
            tells_school_no=chosen["tells_school_no"],
            by_number=chosen["by_number"],
            addresses=chosen["addresses"],
            per_minute=chosen["per_minute"],
            expires_on=chosen["expires_on"].isoformat(),
        )


class TurnForm(StrictForm):
    """A new key, and how long the one of before stays good. ``epoch``: the key that the page showed."""

    epoch = forms.IntegerField(min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput)
    kept = forms.ChoiceField(
        label=_("旧密钥"),
        choices=[
            ("7", _("再用 7 天，给对方时间更换")),
            ("1", _("再用 1 天")),
            ("30", _("再用 30 天")),
            ("0", _("立即失效（密钥已泄露）")),
        ],
    )
    otp_token = CodeField()

    def kept_for(self) -> timedelta:
        """How long, once this is valid."""
        return timedelta(days=int(self.cleaned_data["kept"]))


class ShutOutForm(StrictForm):
    """Why a key is shut out for good."""

    reason = ReasonField(label=_("停用理由"), help_text=_("如：系统下线、密钥被盗；不能撤销"))
    otp_token = CodeField()
