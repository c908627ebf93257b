"""The big campus (`--size ouc`): 30,400 more people, their cards, the tills of three campuses, and their term.

Nobody of the crowd has chosen a password: the initial one of the guide is theirs (L131). Their cards stand in the book
only; the wallet has the cards of the small campus, which is seeded first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from accounts.keys import Secrets
from accounts.models import Campus, HolderKind, ServiceKind
from accounts.sealing import Place, seal
from accounts.services.holders import index_of
from ecard.demo import term
from ecard.demo.people import Person, make_crowd
from terminals.models import Terminal, TerminalContact, TerminalKind
from transactions.days import local_day
from transactions.models import Merchant, MerchantCategory

FIRST_NO: Final = 30_001
FIRST_UID: Final = 0x05000000
TILLS_OF_CAMPUS: Final = {"laoshan": 300, "yushan": 120, "fushan": 80}
SILENT_DAYS: Final = {7: 1, 190: 3, 388: 6}
"""Which of those tills have not been heard of, for how many days."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trade:
    """What is sold where: prices from ``least_fen`` over ``span_fen``, most of them low, in steps."""

    kind: str
    category: MerchantCategory
    names: tuple[tuple[str, str], ...]
    share: float
    least_fen: int
    span_fen: int
    bend: float
    step_fen: int


TRADES: Final = (
    Trade(
        kind="canteen",
        category=MerchantCategory.CANTEEN,
        names=(("二餐厅", "Canteen Two"), ("三餐厅", "Canteen Three"), ("清真餐厅", "Halal Canteen")),
        share=0.7,
        least_fen=150,
        span_fen=2100,
        bend=1.6,
        step_fen=50,
    ),
    Trade(
        kind="shop",
        category=MerchantCategory.SHOP,
        names=(("便利店", "Store"), ("咖啡", "Coffee")),
        share=0.12,
        least_fen=100,
        span_fen=3900,
        bend=2.4,
        step_fen=10,
    ),
    Trade(
        kind="other",
        category=MerchantCategory.BATH,
        names=(("浴室", "Bathhouse"),),
        share=0.1,
        least_fen=40,
        span_fen=150,
        bend=1.0,
        step_fen=5,
    ),
    Trade(
        kind="other",
        category=MerchantCategory.PRINT,
        names=(("文印店", "Print Shop"),),
        share=0.04,
        least_fen=10,
        span_fen=590,
        bend=2.5,
        step_fen=10,
    ),
    Trade(
        kind="other",
        category=MerchantCategory.BUS,
        names=(("班车队", "Shuttle Bus"),),
        share=0.04,
        least_fen=200,
        span_fen=0,
        bend=1.0,
        step_fen=50,
    ),
)


def add_crowd(count: int, *, number: int, now: datetime, secrets: Secrets, say: Say) -> int:
    """Add ``count`` people and their term to a campus that was seeded. Returns how many entries that took."""
    chance = random.Random(f"crowd {number}")  # noqa: S311 - the demo must repeat itself
    with transaction.atomic():
        _open_shops(now)
        _write_people(make_crowd(count, first_no=FIRST_NO, chance=chance), secrets, now)
    say(f"{count} 位持卡人，{sum(TILLS_OF_CAMPUS.values())} 台消费机")
    with connection.cursor() as cursor:
        for statement in (*HASH, *_shop_table()):
            cursor.execute(statement)
    written = term.live(term.Term(FIRST_NO, FIRST_NO + count - 1, now), done=_bar(say))
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("ANALYZE transactions_entry, transactions_answer, accounts_account, accounts_card")
        cursor.execute("RESET statement_timeout")
    say(f"{written} 条流水")
    return written


HASH: Final = (
    "DROP FUNCTION IF EXISTS pg_temp.demo_chance(bigint, int)",
    """
    CREATE FUNCTION pg_temp.demo_chance(what bigint, dice int) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
        AS 'SELECT (hashint8extended(what, dice) & 2147483647) / 2147483648.0::float8'
    """,
)


def _bar(say: Say) -> term.Progress:
    """A line for every step of progress, drawn."""

    def done(accounts: int, of: int) -> None:
        share = accounts / of
        say(f"流水 [{'#' * round(share * 30):<30}] {share:4.0%}  {accounts}/{of} 个账户")

    return done


def _open_shops(now: datetime) -> None:
    for code, tills in TILLS_OF_CAMPUS.items():
        campus = Campus.objects.get(code=code)
        for trade in TRADES:
            each = max(1, round(tills * trade.share / len(trade.names)))
            for zh, en in trade.names:
                _open_shop(
                    campus, trade, (f"示范{campus.name_zh[:2]}{zh}", f"{campus.name_en} {en}"), each, now
                )


def _open_shop(campus: Campus, trade: Trade, names: tuple[str, str], tills: int, now: datetime) -> None:
    merchant = Merchant.objects.create(
        name_zh=names[0],
        name_en=names[1],
        campus=campus,
        category=trade.category,
        contract_from=(now - timedelta(days=400)).date(),
    )
    made = Terminal.objects.bulk_create(
        Terminal(
            name_zh=f"{names[0]}{till:02d}号机",
            name_en=f"{names[1]}, till {till}",
            kind=TerminalKind.TILL,
            campus=campus,
            merchant=merchant,
            place=names[0],
            may_sell_offline=True,
            epoch=1,
            enrolled_at=now - timedelta(days=300),
        )
        for till in range(1, tills + 1)
    )
    TerminalContact.objects.bulk_create(
        TerminalContact(terminal=till, last_contact_at=_heard(till.pk, now)) for till in made
    )


def _heard(till: int, now: datetime) -> datetime:
    return now - timedelta(days=SILENT_DAYS.get(till, 0), seconds=till % 50)


def _shop_table() -> Iterator[str]:
    """The tills that the crowd buys at, numbered within campus and kind of trade, with their prices."""
    names = ", ".join(
        f"('{campus}', '{zh}', '{trade.kind}', {trade.least_fen}, {trade.span_fen}, {trade.bend}, {trade.step_fen})"
        for trade in TRADES
        for zh, _ in trade.names
        for campus in TILLS_OF_CAMPUS
    )
    yield "DROP TABLE IF EXISTS demo_shop"
    yield f"""
        CREATE TEMP TABLE demo_shop AS
        SELECT trade.kind, terminal.campus_id, terminal.id AS terminal_id, terminal.merchant_id,
            terminal.name_zh AS place, least_fen, span_fen, bend, step_fen,
            (row_number() OVER w - 1)::int AS place_no
        FROM (VALUES {names}) AS trade (campus, ends, kind, least_fen, span_fen, bend, step_fen)
        JOIN accounts_campus AS campus ON campus.code = trade.campus
        JOIN terminals_terminal AS terminal ON terminal.campus_id = campus.id
            AND terminal.place = '示范' || left(campus.name_zh, 2) || trade.ends
        WINDOW w AS (PARTITION BY trade.kind, terminal.campus_id ORDER BY terminal.id)
    """  # noqa: S608 - the names above
    yield "ANALYZE demo_shop"
    yield "DROP TABLE IF EXISTS demo_trade"
    yield "CREATE TEMP TABLE demo_trade AS SELECT kind, campus_id, count(*) AS places FROM demo_shop GROUP BY 1, 2"


# ------------------------------------------------------------------------------------------------------ people


def _write_people(people: list[Person], secrets: Secrets, now: datetime) -> None:
    """Holders, and beside them, for this session only, what their accounts and cards will be."""
    campuses = {campus.code: campus.pk for campus in Campus.objects.all()}
    holders = _copy(
        "accounts_holder",
        "uid, school_no, name, kind, campus_id, unit, document_kind, id_number_sealed, id_number_index",
        (_holder(person, campuses[person.campus], secrets) for person in people),
    )
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS demo_person")
        cursor.execute(
            """
            CREATE TEMP TABLE demo_person (id int GENERATED BY DEFAULT AS IDENTITY, number bigint PRIMARY KEY,
                holder_id bigint, campus_id bigint, kind text, staff boolean, uid text, expires_on date,
                initial boolean)
            """
        )
    _copy(
        "demo_person",
        "number, holder_id, campus_id, kind, staff, uid, expires_on, initial",
        (
            (one.account_no, holder, campuses[one.campus], *_account(serial, one, local_day(now)))
            for serial, (holder, one) in enumerate(zip(holders, people, strict=True))
        ),
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE demo_person")


def _account(serial: int, person: Person, today: date) -> tuple[Any, ...]:
    named = person.service is ServiceKind.NAMED
    ends_on = today + timedelta(days=365 if named else 1300)
    staff = person.kind is HolderKind.STAFF
    return person.service.value, staff, f"{FIRST_UID + serial:08X}", ends_on, bool(person.id_number)


def _holder(person: Person, campus_id: int, secrets: Secrets) -> tuple[Any, ...]:
    number = person.id_number
    sealed = seal(number, Place("accounts_holder", "id_number", person.uid), secrets) if number else None
    return (
        *(
            person.uid,
            person.school_no,
            person.name,
            person.kind.value,
            campus_id,
            person.unit,
            person.document.value,
        ),
        *(sealed, index_of(number, secrets) if number else None),
    )


def _copy(table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> list[int]:
    """Write the rows; returns their ids in the same order."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608
        last = cursor.fetchone()[0]
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(f"SELECT id FROM {table} WHERE id > %s ORDER BY id", [last])  # noqa: S608
        return [made for (made,) in cursor.fetchall()]
