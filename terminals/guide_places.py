"""The places that the guide names, word for word (L21-27, L37, L69-75, L121-127).

Three centers, seven load kiosks, nine query kiosks, and a cash point in the canteens of each campus. The hours are
the usual ones; the staff changes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from typing import Final

from terminals.hours import Week
from terminals.models import PlaceKind

CAMPUSES: Final = (
    ("laoshan", "崂山校区", "Laoshan campus"),
    ("yushan", "鱼山校区", "Yushan campus"),
    ("fushan", "浮山校区", "Fushan campus"),
)
OFFICE_HOURS: Final = Week(dict.fromkeys(range(1, 6), ((time(8), time(11, 30)), (time(13, 30), time(17)))))
MEALS: Final = Week(dict.fromkeys(range(1, 8), ((time(10, 30), time(13)), (time(16, 30), time(18, 30)))))
ALWAYS: Final = Week()

Names = tuple[str, str]
_SHOP: Final = ("康惠达超市", "Kanghuida Supermarket")
_PORCH: Final = ("康惠达超市门廊", "Kanghuida Supermarket, porch")
_TEACHING: Final = ("教学楼", "Teaching Building")
_HALL: Final = ("网络中心用户接待大厅", "Network Center reception hall")
_SHIYUAN: Final = ("师苑餐厅", "Shiyuan Canteen")
_XUEYUAN: Final = ("学苑餐厅入口", "Xueyuan Canteen, entrance")
_XUEZI: Final = ("学子餐厅", "Xuezi Canteen")
_XINYUAN: Final = ("新苑餐厅", "Xinyuan Canteen")
_OFFICE: Final = ("网络中心办公室", "Network Center office")
_TILL: Final = ("食堂充值点", "Canteen top-up point")

PLACES: Final[dict[PlaceKind, dict[str, tuple[Names, ...]]]] = {
    PlaceKind.CENTER: {
        "laoshan": (
            ("图书馆区B楼 网络中心用户接待大厅", "Library Building B, Network Center reception hall"),
        ),
        "yushan": (("逸夫馆网络中心办公室", "Yifu Hall, Network Center office"),),
        "fushan": (("图书馆四楼网络中心办公室", "Library, 4th floor, Network Center office"),),
    },
    PlaceKind.LOAD_KIOSK: {
        "laoshan": (_SHOP, _TEACHING, _HALL),
        "yushan": (_SHIYUAN, _XUEYUAN),
        "fushan": (_XUEZI, _XINYUAN),
    },
    PlaceKind.QUERY_KIOSK: {
        "laoshan": (_PORCH, _TEACHING, _HALL),
        "yushan": (_SHIYUAN, _XUEYUAN, _OFFICE),
        "fushan": (_XUEZI, _XINYUAN, _OFFICE),
    },
    PlaceKind.CASH_POINT: {"laoshan": (_TILL,), "yushan": (_TILL,), "fushan": (_TILL,)},
}
_HOURS: Final = {PlaceKind.CENTER: OFFICE_HOURS, PlaceKind.CASH_POINT: MEALS}


@dataclass(frozen=True, slots=True)
class Seed:
    """A place as it is before anybody changed it."""

    code: str
    kind: PlaceKind
    campus: str
    position: int
    name_zh: str
    name_en: str
    week: Week


def seeds() -> Iterator[Seed]:
    """Every place of the guide."""
    for kind, campuses in PLACES.items():
        for campus, names in campuses.items():
            for position, (name_zh, name_en) in enumerate(names, start=1):
                code = f"{campus}-{kind.value.replace('_', '-')}-{position}"
                yield Seed(code, kind, campus, position, name_zh, name_en, _HOURS.get(kind, ALWAYS))
