"""The document that a clerk has seen: two fields that every form of a staff deed can have, and the door they open.

``class LossForm(DocumentFields, StrictForm)``; after ``is_valid()``: ``door(request, account_id, form.seen())``.
In the template: ``{% include "counter/people/_document.html" %}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.actors import AtCounter
from accounts.checks import Rejected
from accounts.papers import IDENTITY, PaperKind, SeenPaper, parse_tail
from accounts.services import papers
from accounts.wiring import now, secrets
from counter.access import StaffRequest, actor_of


class DocumentFields(forms.Form):
    """Kind and last four characters of the document seen. ``papers``: which kinds this deed accepts."""

    papers: ClassVar[Sequence[PaperKind]] = IDENTITY

    paper = forms.ChoiceField(label=_("已查验的证件"), error_messages={"required": _("请选择查验了哪种证件")})
    tail = forms.CharField(
        label=_("证件号码末四位"),
        help_text=_("照证件填写，与登记核对；末四位不保存"),
        max_length=40,
        strip=False,
        error_messages={"required": _("请输入证件号码的末四位，半角数字或字母")},
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "class": "tail", "size": "4", "spellcheck": "false"}
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(kind.value, kind.label) for kind in self.papers]
        cast(forms.ChoiceField, self.fields["paper"]).choices = choices

    def clean_tail(self) -> str:
        """Four characters, upper case."""
        try:
            return parse_tail(self.cleaned_data["tail"])
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None

    def seen(self) -> SeenPaper:
        """What was seen, once the form is valid."""
        return SeenPaper(PaperKind(self.cleaned_data["paper"]), self.cleaned_data["tail"])


def door(
    request: StaffRequest, account_id: int, seen: SeenPaper, *, card_on_reader: bool = False
) -> AtCounter:
    """The door for the services of ``accounts``: raises ``accounts.checks.Rejected`` when the register differs."""
    return papers.at_counter(
        account_id,
        seen,
        actor=actor_of(request),
        own_holder_id=request.officer.holder_id,
        secrets=secrets(),
        now=now(),
        card_on_reader=card_on_reader,
    )
