"""What administrators ask each other for: somebody new, another post, letting somebody in again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.approvals import RequestRow
from accounts.kinds import OperatorRole
from accounts.selectors import campuses
from accounts.services import staffing
from accounts.services.staffing import NotStaffed, Problem
from counter.forms import name_of
from counter.oversight.kinds import Deed, Fact, Kind, NotDone, register

PROBLEMS: dict[Problem, Any] = {
    Problem.NOT_ENTITLED: _("您的岗位不能办理此项"),
    Problem.NO_SUCH_OPERATOR: _("没有这个操作员"),
    Problem.NO_SUCH_PERSON: _("没有这个学号或工号，请核对；没有校园卡的请留空"),
    Problem.ONESELF: _("不能办理本人的账号，请由另一位管理员办理"),
    Problem.LAST_ADMIN: _("这是最后一位有效的管理员，不能停用或调岗"),
    Problem.CODE_TOO_OLD: _("动态码已超过 5 分钟，请再输入一次"),
    Problem.NO_REASON: _("请写明理由"),
    Problem.NAME_TAKEN: _("这个用户名已有人使用，请换一个"),
    Problem.NOTHING_NEW: _("岗位和校区与现在相同，没有要改的"),
    Problem.DISABLED: _("该操作员已停用，请先恢复"),
    Problem.NOT_DISABLED: _("该操作员没有停用"),
    Problem.BOTH_FACTORS: _("同一位管理员不能既发密码又发验证器，请由另一位管理员办理"),
    Problem.WRONG_PASSWORD: _("原密码不正确，或尝试次数过多，请 15 分钟后再试"),
    Problem.SAME_PASSWORD: _("新密码不能与原密码相同"),
    Problem.WEAK_PASSWORD: _("新密码不符合要求"),
    Problem.CHANGED: _("内容已变化，请重新核对后再提出"),
}


def role_word(value: str) -> str:
    """A role in words; what is stored stays readable when a role is given up one day."""
    return str(OperatorRole(value).label) if value in OperatorRole.values else value


def campus_word(code: str) -> str:
    """A campus by its code, in the reader's language; empty is every campus."""
    if not code:
        return gettext("全部校区")
    return next((name_of(place) for place in campuses() if place.code == code), code)


def _yes(value: object) -> str:
    return gettext("是") if value else gettext("否")


_POST: tuple[tuple[str, Any, Callable[[Any], str]], ...] = (
    ("role", _("岗位"), role_word),
    ("campus", _("校区"), campus_word),
    ("back_office", _("可进管理后台"), _yes),
)


def _post(told: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Iterator[Fact]:
    for name, label, word in _POST:
        if before is None:
            yield Fact(label, word(told[name]))
        elif before[name] != told[name]:
            yield Fact(label, word(told[name]), word(before[name]))


def _new_facts(row: RequestRow) -> list[Fact]:
    told = row.content
    card = gettext("有，不能为自己办理") if told["holder"] else gettext("无")
    return [
        Fact(_("用户名"), told["username"]),
        Fact(_("姓名"), told["name"] or "—"),
        *_post(told),
        Fact(_("本人校园卡"), card),
    ]


def _change_facts(row: RequestRow) -> list[Fact]:
    return [Fact(_("操作员"), row.operator), *_post(row.content["after"], row.content["before"])]


def _enable_facts(row: RequestRow) -> list[Fact]:
    return [Fact(_("操作员"), row.operator), *_post(row.content)]


def _carry_out(deed: Deed) -> None:
    try:
        staffing.carry_out(deed.row.id, actor=deed.actor, now=deed.now)
    except NotStaffed as problem:
        raise NotDone(PROBLEMS[problem.problem], for_good=True) from None


register(
    Kind(
        staffing.MAKE,
        _("新增操作员"),
        _new_facts,
        carry_out=_carry_out,
        effect=_("同意后账号建立；再由两位管理员分别发给密码和验证器，才能登录。"),
    )
)
register(
    Kind(
        staffing.CHANGE,
        _("变更岗位"),
        _change_facts,
        carry_out=_carry_out,
        effect=_("同意后立即生效，该操作员的全部会话结束，须重新登录。"),
    )
)
register(
    Kind(
        staffing.ENABLE,
        _("恢复操作员"),
        _enable_facts,
        carry_out=_carry_out,
        effect=_("同意后可以重新登录，岗位和校区不变。"),
    )
)
