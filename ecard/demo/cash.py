"""The demo's cash: a drawer on each campus, and a shift that was closed yesterday evening 0.50 short and waits."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from accounts.actors import Actor, Channel
from accounts.models import Account, AccountLife, Campus, Operator
from accounts.services.operators import Officer, officer_of
from accounts.services.rows import By
from purse.policy import Policy
from transactions.models import Drawer
from transactions.services import cash, shifts
from transactions.services.cash import Fee
from transactions.services.shifts import Closing, Opening

CASHIER = "shouyin"
DRAWERS = (
    ("laoshan", "LS01", "崂山第二食堂充值点", "Laoshan Canteen 2 cash point"),
    ("yushan", "YS01", "鱼山师苑餐厅充值点", "Yushan Shiyuan Canteen cash point"),
    ("fushan", "FS01", "浮山学子餐厅充值点", "Fushan Xuezi Canteen cash point"),
)
FEES_FEN = (20_00, 20_00, 10_00)
SHORT_FEN = 50


def make_cash(*, now: datetime) -> None:
    """Put the drawers into service and live through one shift, once."""
    if Drawer.objects.exists():
        return
    system = By(Actor.system("demo"), now)
    for campus, code, name_zh, name_en in DRAWERS:
        place = Campus.objects.filter(code=campus).first()
        if place is not None:
            shifts.add_drawer(place.pk, code, name_zh=name_zh, name_en=name_en, by=system)
    cashier, drawer = Operator.objects.filter(username=CASHIER).first(), Drawer.objects.order_by("pk").first()
    if cashier is not None and drawer is not None:
        _short_shift(officer_of(cashier), drawer, now)


def _short_shift(cashier: Officer, drawer: Drawer, now: datetime) -> None:
    """Three replacement fees in cash, and a half yuan given back too much."""
    actor = Actor.operator(cashier.id, role=cashier.role, channel=Channel.COUNTER, place="demo")
    opening = Opening(drawer.pk, 200_00, {50_00: 2, 20_00: 2, 10_00: 4, 5_00: 4})
    shift = shifts.open_shift(opening, officer=cashier, by=By(actor, now - timedelta(hours=5)))
    payers = Account.objects.filter(life=AccountLife.OPEN, frozen_reasons=[]).order_by("-number")
    for number, (payer, fen) in enumerate(zip(payers[: len(FEES_FEN)], FEES_FEN, strict=True)):
        key = uuid.uuid5(uuid.NAMESPACE_OID, f"demo-fee-{number}")
        fee = Fee(key, payer.pk, fen, "补卡工本费", cashier.id, shift_id=shift.pk)
        cash.take_fee(fee, actor=actor, policy=Policy(), now=now - timedelta(minutes=3 - number))
    counted = _pieces(shifts.expected_fen(shift.pk) - SHORT_FEN)
    closing = Closing(counted, "找零时多找了 5 角")
    shifts.close_shift(shift.pk, closing, officer=cashier, by=By(actor, now))


def _pieces(fen: int) -> dict[int, int]:
    count = {}
    for piece_fen in shifts.DENOMINATIONS:
        count[piece_fen], fen = divmod(fen, piece_fen)
    return count
