"""The audit in words: every deed, door and value that occurs in it (a test finds those that have none).

A deed is stored as ``noun.verb``; what is not known here is shown as it is stored, never hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.actors import Channel
from accounts.kinds import OperatorRole
from accounts.selectors import campuses
from accounts.trail import EventRow
from counter.forms import name_of
from counter.oversight.kinds import Fact
from purse.money import yuan

Words = str | Promise
_UUID_LENGTH = 36

DEEDS: dict[str, Words] = {
    "account.begin_closing": _("开始销户"),
    "account.change_limit": _("修改日限额"),
    "account.close": _("销户"),
    "account.freeze": _("冻结账户"),
    "account.give_up_closing": _("撤销销户"),
    "account.grant": _("开通服务"),
    "account.adjust": _("调账"),
    "account.level": _("平账"),
    "account.open": _("开户"),
    "account.refund_late": _("退还重复扣款"),
    "account.reverse": _("冲正消费"),
    "account.revoke": _("停止服务"),
    "account.start": _("启用账户"),
    "account.unfreeze": _("解冻账户"),
    "alarm.guessing": _("告警：大量猜测密码"),
    "attempts.reset": _("清除密码尝试次数"),
    "audit.export": _("导出审计记录"),
    "binding.bind": _("绑定银行卡"),
    "binding.confirm": _("确认银行卡绑定"),
    "binding.propose": _("提出绑定银行卡"),
    "binding.unbind": _("解除银行卡绑定"),
    "card.active": _("卡片首次使用"),
    "card.damaged": _("登记卡片损坏"),
    "card.expired": _("卡片到期"),
    "card.extend": _("延长卡片有效期"),
    "card.hand_over": _("发卡给本人"),
    "card.issue": _("发卡"),
    "card.lift_loss": _("解除挂失"),
    "card.prepare": _("准备制卡"),
    "card.replace": _("换卡，旧卡作废"),
    "card.report_lost": _("挂失"),
    "card.returned": _("收回卡片"),
    "card.void": _("作废卡片"),
    "card_job.cancel": _("取消读卡任务"),
    "card_job.give_up": _("放弃读卡任务"),
    "card_job.order": _("下达读卡任务"),
    "case.assigned": _("分派案例"),
    "case.escalated": _("案例转上级"),
    "case.held": _("案例挂账"),
    "case.remark": _("案例备注"),
    "case.taken": _("接手案例"),
    "cash.deposit": _("收押金"),
    "cash.fee": _("收工本费"),
    "cash.payout": _("付现"),
    "cash.top_up": _("现金充值"),
    "cash.void": _("撤销现金充值"),
    "closings.discard": _("放弃批量销户名单"),
    "closings.done": _("批量销户完成"),
    "closings.lay_out": _("提出批量销户名单"),
    "closings.start": _("开始批量销户"),
    "decision.approve": _("复核同意"),
    "decision.carry_out": _("执行处理决定"),
    "decision.drop": _("处理决定未执行"),
    "decision.make": _("提出处理决定"),
    "decision.refuse": _("复核退回"),
    "decision.withdraw": _("撤回处理决定"),
    "dispute.added": _("持卡人补充争议"),
    "dispute.asked": _("请持卡人补充争议"),
    "database.restore": _("恢复数据库"),
    "dispute.opened": _("提出争议"),
    "dispute.proposed": _("争议：提出退款"),
    "dispute.refunded": _("争议：已退款"),
    "dispute.refused": _("争议：不予退款"),
    "dispute.remarked": _("争议内部备注"),
    "dispute.returned": _("争议：退款未获同意"),
    "dispute.settled": _("办结争议"),
    "dispute.taken": _("受理争议"),
    "dispute.withdrawn": _("撤回争议"),
    "document.differs": _("证件与登记不符"),
    "drawer.add": _("新增钱箱"),
    "found.gone": _("拾到的卡过期处理"),
    "found.handed_over": _("拾到的卡交还本人"),
    "found.left_in_use": _("拾到的卡不挂失"),
    "found.moved": _("拾到的卡转校区"),
    "found.reported_lost": _("拾到的卡代为挂失"),
    "found.taken_in": _("收到拾到的卡"),
    "holder.change": _("修改持卡人资料"),
    "holder.export": _("导出持卡人全部资料"),
    "holder.erase": _("清除持卡人资料"),
    "holder.read_id_number": _("查看完整证件信息"),
    "holder.register": _("登记持卡人"),
    "issue.make_again": _("重做废卡"),
    "issue.open": _("批量开户制卡"),
    "issue.print": _("打印卡面"),
    "ledger.export": _("导出账目"),
    "lost_post.close": _("关闭寻卡启事"),
    "lost_post.post": _("发布寻卡启事"),
    "lost_post.renew": _("延长寻卡启事"),
    "merchant.describe": _("修改商户资料"),
    "merchant.register": _("登记商户"),
    "merchant.set_terms": _("修改商户合同条款"),
    "operator.change": _("变更操作员岗位"),
    "operator.change_password": _("操作员改密码"),
    "operator.disable": _("停用操作员"),
    "operator.enable": _("恢复操作员"),
    "operator.end_sessions": _("结束操作员会话"),
    "operator.give_password": _("发临时密码"),
    "operator.make": _("新增操作员"),
    "operator.set_authenticator": _("发新验证器"),
    "pad.ask": _("请持卡人在键盘上输入"),
    "pad.cancel": _("取消键盘输入"),
    "photos.upload": _("导入照片"),
    "partner.register": _("发接入密钥"),
    "partner.revoke": _("停用接入密钥"),
    "partner.turn": _("更换接入密钥"),
    "place.describe": _("修改服务点说明"),
    "place.put_back": _("恢复服务点"),
    "place.seed": _("登记服务点"),
    "place.take_out": _("停用服务点"),
    "policy.call_off": _("取消参数变更"),
    "policy.set": _("变更参数"),
    "receipt.print": _("打印收据"),
    "request.agree": _("同意申请"),
    "request.drop": _("申请未办理"),
    "request.make": _("提出申请"),
    "request.refuse": _("退回申请"),
    "request.use": _("按申请办理"),
    "request.withdraw": _("撤回申请"),
    "roster.apply": _("名册生效"),
    "roster.discard": _("放弃名册"),
    "roster.upload": _("导入名册"),
    "secret.change": _("本人修改密码"),
    "secret.reset": _("恢复初始密码"),
    "secret.set": _("本人在柜台设密码"),
    "shift.accept": _("验收班次"),
    "shift.close": _("结班"),
    "shift.open": _("开班"),
    "special_day.drop": _("取消特别开放日"),
    "special_day.set": _("设特别开放日"),
    "statement.read": _("查看他人流水"),
    "terminal.issue_code": _("发终端登记码"),
    "terminal.keys_handed": _("终端取得密钥"),
    "terminal.quarantine": _("隔离终端"),
    "terminal.register": _("登记终端"),
    "terminal.rest_gap": _("流水缺号不再等待"),
    "terminal.revoke": _("注销终端"),
    "upload.dismiss": _("不入账的脱机流水"),
    "upload.impossible": _("无法入账的脱机流水"),
    "upload.release": _("放行脱机流水"),
    "alerts.ask_address": _("填写提醒地址"),
    "alerts.change": _("更改提醒"),
    "alerts.confirm_address": _("确认提醒地址"),
    "alerts.remove_address": _("删除提醒地址"),
    "alerts.stop": _("用链接停止提醒"),
}

DOORS: dict[str, Words] = {
    Channel.WEB: _("网站"),
    Channel.PHONE: _("电话"),
    Channel.QUERY_KIOSK: _("查询机"),
    Channel.LOAD_KIOSK: _("圈存机"),
    Channel.POS: _("消费终端"),
    Channel.COUNTER: _("管理中心"),
    Channel.CASHIER: pgettext_lazy("door", "充值点"),
    Channel.SYSTEM: pgettext_lazy("door", "系统"),
}

NOUNS: dict[str, Words] = {
    "account": _("账户"),
    "card": pgettext_lazy("noun", "卡片"),
    "holder": _("持卡人"),
    "secret": _("密码"),
    "operator": _("操作员"),
    "case": _("案例"),
    "decision": _("处理决定"),
    "request": _("申请"),
    "terminal": _("终端"),
    "partner": _("接入系统"),
    "card_job": _("读卡任务"),
    "upload": _("脱机流水"),
    "shift": _("班次"),
    "receipt": _("收据"),
    "source": _("来源"),
    "attempts": _("密码尝试"),
    "policy": _("参数"),
    "audit": _("审计记录"),
    "binding": _("银行卡绑定"),
    "closings": _("批量销户"),
    "dispute": pgettext_lazy("tab", "争议"),
    "drawer": _("钱箱"),
    "found_card": _("拾到的卡"),
    "issue": _("制卡批次"),
    "lost_post": _("寻卡信息"),
    "merchant": _("商户"),
    "photos": _("照片包"),
    "place": _("服务点"),
    "roster": _("名册"),
    "special_day": _("特别日期"),
}

FIELDS: dict[str, Words] = {
    "role": _("岗位"),
    "campus": _("校区"),
    "back_office": _("可进管理后台"),
    "is_active": _("有效"),
    "life": _("状态"),
    "lost": _("挂失"),
    "frozen_reasons": _("冻结原因"),
    "frozen_at": _("冻结时间"),
    "lost_at": _("挂失时间"),
    "daily_limit_fen": _("日限额"),
    "fen": _("金额"),
    "book_fen": _("库余额"),
    "needs": _("须由谁同意"),
    "kind": _("种类"),
    "case": _("案例"),
    "action": _("处理"),
    "receipt": _("收据号"),
    "account": _("账户"),
    "card": pgettext_lazy("noun", "卡片"),
    "document": _("证件"),
    "document_check": _("证件核对"),
    "ended": _("结束的会话"),
    "failures": _("错误次数"),
    "is_default": _("初始密码"),
    "rows": _("行数"),
    "services": _("服务项目"),
    "by_number": _("可按号码查询"),
    "epoch": _("密钥代次"),
    "kept_days": _("旧密钥再用天数"),
    "has_own_card": _("本人校园卡"),
    "entry": _("流水号"),
    "code": pgettext_lazy("drawer", "编号"),
    "drawer": _("钱箱"),
    "no": pgettext_lazy("drawer", "编号"),
    "float_fen": _("备用金"),
    "expected_fen": _("应有金额"),
    "counted_fen": _("实点金额"),
    "difference_fen": _("差额"),
    "unclaimed_fen": _("待领"),
    "batch": _("批次"),
    "campus_id": _("校区"),
    "cards": _("卡片数"),
    "changed": _("有变化"),
    "decision": _("处理决定"),
    "desk": _("柜台"),
    "digest": _("文件摘要"),
    "effective_at": _("生效时间"),
    "effective_on": _("生效日期"),
    "fee_bp": _("费率（万分之）"),
    "fields": _("改动的栏目"),
    "from": _("从"),
    "issue_no": _("第几张卡"),
    "last_four": _("末四位"),
    "left": _("离校"),
    "name_en": _("英文名称"),
    "name_zh": _("名称"),
    "new": _("新增"),
    "number": _("帐号"),
    "on": _("日期"),
    "out_reason_en": _("暂停原因（英文）"),
    "out_reason_zh": _("暂停原因"),
    "out_since": _("暂停时间"),
    "params": _("任务内容"),
    "pictures": _("照片数"),
    "place": _("次序或地点"),
    "places": _("服务点"),
    "rejected": _("不能导入"),
    "remarks": _("有提示"),
    "roster": _("名册"),
    "same": _("没有变化"),
    "scope": _("范围"),
    "set_by": _("设定人"),
    "settlement": _("结算"),
    "state": _("状态"),
    "uid": _("卡芯片号"),
    "until": _("到"),
    "value": _("取值"),
    "waiting": _("待核对"),
    "low_fen": _("余额提醒值"),
    "spend_fen": _("大额提醒值"),
    "money_waiting": _("待领提醒"),
    "mail": _("邮件提醒"),
    "sms": _("短信提醒"),
    "amounts": _("写出金额"),
    "quiet": _("夜间不发"),
    "language": _("语言"),
    "way": _("方式"),
}


def deed_word(action: str) -> str:
    """A deed in words."""
    return str(DEEDS.get(action, action))


def door_word(channel: str) -> str:
    """A door in words."""
    return str(DOORS.get(channel, channel))


def who_word(row: EventRow) -> str:
    """Who did it: staff by name, machines by number, holders without one, the system by its command."""
    kind, _colon, name = row.actor.partition(":")
    if row.who:
        return row.who
    if kind == "holder":
        return gettext("持卡人本人")
    if kind == "terminal":
        return gettext("%(number)s 号机") % {"number": name}
    if kind == "system":
        return gettext("系统（%(command)s）") % {"command": name}
    return row.actor


def role_word(row: EventRow) -> str:
    """In which role, for members of staff."""
    return str(OperatorRole(row.role).label) if row.role in OperatorRole.values else ""


def object_word(row: EventRow) -> str:
    """What it was done to."""
    noun = str(NOUNS.get(row.object_kind, row.object_kind))
    if row.number is not None:
        return f"{noun} {row.number}"
    if row.object_name:
        return f"{noun} {row.object_name}"
    return noun if row.object_kind == "holder" else f"{noun} {_short(row.object_id)}"


def _short(object_id: str) -> str:
    """A number as it is; of a UUID the first group, which tells the few of one day apart."""
    head, dash, _rest = object_id.partition("-")
    return head if dash and len(object_id) == _UUID_LENGTH else object_id


def changes(row: EventRow) -> Iterator[Fact]:
    """Before and after, name by name."""
    for name in dict.fromkeys((*row.before, *row.after)):
        yield Fact(str(FIELDS.get(name, name)), _value(name, row.after), _value(name, row.before))


def _value(name: str, told: Mapping[str, Any]) -> str:
    if name not in told:
        return ""
    value = told[name]
    if isinstance(value, bool):
        return gettext("是") if value else gettext("否")
    if isinstance(value, int) and (name == "fen" or name.endswith("_fen")):
        return f"{'-' if value < 0 else ''}¥{yuan(abs(value))}"
    if value is None or value in ("", [], {}):
        return "—"
    if name == "campus" and isinstance(value, str):
        return next((name_of(place) for place in campuses() if place.code == value), value)
    if name == "role" and value in OperatorRole.values:
        return str(OperatorRole(value).label)
    if isinstance(value, list):
        return "、".join(str(each) for each in value)
    return str(value)
