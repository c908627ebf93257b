"""The demo's members of staff, with a one-time-code device each whose secret is no secret."""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Iterator

from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Operator, OperatorRole

PASSWORD = "campus-card-demo"
CODE_SECRET = "3132333435363738393031323334353637383930"
STAFF = (
    ("admin", "管理员", OperatorRole.ADMIN),
    ("admin2", "孙管理", OperatorRole.ADMIN),
    ("zhuguan", "周主管", OperatorRole.SUPERVISOR),
    ("zhuguan2", "钱主管", OperatorRole.SUPERVISOR),
    ("kawu", "冯卡务", OperatorRole.CLERK),
    ("shouyin", "王收银", OperatorRole.CASHIER),
    ("shenji", "沈审计", OperatorRole.AUDITOR),
)
ADMIN, SECOND_ADMIN, CLERK, CASHIER = "admin", "admin2", "kawu", "shouyin"
DOES = {
    OperatorRole.ADMIN: "终端、服务点、商户、参数、操作员；看不到钱和个人信息",
    OperatorRole.SUPERVISOR: "对账台、复核、班次接收、审计；超过 50.00 元要另一位主管同意",
    OperatorRole.CLERK: "查找、发卡、换卡、挂失、密码、名册照片、批量制卡、争议、拾卡",
    OperatorRole.CASHIER: "开班、充值、小票、交班；顾客屏从收银页打开",
    OperatorRole.AUDITOR: "什么都看得到，什么也改不了",
}
SUPERVISORS = ("zhuguan", "zhuguan2")
"""Above the bound one decides and the other agrees."""


def make_staff() -> None:
    """Create them once."""
    for username, name, role in STAFF:
        if Operator.objects.filter(username=username).exists():
            continue
        superuser = role is OperatorRole.ADMIN
        make = Operator.objects.create_superuser if superuser else Operator.objects.create_user
        looks = role is not OperatorRole.CASHIER  # the back office shows accounts; a cashier needs none of it
        operator = make(username, PASSWORD, role=role, is_staff=looks, display_name=name)
        TOTPDevice.objects.create(user=operator, name="demo", key=CODE_SECRET, confirmed=True)


def tasks() -> Iterator[tuple[str, str, OperatorRole, str]]:
    """(user, name, role, what one tries with it) in the order of the day: desk, cash, supervision, the rest."""
    order = [OperatorRole.CLERK, OperatorRole.CASHIER, OperatorRole.SUPERVISOR, OperatorRole.AUDITOR]
    for role in (*order, OperatorRole.ADMIN):
        for username, name, own in STAFF:
            if own is role:
                yield username, name, role, DOES[role]


def present_code() -> str:
    """The six digits that an authenticator would show now."""
    return f"{TOTP(unhexlify(CODE_SECRET)).token():06d}"
