"""How long everything is kept and what becomes of it then: the one table of periods (security.md 6, PIPL art. 19).

Money and its evidence are never deleted; they name nobody but by number and ``uid``. What tells who somebody is goes
when its time is over. ``services.retention`` carries it out, ``docs/retention.md`` and the administration show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise


class Fate(StrEnum):
    """What becomes of rows whose time is over."""

    DELETED = "deleted"
    ERASED = "erased"
    """The row stays, what it says of a person is emptied."""
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Period:
    """One line of the table. ``tables``: names in the database, ``*`` stands for any ending; the first line counts."""

    name: str
    what: Words
    tables: tuple[str, ...]
    kept: Words
    fate: Fate
    why: Words


PERIODS: Final[Sequence[Period]] = (
    Period(
        "holders",
        _("持卡人姓名、学工号、证件号码、单位、照片"),
        ("accounts_holder", "accounts_photo", "accounts_rostermember"),
        _("销户且余额为零后 1 年"),
        Fate.ERASED,
        _("个人信息保护法第十九条：最短必要；内部编号保留，流水仍可核对"),
    ),
    Period(
        "bank_cards",
        _("银行卡号"),
        ("banking_binding",),
        _("销户且余额为零后 1 年"),
        Fate.ERASED,
        _("个人信息保护法第二十八条：金融账户属敏感信息"),
    ),
    Period(
        "addresses",
        _("提醒用的邮箱与手机号"),
        ("accounts_alertcontact",),
        _("销户即清除"),
        Fate.ERASED,
        _("不再有事可提醒；由发送提醒的任务清除"),
    ),
    Period(
        "logins",
        _("登录与密码尝试记录"),
        ("accounts_loginrecord", "accounts_attempt"),
        _("90 天"),
        Fate.DELETED,
        _("够查明盗用，不作行踪记录"),
    ),
    Period(
        "lost_found",
        _("失卡招领所写的地点与文字"),
        ("accounts_lostpost", "accounts_finderreport"),
        _("30 天"),
        Fate.ERASED,
        _("信息过期即无用处"),
    ),
    Period(
        "rosters",
        _("名册导入的过程数据"),
        ("accounts_rosterrow",),
        _("7 天"),
        Fate.DELETED,
        _("导入完成即无用处"),
    ),
    Period(
        "photo_files",
        _("照片包中的原图"),
        ("accounts_photoitem",),
        _("7 天"),
        Fate.DELETED,
        _("导入完成即无用处"),
    ),
    Period(
        "web_sessions",
        _("网页登录会话"),
        ("django_session",),
        _("到期即清除"),
        Fate.DELETED,
        _("到期即失效"),
    ),
    Period(
        "exports",
        _("导出的文件"),
        (),
        _("7 天"),
        Fate.DELETED,
        _("只为交付而存在"),
    ),
    Period(
        "door_refusals",
        _("门禁和借阅没有放行的记录"),
        ("terminals_doorrefusal",),
        _("7 天"),
        Fate.DELETED,
        _("够柜台说明原因，不作行踪记录"),
    ),
    Period(
        "machine_rests",
        _("防重放编号、待发提醒、定时任务记录"),
        ("terminals_partnernonce", "accounts_alertdelivery", "accounts_jobrun"),
        _("10 分钟至 400 天，由各自程序清理"),
        Fate.DELETED,
        _("只供运行，不含姓名"),
    ),
    Period(
        "ledger",
        _("账目：流水、操作应答、收据、班次、日结、终端上传记录"),
        (
            "transactions_*",
            "reconciliation_dayclose",
            "terminals_upload*",
            "accounts_account",
            "accounts_card",
        ),
        _("至少 30 年，不删除"),
        Fate.KEPT,
        _("会计档案管理办法；只记账号与内部编号；账号 5 年内不另发给他人"),
    ),
    Period(
        "decisions",
        _("办理、复核、对账案件、争议、挂失记录"),
        (
            "reconciliation_*",
            "accounts_counterdeed",
            "accounts_request*",
            "accounts_lossreport",
            "accounts_foundcard",
            "accounts_foundevent",
            "accounts_servicegrant",
            "accounts_padrequest",
            "accounts_issue*",
            "accounts_closing*",
            "accounts_rosterfile",
            "accounts_photoupload",
            "accounts_notice",
            "accounts_alertchoice",
            "accounts_alertscan",
        ),
        _("至少 10 年，不删除"),
        Fate.KEPT,
        _("账目的依据；不含姓名、证件号码和密码"),
    ),
    Period(
        "audit",
        _("审计记录与封签、工作人员会话"),
        ("accounts_auditevent", "accounts_auditseal", "accounts_staffsession", "django_admin_log"),
        _("至少 3 年，不删除"),
        Fate.KEPT,
        _("网络安全法第二十一条；逐条相连，删去一条即不能核验"),
    ),
    Period(
        "house",
        _("校区、终端、商户、参数、操作员、文章"),
        (
            "accounts_campus",
            "accounts_operator*",
            "accounts_policy*",
            "accounts_secret",
            "terminals_*",
            "portal_*",
            "selfservice_*",
            "banking_*",
            "auth_*",
            "otp_*",
            "django_content_type",
            "django_migrations",
        ),
        _("使用期间"),
        Fate.KEPT,
        _("系统运行所需；密码只存加密摘要，销户后不再可用"),
    ),
)


def period_of(table: str) -> Period | None:
    """The line that a table belongs to: by its own name, else by the first pattern that fits."""
    for exact in (True, False):
        for period in PERIODS:
            for pattern in period.tables:
                if pattern == table if exact else fnmatchcase(table, pattern):
                    return period
    return None
