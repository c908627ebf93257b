"""How requests of the administration read where two people agree, and what follows from the agreement."""

from __future__ import annotations

from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts import policies
from accounts.approvals import RequestRow
from accounts.kinds import Service
from accounts.selectors import campuses
from accounts.services import policy
from accounts.services.approvals import NotApproved
from accounts.services.policy import NewValue, NotSet
from accounts.termlist import TERMS
from accounts.wiring import forget_policy, now
from counter.forms import name_of
from counter.office.words import NOT_SET
from counter.oversight.kinds import Deed, Fact, Kind, NotDone, bare, register
from counter.oversight.words import WHY
from terminals import fleet
from terminals.kinds import TerminalKind
from terminals.places import service_point
from terminals.services import enrolment, partners
from terminals.services.partners import NewPartner
from transactions.merchants import merchant


def _value_facts(row: RequestRow) -> list[Fact]:
    try:
        wanted = NewValue.from_content(row.key, row.content)
    except (KeyError, TypeError):
        return bare(row)
    term = TERMS[wanted.name]
    before = policies.read().at(min(wanted.effective_at, now())).value(wanted.name)
    return [
        Fact(term.label, term.shown(wanted.value), term.shown(before)),
        Fact(_("生效时间"), f"{localtime(wanted.effective_at):%Y-%m-%d %H:%M}"),
        Fact(_("含义"), term.help),
    ]


def _set_value(deed: Deed) -> None:
    wanted = NewValue.from_content(deed.row.key, deed.row.content)
    try:
        policy.set_value(wanted, shown=None, actor=deed.actor, now=deed.now, request_id=deed.row.id)
    except NotSet as problem:
        raise NotDone(problem.detail or NOT_SET[problem.why], for_good=True) from None
    except NotApproved as refusal:
        raise NotDone(WHY[refusal.why]) from None
    forget_policy()


def _terminal_facts(row: RequestRow) -> list[Fact]:
    told = row.content
    campus = next((name_of(place) for place in campuses() if place.id == told["campus_id"]), "—")
    facts = [
        Fact(_("名称"), told["name_zh"]),
        Fact(_("类型"), TerminalKind(told["kind"]).label),
        Fact(_("校区"), campus),
    ]
    if told["merchant_id"] is not None:
        shop = merchant(told["merchant_id"])
        facts.append(Fact(_("商户"), shop.name_zh if shop else str(told["merchant_id"])))
    if told["place_id"] is not None:
        point = service_point(told["place_id"], now=now())
        facts.append(Fact(_("服务点"), point.name_zh if point else str(told["place_id"])))
    if told["place"]:
        facts.append(Fact(pgettext_lazy("office", "位置"), told["place"]))
    if told["may_sell_offline"]:
        facts.append(Fact(_("脱机消费"), gettext("是")))
    return facts


def _code_facts(row: RequestRow) -> list[Fact]:
    box = fleet.box(row.content["terminal_id"], now=now())
    if box is None:
        return bare(row)
    return [
        Fact(_("终端"), f"{box.name_zh}（{box.id}）"),
        Fact(_("类型"), box.kind.label),
        Fact(_("校区"), box.campus_zh),
    ]


def _hand_over(row: RequestRow) -> str:
    return reverse("counter:hand_code", args=[row.id])


def _partner_facts(row: RequestRow) -> list[Fact]:
    told = NewPartner.from_content(row.content)
    places = [name_of(place) for place in campuses() if place.id in told.campus_ids]
    extra = [
        word
        for word, wanted in (
            (gettext("姓名（只露姓）"), told.tells_name),
            (gettext("学工号"), told.tells_school_no),
        )
        if wanted
    ]
    return [
        Fact(_("名称"), told.name_zh),
        Fact(_("联系人"), told.contact),
        Fact(_("可以查询的服务"), "、".join(str(Service(each).label) for each in told.services)),
        Fact(_("校区"), "、".join(places)),
        Fact(_("允许时告知"), "、".join(extra) or gettext("只告知允许或不允许")),
        Fact(_("查询方式"), gettext("按卡号、帐号或学工号") if told.by_number else gettext("只按卡号")),
        Fact(_("网络地址"), " ".join(told.addresses) or gettext("不限")),
        Fact(_("每分钟最多查询"), str(told.per_minute)),
        Fact(_("密钥末日"), told.expires_on),
    ]


def _hand_key(row: RequestRow) -> str:
    return reverse("counter:hand_key", args=[row.id])


register(
    Kind(
        partners.KIND,
        _("接入系统的密钥"),
        _partner_facts,
        resume=_hand_key,
        effect=_("同意后由管理员生成密钥，只显示一次；密钥的权限以后不能改，只能另发新的。"),
    )
)
register(
    Kind(
        policy.KIND,
        _("参数新值"),
        _value_facts,
        carry_out=_set_value,
        effect=_("同意后写入，到生效时间自动改变；生效前可以撤销。"),
    )
)
register(
    Kind(
        enrolment.KIND_REGISTER,
        _("登记终端"),
        _terminal_facts,
        resume=_hand_over,
        effect=_("同意后由管理员生成一次性注册码，机器凭它取得密钥；24 小时内用一次。"),
    )
)
register(
    Kind(
        enrolment.KIND_CODE,
        _("重发注册码"),
        _code_facts,
        resume=_hand_over,
        effect=_("机器用新码注册后换新密钥，旧密钥只能再上传流水 30 天。"),
    )
)
