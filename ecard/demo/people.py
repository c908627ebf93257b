"""Invented people. Identity numbers use an area code that does not exist, so nobody real can be meant."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass

from accounts.checks.idnumber import check_character
from accounts.models import DocumentKind, HolderKind, ServiceKind

AREA = "990000"
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红梅鹏飞晨曦雨欣子涵浩然思远一诺梓萱宇轩佳怡"
LONG_NAMES = ("迪丽努尔·买买提", "阿依古丽·吐尔逊", "次仁卓玛", "巴特尔·苏和")
LATIN_NAMES = ("Maria Silva", "John Okafor", "Yuki Tanaka")
UNITS = (
    "信息科学与工程学院",
    "海洋与大气学院",
    "食品科学与工程学院",
    "管理学院",
    "外国语学院",
    "数学科学学院",
)
NAMED_SHARE = 40
"""One account in so many is a named card (记名卡)."""


@dataclass(frozen=True, slots=True)
class Person:
    """One invented holder with the number of the account that is opened for him."""

    account_no: int
    uid: uuid.UUID
    school_no: str
    name: str
    kind: HolderKind
    service: ServiceKind
    campus: str
    unit: str
    document: DocumentKind
    id_number: str
    """Empty for people without a Chinese document; they have no initial password."""


def make_people(count: int, *, first_no: int, chance: random.Random) -> list[Person]:
    """Invent ``count`` people with consecutive account numbers."""
    return [make_person(first_no + number, number, chance) for number in range(count)]


def make_person(account_no: int, serial: int, chance: random.Random, name: str = "") -> Person:
    """Invent one person; the same arguments and chance give the same person."""
    foreign = not name and chance.random() < 0.02
    named = serial % NAMED_SHARE == NAMED_SHARE - 1
    kind = HolderKind.OTHER if named else HolderKind.STAFF if chance.random() < 0.12 else HolderKind.STUDENT
    if not name:
        name = chance.choice(LATIN_NAMES) if foreign else _name(chance)
    return Person(
        account_no=account_no,
        uid=uuid.UUID(int=chance.getrandbits(128), version=4),
        school_no=_school_no(kind, serial, chance),
        name=name,
        kind=kind,
        service=ServiceKind.NAMED if named else ServiceKind.FORMAL,
        campus=chance.choices(("laoshan", "yushan", "fushan"), (62, 23, 15))[0],
        unit=chance.choice(UNITS),
        document=DocumentKind.NONE if foreign else DocumentKind.RESIDENT,
        id_number="" if foreign else _id_number(serial, chance),
    )


CROWD_SHARES = (
    (HolderKind.STUDENT, 16_000),
    (HolderKind.STUDENT, 10_500),
    (HolderKind.STAFF, 3_500),
    (HolderKind.OTHER, 400),
)
"""Undergraduates, postgraduates, staff, and people with a named card, of 30,400."""


def make_crowd(count: int, *, first_no: int, chance: random.Random) -> list[Person]:
    """Invent ``count`` people beside those of ``make_people``: no school or identity number comes twice."""
    kinds = [place for place, (_, share) in enumerate(CROWD_SHARES) for _ in range(share)]
    chance.shuffle(kinds)
    return [_one_of_many(first_no + n, n, kinds[n % len(kinds)], chance) for n in range(count)]


def _one_of_many(account_no: int, serial: int, kind_no: int, chance: random.Random) -> Person:
    kind = CROWD_SHARES[kind_no][0]
    foreign = chance.random() < 0.02
    school_no = (
        f"{30000000 + serial}"
        if kind == HolderKind.STAFF
        else f"{2022 + serial % 5}{kind_no + 1}{100_000 + serial:06d}"
    )
    return Person(
        account_no=account_no,
        uid=uuid.UUID(int=chance.getrandbits(128), version=4),
        school_no=school_no,
        name=chance.choice(LATIN_NAMES) if foreign else _name(chance),
        kind=kind,
        service=ServiceKind.NAMED if kind == HolderKind.OTHER else ServiceKind.FORMAL,
        campus=chance.choices(("laoshan", "yushan", "fushan"), (62, 23, 15))[0],
        unit=chance.choice(UNITS),
        document=DocumentKind.NONE if foreign else DocumentKind.RESIDENT,
        id_number="" if foreign else _crowd_id_number(serial),
    )


def _crowd_id_number(serial: int) -> str:
    """The 500 highest sequence numbers of each birthday; ``_id_number`` of the small campus uses lower ones."""
    day = serial // 499 * 97 % (18 * 336)
    birthday = f"{1990 + day // 336}{day % 336 // 28 + 1:02d}{day % 28 + 1:02d}"
    head = f"{AREA}{birthday}{500 + serial % 499}"
    return head + check_character(head)


def _name(chance: random.Random) -> str:
    if chance.random() < 0.03:
        return chance.choice(LONG_NAMES)
    given = "".join(chance.choice(GIVEN) for _ in range(1 if chance.random() < 0.4 else 2))
    return chance.choice(SURNAMES) + given


def _school_no(kind: HolderKind, serial: int, chance: random.Random) -> str:
    if kind == HolderKind.STAFF:
        return f"{20000000 + serial}"
    return f"{chance.randrange(2022, 2027)}{1 if kind == HolderKind.STUDENT else 9}{serial:06d}"


def _id_number(serial: int, chance: random.Random) -> str:
    birthday = f"{chance.randrange(1970, 2008)}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}"
    head = f"{AREA}{birthday}{serial % 999 + 1:03d}"
    return head + check_character(head)
