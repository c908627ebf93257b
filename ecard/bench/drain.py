"""A whole lunch without the network comes in: 45,000 records of a hundred tills through the signed API, at once."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from django.conf import settings
from django.db import connection

from accounts.wiring import now
from ecard.bench import campus
from ecard.bench.http import HttpFailed, Till
from ecard.bench.upload import new_cards
from purse.procedures import Outcome
from terminals.messages.records import MAX_RECORDS, Clocks, Record, RecordKind, Sale
from terminals.messages.signing import NO_RECORD_MAC, TerminalKeys

RECORDS: Final = 45_000
TILLS: Final = 100
CLIENTS: Final = 8
FEN: Final = 1


def row(size: campus.Size, *, port: int, records: int = RECORDS) -> dict[str, Any]:
    """The line ``upload_http``: every record posted, or the run fails. Signing at the tills is not counted."""
    tills = min(TILLS, size.tills)
    journals = [list(_requests(till, size, records // tills)) for till in range(1, tills + 1)]
    latencies_ms: list[float] = []

    def drain(till: int) -> None:
        line = Till(till, port, target="/api/terminal/v1/upload")
        for body in journals[till - 1]:
            begun = time.monotonic()
            answers = line.send(body)["answers"]
            latencies_ms.append((time.monotonic() - begun) * 1000)
            if any(answer["result"] != "posted" for answer in answers):
                raise HttpFailed(str(answers[0]))

    begun = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(drain, range(1, tills + 1)))
    seconds = time.monotonic() - begun
    latencies_ms.sort()
    return {
        "path": "upload_http",
        "clients": CLIENTS,
        "rows": size.accounts * size.entries_each,
        "records": tills * (records // tills),
        "seconds": round(seconds, 1),
        "ops_per_s": round(tills * (records // tills) / seconds, 1),
        "p50_ms": round(latencies_ms[len(latencies_ms) // 2], 1),
        "p99_ms": round(latencies_ms[int(len(latencies_ms) * 0.99)], 1),
    }


def _requests(till: int, size: campus.Size, records: int) -> Iterator[bytes]:
    """One till's queue, as the bodies of its requests. Each of its cards bought once."""
    _, master = next(iter(settings.TERMINAL_MASTER.items()))
    key, journal = TerminalKeys.derive(master, till, 1).jrnl, secrets.token_hex(16)
    each = min(size.accounts, campus.OPEN_ACCOUNTS) // min(TILLS, size.tills)
    accounts = [1 + (till - 1) * each + place % each for place in range(records)]
    if records <= each:
        new_cards(sorted(accounts))
    made: list[dict[str, Any]] = []
    prev_mac = NO_RECORD_MAC
    for number, account in enumerate(accounts, 1):
        record = _record(till, journal, number, account, prev_mac).signed(key)
        prev_mac = record.mac
        made.append(record.to_json())
    connection.close()
    for start in range(0, len(made), MAX_RECORDS):
        yield json.dumps({"records": made[start : start + MAX_RECORDS]}).encode()


def _record(till: int, journal: str, number: int, account: int, prev_mac: str) -> Record:
    at_ms = int(now().timestamp() * 1000)
    sale = Sale(
        key_seq=number,
        uid=campus.uid_of(account).hex(),
        account=campus.number_of(account),
        fen=FEN,
        card_seq_before=0,
        card_seq_after=1,
        spend_total_before=0,
        spend_total_after=FEN,
        offline_spent_after=FEN,
        load_total=0,
        outcome=Outcome.CONFIRMED,
    )
    return Record(till, journal, number, RecordKind.SALE, Clocks(at_ms, at_ms, 0, 0), 1, prev_mac, sale)
