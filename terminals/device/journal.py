"""The till's diary. What is not durable here has not happened: a key stands in it before a byte leaves the till.

Two chains, each entry signed and naming the one before: *steps* (how every operation key went) stay here, *records*
(offline sales, starts) are uploaded. Entries are appended, never edited; a new state is a new entry.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from purse.evidence import Side
from purse.procedures import Outcome, SlotWrite
from terminals.device import chain
from terminals.device.store import JournalBroken, Store
from terminals.messages import strictjson
from terminals.messages.records import Clocks, Record, RecordAnswer, RecordKind, Result, Sale
from terminals.messages.signing import NO_RECORD_MAC, next_boot
from terminals.messages.taker import Taker
from terminals.messages.wire import MAX_OUTCOMES, OperationKey, OutcomeReport

KEPT_MS = 30 * 86_400_000
"""Acknowledged entries stay this long: the server may be restored to an older state and ask for them again."""
KEPT_ENTRIES = 100_000
SKIPPED_KEYS = 100_000
"""More taps than a till has between two states of its disk that anybody would put back."""
FULL_UNSENT = 20_000
"""So many sales without the server are no outage any more: somebody must look before more is sold."""
FULL_FREE_MB = 16
"""Below this no offline sale begins: what was begun must still find room to end."""

_UNSENT = 'SELECT count(*) FROM record JOIN to_send USING (seq) WHERE body LIKE \'%"kind":"sale"%\''
BEGIN, WRITING, OFFLINE, END = "begin", "writing", "offline", "end"


@dataclass(frozen=True, slots=True)
class Begun:
    """An operation key whose end is not written yet, as a power cut leaves it."""

    key: OperationKey
    uid: str
    writes: tuple[SlotWrite, ...] = ()
    """Empty while certainly nothing was written to a card."""
    sale: Sale | None = None
    """The offline sale that was under way."""


class Journal:
    """The diary of one terminal. All methods raise ``JournalBroken``; when they return, the entry is on disk."""

    def __init__(self, store: Store, *, terminal: int, key: bytes, now_ms: int) -> None:
        self._store = store
        self._key = key
        self.terminal = terminal
        self._unsent = 0
        self.id, self.boot = self._open(now_ms)
        self._recollect()
        self.prune(now_ms)

    # ------------------------------------------------------------------------------------------------- keys

    def begin(self, *, uid: bytes, fen: int, what: str, at_ms: int) -> OperationKey:
        """Claim the next operation key. Durable before anything leaves the till."""
        with self._store.writing() as db:
            last = db.execute("SELECT max(key_seq) FROM step").fetchone()[0] or 0
            key = OperationKey(self.terminal, self.id, last + 1)
            body = {"what": what, "uid": uid.hex(), "fen": fen, "at_ms": at_ms}
            self._step(db, key.seq, BEGIN, body)
            db.execute("INSERT INTO open_key VALUES (?)", (key.seq,))
        return key

    def skip_keys(self) -> None:
        """Leave out many numbers: this journal is an older state of itself, and the next ones are taken."""
        with self._store.writing() as db:
            last = db.execute("SELECT max(key_seq) FROM step").fetchone()[0] or 0
            self._step(db, last + SKIPPED_KEYS, END, {"result": "skipped", "report": None})

    def writing(self, key: OperationKey, writes: Iterable[SlotWrite]) -> None:
        """Note which slots are about to be written, so that a doubt can be resolved after a power cut."""
        with self._store.writing() as db:
            self._step(db, key.seq, WRITING, {"writes": [_write_to_json(write) for write in writes]})

    def offline(self, key: OperationKey, sale: Sale, write: SlotWrite, day: date) -> None:
        """Note an offline sale before the card is touched, and count it into the day of that card."""
        with self._store.writing() as db:
            body = {"sale": sale.to_json(), "writes": [_write_to_json(write)], "day": day.isoformat()}
            self._step(db, key.seq, OFFLINE, body)
            db.execute(
                "INSERT INTO sold_offline VALUES (?, ?, ?, ?)", (key.seq, sale.uid, day.isoformat(), sale.fen)
            )

    def end(
        self,
        key: OperationKey,
        result: str,
        *,
        report: str | None,
        sale: Sale | None = None,
        clocks: Clocks | None = None,
        hotlist_version: int = 0,
    ) -> None:
        """Close a key: ``report`` is the outcome that the server must hear, ``sale`` the offline record to upload."""
        with self._store.writing() as db:
            self._step(db, key.seq, END, {"result": result, "report": report})
            db.execute("DELETE FROM open_key WHERE key_seq = ?", (key.seq,))
            if report is not None:
                db.execute("INSERT INTO to_report VALUES (?, ?)", (key.seq, report))
            if sale is not None and sale.outcome is Outcome.NOT_WRITTEN:
                db.execute("DELETE FROM sold_offline WHERE key_seq = ?", (key.seq,))
            if sale is not None and clocks is not None:
                self._record(db, RecordKind.SALE, clocks, hotlist_version, sale)
        self._unsent += sale is not None and clocks is not None

    def begun(self) -> list[Begun]:
        """The keys that have not ended."""
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT step.key_seq, step.body FROM step JOIN open_key USING (key_seq) ORDER BY step.seq"
            ).fetchall()
        found: dict[int, dict[str, Any]] = {}
        for key_seq, text in rows:
            found.setdefault(key_seq, {}).update(strictjson.loads(text.encode()))
        return [self._begun(key_seq, body) for key_seq, body in found.items()]

    # ------------------------------------------------------------------------------------- what must go up

    def unreported(self) -> tuple[OutcomeReport, ...]:
        """The oldest outcomes that the server has not confirmed to have heard."""
        with self._store.reading() as db:
            rows = db.execute("SELECT * FROM to_report ORDER BY key_seq LIMIT ?", (MAX_OUTCOMES,)).fetchall()
        return tuple(OutcomeReport(self.id, key_seq, outcome) for key_seq, outcome in rows)

    def reported(self, recorded: Iterable[tuple[str, int]]) -> None:
        """Take in which outcomes the server has heard."""
        ours = [(seq,) for journal, seq in recorded if journal == self.id]
        if ours:
            with self._store.writing() as db:
                db.executemany("DELETE FROM to_report WHERE key_seq = ?", ours)

    def unsent(self, most: int) -> list[dict[str, Any]]:
        """The oldest records that no answer came for, as they were signed."""
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT body FROM record JOIN to_send USING (seq) ORDER BY seq LIMIT ?", (most,)
            ).fetchall()
        return [strictjson.loads(text.encode()) for (text,) in rows]

    def unsent_count(self) -> int:
        """How many offline sales wait to be uploaded (starts of the till are not counted)."""
        return self._unsent

    @property
    def full(self) -> bool:
        """Whether there is no room for more offline sales."""
        return self._unsent >= FULL_UNSENT or self.free_mb() < FULL_FREE_MB

    def answered(self, answers: Iterable[RecordAnswer], at_ms: int) -> None:
        """Take in what the server said to records; each answer means that it keeps the record."""
        sales = 0
        with self._store.writing() as db:
            for answer in answers:
                if answer.seq is None:
                    continue
                values = (answer.seq, answer.result.value, answer.why, at_ms)
                db.execute(
                    "INSERT OR IGNORE INTO answer SELECT ?, ?, ?, ? FROM record WHERE seq = ?1", values
                )
                sales += db.execute(f"{_UNSENT} AND seq = ?", (answer.seq,)).fetchone()[0]
                db.execute("DELETE FROM to_send WHERE seq = ?", (answer.seq,))
        self._unsent -= sales

    def hand_in_again(self, first: int) -> int:
        """Let the records from this number on wait to be uploaded once more; returns how many that are.

        The server acknowledged them, was put back to an older state, and asks. What it refused it would refuse again.
        """
        with self._store.writing() as db:
            kept = "SELECT seq FROM answer WHERE seq >= ? AND result <> ?"
            rows = db.execute(kept, (first, Result.REFUSED.value)).fetchall()
            db.executemany("DELETE FROM answer WHERE seq = ?", rows)
            db.executemany("INSERT OR IGNORE INTO to_send VALUES (?)", rows)
            unsent = db.execute(_UNSENT).fetchone()[0] if rows else self._unsent
        self._unsent = unsent
        return len(rows)

    def note(self, kind: RecordKind, clocks: Clocks, hotlist_version: int) -> None:
        """Append a record without a sale: the till started, or the journal ends here."""
        with self._store.writing() as db:
            self._record(db, kind, clocks, hotlist_version, None)

    def reboot(self, boot: int, clocks: Clocks, hotlist_version: int) -> None:
        """Take a higher boot number, because the server knows one above ours; a record of it goes up."""
        with self._store.writing() as db:
            db.execute("UPDATE journal SET last_boot = max(last_boot, ?)", (boot,))
            self._record(db, RecordKind.BOOT, clocks, hotlist_version, None)
        self.boot = boot

    def last_record(self) -> tuple[int, str]:
        """Number and MAC of the newest record, for the heartbeat."""
        with self._store.reading() as db:
            row = db.execute("SELECT seq, body FROM record ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], chain.mac_of(row[1])) if row else (0, NO_RECORD_MAC)

    def newest_ms(self) -> int:
        """The newest time that any entry carries, 0 in an empty journal."""
        with self._store.reading() as db:
            begun = db.execute(
                "SELECT body FROM step WHERE name = ? ORDER BY seq DESC LIMIT 1", (BEGIN,)
            ).fetchone()
            record = db.execute("SELECT body FROM record ORDER BY seq DESC LIMIT 1").fetchone()
        return max([int(strictjson.loads(row[0].encode())["at_ms"]) for row in (begun, record) if row] or [0])

    def sold_offline_fen(self, uid: bytes, day: date) -> int:
        """What this till has sold to this card offline on a day, in fen; doubtful sales count."""
        with self._store.reading() as db:
            row = db.execute(
                "SELECT coalesce(sum(fen), 0) FROM sold_offline WHERE uid = ? AND day = ?",
                (uid.hex(), day.isoformat()),
            ).fetchone()
        return int(row[0])

    @property
    def failing(self) -> bool:
        """Whether the disk failed when it was asked last."""
        return self._store.failing

    def probe(self) -> None:
        """See whether the disk takes writes again."""
        self._store.probe()

    def free_mb(self) -> int:
        """Free space for more entries, in MiB."""
        return self._store.free_mb()

    # ------------------------------------------------------------------------------------------------ chain

    def _open(self, now_ms: int) -> tuple[str, int]:
        with self._store.writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO journal (one, id, terminal) VALUES (1, ?, ?)",
                (secrets.token_hex(16), self.terminal),
            )
            journal, terminal, last = db.execute("SELECT id, terminal, last_boot FROM journal").fetchone()
            if terminal != self.terminal:
                raise JournalBroken(f"this journal belongs to terminal {terminal}")
            boot = next_boot(last, now_ms)
            db.execute("UPDATE journal SET last_boot = ?", (boot,))
        return journal, boot

    def _step(self, db: sqlite3.Connection, key_seq: int, name: str, body: Mapping[str, Any]) -> None:
        seq, text = chain.signed(db, "step", {"key_seq": key_seq, "name": name, **body}, self._key)
        db.execute("INSERT INTO step VALUES (?, ?, ?, ?)", (seq, key_seq, name, text))

    def _record(
        self,
        db: sqlite3.Connection,
        kind: RecordKind,
        clocks: Clocks,
        hotlist_version: int,
        sale: Sale | None,
    ) -> None:
        seq, prev_mac = chain.tail(db, "record")
        record = Record(self.terminal, self.id, seq, kind, clocks, hotlist_version, prev_mac, sale).signed(
            self._key
        )
        db.execute("INSERT INTO record VALUES (?, ?)", (seq, strictjson.dumps(record.to_json()).decode()))
        db.execute("INSERT INTO to_send VALUES (?)", (seq,))

    def _recollect(self) -> None:
        """Check both chains from end to end, and take from them what is open, unsent and sold."""
        began, ended = set(), set()
        sold: dict[int, tuple[int, str, str, int]] = {}
        with self._store.writing() as db:
            for step in chain.steps(db, self._key):
                key_seq, name = step["key_seq"], step["name"]
                if name == BEGIN:
                    began.add(key_seq)
                elif name == OFFLINE:
                    sold[key_seq] = (key_seq, step["sale"]["uid"], str(step.get("day")), step["sale"]["fen"])
                elif name == END:
                    ended.add(key_seq)
                    if step["result"] == Outcome.NOT_WRITTEN:
                        sold.pop(key_seq, None)
            unanswered = {record["seq"] for record in chain.records(db, self._key)}
            unanswered -= {seq for (seq,) in db.execute("SELECT seq FROM answer")}
            _make(db, "open_key", [(key_seq,) for key_seq in sorted(began - ended)])
            _make(db, "to_send", [(seq,) for seq in sorted(unanswered)])
            _make(db, "sold_offline", list(sold.values()))
            self._unsent = db.execute(_UNSENT).fetchone()[0]

    def prune(self, now_ms: int) -> None:
        """Let go of what is old, acknowledged and more than anybody will ask for. Whole keys from the front only."""
        with self._store.writing() as db:
            record = db.execute(
                "SELECT min(coalesce((SELECT min(seq) - 1 FROM to_send), 1 << 60), (SELECT max(seq) FROM record) - ?,"
                " coalesce((SELECT max(seq) FROM answer WHERE at_ms < ?), 0))",
                (KEPT_ENTRIES, now_ms - KEPT_MS),
            ).fetchone()[0]
            busy = "SELECT min(key_seq) FROM (SELECT key_seq FROM open_key UNION ALL SELECT key_seq FROM to_report)"
            step = db.execute(
                f"SELECT min(coalesce((SELECT min(seq) - 1 FROM step WHERE key_seq >= ({busy})), 1 << 60),"  # noqa: S608
                " (SELECT max(seq) FROM step) - ?)",
                (KEPT_ENTRIES,),
            ).fetchone()[0]
            for table, last in (("record", record), ("step", step)):
                if last is not None and last > 0:
                    db.execute(f"UPDATE journal SET pruned_{table} = ?", (last,))  # noqa: S608 - two fixed names
                    db.execute(f"DELETE FROM {table} WHERE seq <= ?", (last,))  # noqa: S608 - two fixed names
            db.execute("DELETE FROM answer WHERE seq <= (SELECT pruned_record FROM journal)")

    def _begun(self, key_seq: int, body: Mapping[str, Any]) -> Begun:
        sale = body.get("sale")
        return Begun(
            key=OperationKey(self.terminal, self.id, key_seq),
            uid=body["uid"],
            writes=tuple(_parse_write(item) for item in body.get("writes", [])),
            sale=Sale.take(Taker(sale, "sale")) if sale else None,
        )


def _make(db: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    """Let a table beside the chains hold these rows and nothing else; one that does already is not written."""
    if sorted(db.execute(f"SELECT * FROM {table}")) == sorted(rows):  # noqa: S608 - three fixed names
        return
    db.execute(f"DELETE FROM {table}")  # noqa: S608 - three fixed names
    if rows:
        db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608 - the same


def _write_to_json(write: SlotWrite) -> dict[str, Any]:
    return {
        "side": write.side.value,
        "block": write.block,
        "image": write.image.hex(),
        "seq": write.seq,
        "before": write.before.hex(),
        "other_block": write.other_block,
        "other_before": write.other_before.hex(),
    }


def _parse_write(data: Mapping[str, Any]) -> SlotWrite:
    return SlotWrite(
        side=Side(data["side"]),
        block=data["block"],
        image=bytes.fromhex(data["image"]),
        seq=data["seq"],
        before=bytes.fromhex(data["before"]),
        other_block=data["other_block"],
        other_before=bytes.fromhex(data["other_before"]),
    )
