"""What the staff give in on the pages for many at once."""

from __future__ import annotations

import re
from typing import Any, cast
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.kinds import HolderKind, RosterScope
from accounts.roster_files.texts import Encoding
from accounts.selectors import campuses
from counter.fields import DayField, LineField
from counter.forms import KeyField, ReasonField, StrictForm

_YEAR = re.compile(r"\A20[0-9]{2}\Z")
_IDS = re.compile(r"\A[1-9][0-9]{0,17}\Z")
NAME_MAX = 40


class UploadForm(StrictForm):
    """A file of the roster, and what it lists."""

    key = KeyField()
    file = forms.FileField(
        label=_("名册文件"),
        help_text=_("xlsx 或 CSV，最多 20,000 人、10 MB"),
        allow_empty_file=True,
        error_messages={"required": _("请选择文件"), "invalid": _("请选择文件"), "missing": _("请选择文件")},
        widget=forms.FileInput(attrs={"accept": ".xlsx,.csv"}),
    )
    scope = forms.ChoiceField(
        label=_("文件里是"),
        choices=[
            (RosterScope.ADDITIONS, _("新增或变更的人员（不在文件里的人不受影响）")),
            (RosterScope.STUDENTS, _("全体学生（不在文件里的学生记为离册）")),
            (RosterScope.STAFF, _("全体教职工（不在文件里的教职工记为离册）")),
        ],
        error_messages={"required": _("请选择文件里是谁"), "invalid_choice": _("请选择文件里是谁")},
    )


class EncodingForm(StrictForm):
    """In which encoding the names read right."""

    encoding = forms.ChoiceField(
        choices=[(encoding.value, encoding.value) for encoding in Encoding],
        error_messages={"required": _("请选择读得通的一种"), "invalid_choice": _("请选择读得通的一种")},
    )


class ApplyForm(StrictForm):
    """The one confirmation of a file, for what was shown."""

    revision = forms.IntegerField(min_value=1, max_value=10**6, widget=forms.HiddenInput)


class PhotosForm(StrictForm):
    """An archive of photos."""

    key = KeyField()
    file = forms.FileField(
        label=_("照片包"),
        help_text=_("zip，照片以学工号命名，如 20260000001.jpg；最多 6,000 张、100 MB"),
        allow_empty_file=True,
        error_messages={"required": _("请选择文件"), "invalid": _("请选择文件"), "missing": _("请选择文件")},
        widget=forms.FileInput(attrs={"accept": ".zip"}),
    )


class ChoiceForm(StrictForm):
    """Who gets a card."""

    campus = forms.ChoiceField(label=_("校区"))
    kind = forms.ChoiceField(
        label=_("人员类别"),
        required=False,
        choices=[
            ("", _("学生和教职工")),
            (HolderKind.STUDENT, HolderKind.STUDENT.label),
            (HolderKind.STAFF, HolderKind.STAFF.label),
        ],
    )
    unit = forms.CharField(label=_("学院或部门"), help_text=_("留空为全部"), required=False, max_length=60)
    file = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, campus_id: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = [place for place in campuses() if campus_id in (None, place.id)]
        cast(forms.ChoiceField, self.fields["campus"]).choices = [(p.id, p.name_zh) for p in places]

    def clean_file(self) -> UUID | None:
        text = self.cleaned_data["file"]
        try:
            return UUID(text) if text else None
        except ValueError:
            raise forms.ValidationError(_("没有这个名册文件")) from None


class IssueForm(ChoiceForm):
    """The same, with what the batch is called and how long its cards are good."""

    key = KeyField()
    name = LineField(label=_("批次名称"), help_text=_("如：2026 级新生 崂山"), limit=NAME_MAX)
    expires_on = DayField(label=_("卡片有效期至"), help_text=_("留空为不设有效期"), required=False)


class SeriesForm(StrictForm):
    """The next card of a series: which, and a key for the job."""

    key = KeyField()
    item = forms.CharField(widget=forms.HiddenInput)

    def clean_item(self) -> int:
        text = self.cleaned_data["item"]
        if not _IDS.match(text):
            raise forms.ValidationError(_("页面已过期，请刷新后再试"))
        return int(text)


class AgainForm(StrictForm):
    """A spoilt card: which piece of plastic, and why."""

    item = forms.CharField(widget=forms.HiddenInput)
    card = forms.CharField(widget=forms.HiddenInput)
    reason = ReasonField(label=_("为什么重做"), help_text=_("如：卡面打印偏移"))

    def clean_item(self) -> int:
        return self._id("item")

    def clean_card(self) -> int:
        return self._id("card")

    def _id(self, name: str) -> int:
        if not _IDS.match(self.cleaned_data[name]):
            raise forms.ValidationError(_("页面已过期，请刷新后再试"))
        return int(self.cleaned_data[name])


class ClosingForm(StrictForm):
    """Who leaves: a list of numbers, or a year and a kind of the roster."""

    key = KeyField()
    name = LineField(label=_("批次名称"), help_text=_("如：2026 届毕业生"), limit=NAME_MAX)
    file = forms.FileField(
        label=_("离校名单"),
        help_text=_("xlsx 或 CSV，有一列学工号；不选文件则按下面的条件"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".xlsx,.csv"}),
    )
    year = forms.CharField(label=_("离校年份"), required=False, max_length=4, help_text=_("如 2026"))
    kind = forms.ChoiceField(
        label=_("人员类别"),
        required=False,
        choices=[
            ("", _("不限")),
            (HolderKind.STUDENT, HolderKind.STUDENT.label),
            (HolderKind.STAFF, HolderKind.STAFF.label),
        ],
    )
    left = forms.BooleanField(label=_("只要已离册的人员"), required=False)

    def clean_year(self) -> int | None:
        text = self.cleaned_data["year"]
        if text and not _YEAR.match(text):
            raise forms.ValidationError(_("离校年份应为四位数字，如 2030"))
        return int(text) if text else None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors and not (cleaned["file"] or cleaned["year"] or cleaned["left"]):
            raise forms.ValidationError(_("请选择名单文件，或填写离校年份，或选只要已离册的人员"))
        return cleaned
