"""Campuses, merchants and tills of the demo; names from the guide where it names them, invented (示范) otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.models import Campus
from terminals.models import Terminal, TerminalContact, TerminalKind
from transactions.models import Merchant, MerchantCategory

CAMPUSES = (
    ("laoshan", "崂山校区", "Laoshan"),
    ("yushan", "鱼山校区", "Yushan"),
    ("fushan", "浮山校区", "Fushan"),
)


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant, its tills, and what a sale costs there, in fen: (least, usual, most)."""

    campus: str
    name_zh: str
    name_en: str
    category: MerchantCategory
    tills: int
    price_fen: tuple[int, int, int]


SHOPS = (
    Shop("yushan", "师苑餐厅", "Shiyuan Canteen", MerchantCategory.CANTEEN, 3, (250, 1100, 2500)),
    Shop("yushan", "学苑餐厅", "Xueyuan Canteen", MerchantCategory.CANTEEN, 2, (250, 900, 2500)),
    Shop("fushan", "学子餐厅", "Xuezi Canteen", MerchantCategory.CANTEEN, 2, (250, 1000, 2500)),
    Shop("laoshan", "示范一餐厅", "Demo Canteen One", MerchantCategory.CANTEEN, 3, (250, 1100, 2500)),
    Shop("laoshan", "康惠达超市", "Kanghuida Supermarket", MerchantCategory.SHOP, 2, (100, 800, 4000)),
    Shop("laoshan", "示范浴室", "Demo Bathhouse", MerchantCategory.BATH, 1, (40, 120, 190)),
    Shop("laoshan", "示范文印店", "Demo Print Shop", MerchantCategory.PRINT, 1, (10, 60, 600)),
)
DESK_NAME = "崂山卡务中心1号柜"
DESK_NAME_EN = "Laoshan card center, desk 1"
SILENT_DAYS = {2: 3, 5: 6}
"""Which tills (by position) have not been heard of for how many days."""


def make_places(now: datetime) -> list[Terminal]:
    """Create campuses, merchants, a desk and tills; returns the tills in a fixed order."""
    tills = [
        _till(shop, number, merchant, merchant.campus, now)
        for shop, merchant in zip(SHOPS, make_merchants(now), strict=True)
        for number in range(1, shop.tills + 1)
    ]
    desk = Terminal.objects.create(
        name_zh=DESK_NAME,
        name_en=DESK_NAME_EN,
        kind=TerminalKind.DESK,
        campus=Campus.objects.get(code=CAMPUSES[0][0]),
        place="图书馆区B楼",
    )
    TerminalContact.objects.create(terminal=desk)
    for place, till in enumerate(tills):
        heard = now - timedelta(days=SILENT_DAYS.get(place, 0), seconds=20)
        TerminalContact.objects.create(terminal=till, last_contact_at=heard)
    return tills


def make_merchants(now: datetime) -> list[Merchant]:
    """Create campuses and merchants; returns one merchant for each of ``SHOPS``."""
    campuses = {
        code: Campus.objects.create(code=code, name_zh=name_zh, name_en=name_en)
        for code, name_zh, name_en in CAMPUSES
    }
    return [
        Merchant.objects.create(
            name_zh=shop.name_zh,
            name_en=shop.name_en,
            campus=campuses[shop.campus],
            category=shop.category,
            contract_from=(now - timedelta(days=400)).date(),
        )
        for shop in SHOPS
    ]


def _till(shop: Shop, number: int, merchant: Merchant, campus: Campus, now: datetime) -> Terminal:
    return Terminal.objects.create(
        name_zh=f"{shop.name_zh}{number:02d}号机",
        name_en=f"{shop.name_en}, till {number}",
        kind=TerminalKind.TILL,
        campus=campus,
        merchant=merchant,
        place=shop.name_zh,
        may_sell_offline=True,
        epoch=1,
        enrolled_at=now - timedelta(days=300),
    )


def shop_of(place: int) -> Shop:
    """The shop that the till at this position stands in."""
    for shop in SHOPS:
        if place < shop.tills:
            return shop
        place -= shop.tills
    raise IndexError(place)
