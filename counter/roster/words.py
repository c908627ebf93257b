"""What the pages of rosters and batches say."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.kinds import ClosingState, HolderKind, RosterState, RosterVerdict
from accounts.rosters import Change
from reconciliation.closing import Against

Words = str | Promise

TONES: dict[str, str] = {
    RosterState.ASKING: "warn",
    RosterState.READING: "",
    RosterState.COMPARING: "",
    RosterState.READY: "warn",
    RosterState.APPLIED: "good",
    RosterState.DISCARDED: "",
}
CLOSING_TONES: dict[str, str] = {
    ClosingState.READY: "warn",
    ClosingState.RUNNING: "",
    ClosingState.DONE: "good",
    ClosingState.DISCARDED: "",
}
VERDICT_TONES: dict[str, str] = {
    RosterVerdict.NEW: "good",
    RosterVerdict.CHANGED: "warn",
    RosterVerdict.SAME: "",
    RosterVerdict.REJECTED: "bad",
}
FIELDS: dict[str, Words] = {
    "school_no": _("学工号"),
    "name": _("姓名"),
    "kind": _("人员类别"),
    "campus_id": _("校区"),
    "unit": _("学院或部门"),
    "group": _("班级"),
    "year": _("离校年份"),
    "id_number": _("证件号码"),
    "listed": pgettext_lazy("roster", "在册"),
}
AGAINST: dict[Against, Words] = {
    Against.CLOSED: _("已销户或正在销户"),
    Against.NOT_CLOSING: _("卡还没有发出，账户未启用"),
    Against.FROZEN: _("账户已冻结，请先办理解冻"),
    Against.OPEN_CASE: _("有未结的对账案例"),
    Against.OPEN_DISPUTE: _("有未结的疑问"),
    Against.DEBT: _("库余额为负，请先补齐"),
}


def change_words(change: Change, campuses: dict[int, str]) -> tuple[Words, Words, Words]:
    """(field, before, after) of a change, for people."""
    label = FIELDS.get(change.field, change.field)
    if change.field == "id_number":
        return label, _("无"), _("补登")
    if change.field == "listed":
        return label, _("已离册"), _("重新在册")
    if change.field == "kind":
        return label, HolderKind(change.before).label, HolderKind(change.after).label
    if change.field == "campus_id":
        return label, campuses.get(int(change.before), "?"), campuses.get(int(change.after), "?")
    return label, change.before or "—", change.after or "—"
