"""The demo's cash: a drawer on each campus, and yesterday's shift, closed 0.50 short, which waits for a supervisor.

Top-ups are written at the desk's reader, slip and display and all, so the receipts that they leave are real ones.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Final

from django.db.models import Max

from accounts.actors import Actor, Channel
from accounts.models import LIVE_CARD, Account, AccountLife, Campus
from accounts.services.operators import Officer
from accounts.services.rows import By
from ecard.demo.drift import DRIFTERS
from ecard.demo.inside import Past, PastDesk
from purse.policy import Policy
from terminals.services import topups
from transactions.days import SHANGHAI, local_day
from transactions.models import Drawer
from transactions.services import cash, shifts, slips
from transactions.services.cash import Fee
from transactions.services.shifts import Closing, Opening
from transactions.services.slips import NewSlip

DRAWERS: Final = (
    ("laoshan", "LS01", "崂山第二食堂充值点", "Laoshan Canteen 2 cash point"),
    ("yushan", "YS01", "鱼山师苑餐厅充值点", "Yushan Shiyuan Canteen cash point"),
    ("fushan", "FS01", "浮山学子餐厅充值点", "Fushan Xuezi Canteen cash point"),
)
TOP_UPS_FEN: Final = (50_00, 100_00, 30_00)
FEES_FEN: Final = (20_00, 20_00, 10_00)
SHORT_FEN: Final = 50
OPENED: Final = time(10, 30)
LASTED: Final = timedelta(hours=3)


def make_drawers(now: datetime) -> None:
    """Put the drawers into service, once."""
    if Drawer.objects.exists():
        return
    system = By(Actor.system("demo"), now)
    for campus, code, name_zh, name_en in DRAWERS:
        place = Campus.objects.filter(code=campus).first()
        if place is not None:
            shifts.add_drawer(place.pk, code, name_zh=name_zh, name_en=name_en, by=system)


def live_a_shift(cashier: Officer, desk: PastDesk, past: Past, now: datetime) -> None:
    """Yesterday at noon: three top-ups, three replacement fees in cash, and a half yuan given back too much."""
    opened_at = datetime.combine(local_day(now) - timedelta(days=1), OPENED, SHANGHAI)
    past.go_to(opened_at)
    drawer = Drawer.objects.get(code=DRAWERS[0][1])
    opening = Opening(drawer.pk, 200_00, {50_00: 2, 20_00: 2, 10_00: 4, 5_00: 4})
    shift = shifts.open_shift(opening, officer=cashier, by=_by(cashier, past))
    payers = _payers(opened_at)
    for number, fen in enumerate(TOP_UPS_FEN):
        past.go_to(opened_at + timedelta(minutes=20 + 25 * number))
        _top_up(next(payers), NewSlip(_key(f"top-up-{number}"), 0, fen), cashier, desk, past)
    for number, fen in enumerate(FEES_FEN):
        past.go_to(opened_at + timedelta(minutes=110 + 15 * number))
        fee = Fee(_key(f"fee-{number}"), next(payers).pk, fen, "补卡工本费", cashier.id, shift_id=shift.pk)
        cash.take_fee(fee, actor=_by(cashier, past).actor, policy=Policy(), now=past.moment)
    past.go_to(opened_at + LASTED)
    counted = _pieces(shifts.expected_fen(shift.pk) - SHORT_FEN)
    closing = Closing(counted, "找零时多找了 5 角")
    shifts.close_shift(shift.pk, closing, officer=cashier, by=_by(cashier, past))


def _payers(before: datetime) -> Iterator[Account]:
    """People of the crowd whose newest movement is older than the shift, so that their statements stay in order."""
    calm = Account.objects.filter(
        life=AccountLife.OPEN,
        frozen_reasons=[],
        unclaimed_fen=0,
        cards__life__in=LIVE_CARD,
        cards__lost=False,
    ).exclude(number__in=DRIFTERS)
    dated = calm.annotate(last_at=Max("entries__posted_at")).filter(last_at__lt=before)
    return iter(dated.order_by("-number")[: len(TOP_UPS_FEN) + len(FEES_FEN)])


def _top_up(payer: Account, slip: NewSlip, cashier: Officer, desk: PastDesk, past: Past) -> None:
    """Key the amount, let the display show it, confirm the cash, write the card."""
    new = NewSlip(slip.key, payer.pk, slip.fen)
    made = slips.announce(new, officer=cashier, policy=Policy(), now=past.moment)
    slips.show(made.shift_id, now=past.moment)
    job = topups.confirm(
        made.pk,
        desk_id=desk.id,
        read_here=False,
        officer=cashier,
        actor=_by(cashier, past).actor,
        now=past.moment,
    )
    desk.do(job.pk, str(payer.number))


def _by(cashier: Officer, past: Past) -> By:
    actor = Actor.operator(cashier.id, role=cashier.role, channel=Channel.COUNTER, place="demo")
    return By(actor, past.moment)


def _pieces(fen: int) -> dict[int, int]:
    count = {}
    for piece_fen in shifts.DENOMINATIONS:
        count[piece_fen], fen = divmod(fen, piece_fen)
    return count


def _key(name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"demo-{name}")
