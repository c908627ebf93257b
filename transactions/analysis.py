"""What a holder spent in a month, seen from four sides (use case H24). Reads only.

Months are those of the statement (ledger days), so that both add up to the same; the hour is the one at the till.
Counted is what went to merchants, less what came back from them; top-ups, fees and transfers are no spending (A25).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Generic, TypeVar

from django.db import connection

from transactions.days import SHANGHAI
from transactions.models import SEQ_BITS, Merchant, MerchantCategory

Name = TypeVar("Name")
TOO_FEW = 5
"""With fewer purchases a drawing says nothing (screens.md 6.2)."""
TOP = 8
MEALS = ((5, 10), (10, 15), (15, 21))
"""From which hour to which hour a canteen sells breakfast, lunch and supper; what is left is the rest of the day."""
_CELLS = """
    SELECT day >= %(month)s AS this_month, contra_ref,
        extract(isodow FROM occurred_at AT TIME ZONE 'Asia/Shanghai')::int AS weekday,
        extract(hour FROM occurred_at AT TIME ZONE 'Asia/Shanghai')::int AS hour,
        -sum(book_change_fen)::bigint AS fen,
        (count(*) FILTER (WHERE kind IN ('purchase', 'offline_sale')))::int AS purchases
    FROM transactions_entry
    WHERE id > %(first)s AND id < %(last)s AND posted_at >= %(since)s AND posted_at < %(until)s AND contra = 'merchant'
    GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Share:
    """One part of the month's spending. ``fen`` may be negative where more came back than was spent."""

    fen: int
    purchases: int


@dataclass(frozen=True, slots=True)
class Spending:
    """A month's spending, in fen. ``by_hour`` maps (ISO weekday 1–7, hour 0–23); ``by_meal`` the position in MEALS, or
    None for what a canteen sold at another time.
    """

    month: date
    fen: int
    purchases: int
    before_fen: int
    """The month before, whole."""
    by_category: dict[MerchantCategory, Share]
    by_meal: dict[int | None, Share]
    by_hour: dict[tuple[int, int], Share]
    merchants: tuple[tuple[Merchant, Share], ...]
    """Where most was spent, with their campuses."""

    @property
    def too_few(self) -> bool:
        """Whether it is too little to draw."""
        return self.purchases < TOO_FEW


@dataclass(frozen=True, slots=True)
class _Cell:
    merchant_id: int
    weekday: int
    hour: int
    fen: int
    purchases: int


class _Sums(Generic[Name]):
    """Fen and purchases, added up by some name."""

    def __init__(self) -> None:
        self._fen: Counter[Name] = Counter()
        self._purchases: Counter[Name] = Counter()

    def add(self, name: Name, cell: _Cell) -> None:
        self._fen[name] += cell.fen
        self._purchases[name] += cell.purchases

    def shares(self) -> dict[Name, Share]:
        """The dearest first."""
        return {name: Share(fen, self._purchases[name]) for name, fen in self._fen.most_common()}


def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def month_before(month: date) -> date:
    """The first day of the month before."""
    return date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)


def month_after(month: date) -> date:
    """The first day of the month after."""
    return date(month.year + (month.month == 12), month.month % 12 + 1, 1)


def spending(account_id: int, month: date) -> Spending:
    """One month of one account, and the sum of the month before. Two statements, whatever the account's age."""
    before_fen, cells = _read(account_id, month)
    merchants = Merchant.objects.select_related("campus").in_bulk({cell.merchant_id for cell in cells})
    categories, meals = _Sums[MerchantCategory](), _Sums[int | None]()
    hours, places = _Sums[tuple[int, int]](), _Sums[int]()
    for cell in cells:
        category = MerchantCategory(merchants[cell.merchant_id].category)
        categories.add(category, cell)
        hours.add((cell.weekday, cell.hour), cell)
        places.add(cell.merchant_id, cell)
        if category is MerchantCategory.CANTEEN:
            meals.add(_meal(cell.hour), cell)
    return Spending(
        month=month,
        fen=sum(cell.fen for cell in cells),
        purchases=sum(cell.purchases for cell in cells),
        before_fen=before_fen,
        by_category=categories.shares(),
        by_meal=meals.shares(),
        by_hour=hours.shares(),
        merchants=tuple((merchants[name], share) for name, share in list(places.shares().items())[:TOP]),
    )


def _read(account_id: int, month: date) -> tuple[int, list[_Cell]]:
    """The sum of the month before, and the cells of this one."""
    values: dict[str, int | date | datetime] = {
        "first": account_id << SEQ_BITS,
        "last": account_id + 1 << SEQ_BITS,
        "month": month,
        "since": datetime.combine(month_before(month), time(), SHANGHAI),
        "until": datetime.combine(month_after(month), time(), SHANGHAI),
    }
    with connection.cursor() as cursor:
        cursor.execute(_CELLS, values)
        rows = cursor.fetchall()
    return sum(row[4] for row in rows if not row[0]), [_Cell(*row[1:]) for row in rows if row[0]]


def _meal(hour: int) -> int | None:
    return next((place for place, (start, end) in enumerate(MEALS) if start <= hour < end), None)
