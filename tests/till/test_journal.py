"""What stands in the journal survives power cuts, and nothing in it can be changed without being noticed."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from purse.evidence import Side
from purse.procedures import Outcome, SlotWrite
from terminals.device import chain
from terminals.device.journal import KEPT_MS, Journal
from terminals.device.store import JournalBroken, Store
from terminals.messages.records import Clocks, Record, RecordAnswer, RecordKind, Result, Sale
from terminals.messages.signing import NO_RECORD_MAC
from terminals.messages.wire import OutcomeReport
from tests import faults

KEY = bytes(32)
UID = bytes.fromhex("04a1b2c3")
CLOCKS = Clocks(1_000, 1_000, 5, 0)
DAY = date(2026, 11, 23)


def opened(path: Path, *, key: bytes = KEY, now_ms: int = 1_000) -> tuple[Store, Journal]:
    store = Store(path)
    try:
        return store, Journal(store, terminal=7, key=key, now_ms=now_ms)
    except BaseException:
        store.close()
        raise


def sale(key_seq: int, outcome: Outcome = Outcome.CONFIRMED) -> Sale:
    return Sale(key_seq, UID.hex(), 10086, 5_50, 1, 2, 0, 5_50, 5_50, 28_40, outcome)


def write() -> SlotWrite:
    return SlotWrite(Side.SPEND, 9, bytes(range(16)), 2, bytes(16), 8, bytes(16))


def sell_offline(journal: Journal) -> None:
    key = journal.begin(uid=UID, fen=5_50, what="sale", at_ms=1_000)
    journal.offline(key, sale(key.seq), write(), DAY)
    journal.end(key, "written", report=None, sale=sale(key.seq), clocks=CLOCKS)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "till.journal"


def test_keys_count_up_and_go_on_after_a_restart(path):
    store, journal = opened(path)
    first = journal.begin(uid=UID, fen=1, what="sale", at_ms=1)
    second = journal.begin(uid=UID, fen=1, what="sale", at_ms=1)
    store.close()

    store, again = opened(path)
    third = again.begin(uid=UID, fen=1, what="sale", at_ms=1)
    store.close()

    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert len({first.journal, second.journal, third.journal}) == 1
    assert len(bytes.fromhex(first.journal)) == 16
    assert again.boot > journal.boot


def test_a_cut_off_key_tells_what_was_under_way(path):
    store, journal = opened(path)
    only_begun = journal.begin(uid=UID, fen=1, what="sale", at_ms=1)
    being_written = journal.begin(uid=UID, fen=5_50, what="sale", at_ms=1)
    journal.writing(being_written, [write()])
    offline = journal.begin(uid=UID, fen=5_50, what="sale", at_ms=1)
    journal.offline(offline, sale(offline.seq), write(), DAY)
    done = journal.begin(uid=UID, fen=1, what="sale", at_ms=1)
    journal.end(done, "written", report="written")
    store.close()

    store, journal = opened(path)
    begun = {item.key.seq: item for item in journal.begun()}
    store.close()

    assert sorted(begun) == [only_begun.seq, being_written.seq, offline.seq]
    assert begun[only_begun.seq].writes == ()
    assert begun[being_written.seq].writes == (write(),)
    assert begun[offline.seq].sale == sale(offline.seq)


def test_outcomes_and_records_wait_until_the_server_has_them(path):
    store, journal = opened(path)
    key = journal.begin(uid=UID, fen=1, what="sale", at_ms=1)
    journal.end(key, "written", report="written")
    sell_offline(journal)

    assert journal.unreported() == (OutcomeReport(journal.id, key.seq, "written"),)
    assert journal.unsent_count() == 1
    assert journal.sold_offline_fen(UID, DAY) == 5_50
    journal.reported([("00" * 16, key.seq)])
    assert len(journal.unreported()) == 1
    journal.reported([(journal.id, key.seq)])
    journal.answered([RecordAnswer(1, Result.POSTED)], 1_000)

    assert journal.unreported() == ()
    assert journal.unsent(200) == []
    store.close()


def test_a_sale_that_was_certainly_not_written_does_not_count_for_the_day(path):
    store, journal = opened(path)
    key = journal.begin(uid=UID, fen=5_50, what="sale", at_ms=1)
    journal.offline(key, sale(key.seq), write(), DAY)
    assert journal.sold_offline_fen(UID, DAY) == 5_50

    ended = sale(key.seq, Outcome.NOT_WRITTEN)
    journal.end(key, "not_written", report=None, sale=ended, clocks=CLOCKS)

    assert journal.sold_offline_fen(UID, DAY) == 0
    store.close()


def test_records_form_a_gapless_chain_of_signed_records(path):
    store, journal = opened(path)
    journal.note(RecordKind.BOOT, CLOCKS, 3)
    for _ in range(3):
        sell_offline(journal)

    records = [Record.parse(item) for item in journal.unsent(200)]

    assert [record.seq for record in records] == [1, 2, 3, 4]
    assert [record.prev_mac for record in records[1:]] == [record.mac for record in records[:-1]]
    assert all(record.signed(KEY).mac == record.mac for record in records)
    assert journal.last_record() == (4, records[-1].mac)
    store.close()


@pytest.mark.parametrize("table", ["step", "record"])
def test_entries_can_neither_be_edited_nor_deleted(path, table):
    store, journal = opened(path)
    sell_offline(journal)

    for statement in (f"UPDATE {table} SET body = '{{}}'", f"DELETE FROM {table}"):
        with pytest.raises(JournalBroken), store.writing() as db:
            db.execute(statement)
    store.close()


@pytest.mark.parametrize("table", ["step", "record"])
def test_every_changed_byte_is_noticed(path, table):
    """B11: any changed byte of a journal of fifty records is rejected."""
    store, journal = opened(path)
    for _ in range(50 if table == "record" else 17):
        sell_offline(journal)
    with store.reading() as db:
        columns = "seq, body, key_seq, name" if table == "step" else "seq, body"
        rows = db.execute(f"SELECT {columns} FROM {table} ORDER BY seq").fetchall()
    store.close()
    entries = [
        chain.Entry(row[0], row[1], dict(zip(("key_seq", "name"), row[2:], strict=False))) for row in rows
    ]
    rng, cases, missed = random.Random(1), 0, 0

    for place, entry in enumerate(entries):
        start = max(0, place - 1)
        before, after = entries[start:place], entries[place + 1 : place + 2]
        for at, char in enumerate(entry.text):
            changed = entry.text[:at] + chr(ord(char) ^ (1 << rng.randrange(7))) + entry.text[at + 1 :]
            cases += 1
            missed += whole([*before, replace(entry, text=changed), *after], first=start + 1)

    assert whole(entries, first=1)
    faults.report("JOURNAL-BYTE", cases, missed)
    assert missed == 0


def whole(entries, *, first) -> bool:
    """Whether a piece of a chain is as it was written."""
    prev_mac = NO_RECORD_MAC if first == 1 else None
    try:
        return bool(list(chain.follow(entries, KEY, name="entry", first=first, prev_mac=prev_mac)))
    except JournalBroken:
        return False


def test_what_stands_beside_the_chains_is_made_anew_from_them(path):
    """A flipped bit in a list of what is open or unsent must not make a sale disappear."""
    store, journal = opened(path)
    for _ in range(3):
        sell_offline(journal)
    key = journal.begin(uid=UID, fen=1_00, what="sale", at_ms=1_000)
    journal.offline(key, sale(key.seq), write(), DAY)
    journal.answered([RecordAnswer(1, Result.POSTED)], 1_000)
    with store.writing() as db:
        for table in ("to_send", "open_key", "sold_offline"):
            db.execute(f"DELETE FROM {table}")
        db.execute("INSERT INTO open_key VALUES (1)")
    store.close()

    store, journal = opened(path)

    assert [item["seq"] for item in journal.unsent(200)] == [2, 3]
    assert journal.unsent_count() == 2
    assert [begun.key.seq for begun in journal.begun()] == [key.seq]
    assert journal.sold_offline_fen(UID, DAY) == 4 * 5_50
    store.close()


@pytest.mark.parametrize("table", ["step", "record"])
def test_an_entry_taken_out_of_the_middle_is_noticed(path, table):
    store, journal = opened(path)
    for _ in range(3):
        sell_offline(journal)
    with store.writing() as db:
        db.execute(f"DROP TRIGGER {table}_is_kept")
        db.execute("DELETE FROM to_send")
        db.execute(f"DELETE FROM {table} WHERE seq = 2")

    with pytest.raises(JournalBroken):
        Journal(store, terminal=7, key=KEY, now_ms=1_000)
    store.close()


@pytest.mark.parametrize("table", ["step", "record"])
def test_a_genuine_entry_of_a_copy_is_noticed(path, tmp_path, table):
    """Two lives of one journal: each entry is signed, but an entry of the one does not follow in the other."""
    store, journal = opened(path)
    sell_offline(journal)
    store.close()
    shutil.copy(path, tmp_path / "copy")
    for place, fen in ((path, 1_00), (tmp_path / "copy", 2_00)):
        store, journal = opened(place)
        for _ in range(2):
            key = journal.begin(uid=UID, fen=fen, what="sale", at_ms=1_000)
            sold = replace(sale(key.seq), fen=fen)
            journal.end(key, "written", report=None, sale=sold, clocks=CLOCKS)
        with store.reading() as db:
            bodies = db.execute(f"SELECT seq, body FROM {table} ORDER BY seq").fetchall()
        store.close()
    seq, body = bodies[-2]
    store = Store(path)
    with store.writing() as db:
        db.execute(f"DROP TRIGGER {table}_is_never_edited")
        db.execute(f"UPDATE {table} SET body = ? WHERE seq = ?", (body, seq))

    with pytest.raises(JournalBroken, match="follow"):
        Journal(store, terminal=7, key=KEY, now_ms=1_000)
    store.close()


def test_a_journal_of_another_terminal_or_key_is_refused(path):
    store, journal = opened(path)
    sell_offline(journal)
    store.close()

    with pytest.raises(JournalBroken, match="changed"):
        opened(path, key=bytes(31) + b"\1")
    store = Store(path)
    with pytest.raises(JournalBroken, match="terminal 7"):
        Journal(store, terminal=8, key=KEY, now_ms=1_000)
    store.close()


def test_the_file_cannot_be_opened_twice(path):
    store, _ = opened(path)

    with pytest.raises(JournalBroken):
        Store(path)
    store.close()


def test_a_damaged_file_is_refused(path):
    store, journal = opened(path)
    for _ in range(40):
        sell_offline(journal)
    store.close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = random.Random(1).randbytes(4096)
    path.write_bytes(content)

    with pytest.raises(JournalBroken):
        opened(path)


def test_the_store_is_as_durable_as_promised(path):
    """reliability.md, section 0 item 7: WAL needs synchronous=FULL."""
    store, _ = opened(path)

    with store.reading() as db:
        found = [
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "locking_mode", "foreign_keys")
        ]
    store.close()

    assert found == ["wal", 2, "exclusive", 1]


@pytest.mark.parametrize("age_ms", [KEPT_MS, KEPT_MS + 1], ids=["30 days", "a little more"])
def test_answered_records_are_kept_for_thirty_days(path, monkeypatch, age_ms):
    monkeypatch.setattr("terminals.device.journal.KEPT_ENTRIES", 1)
    store, journal = opened(path)
    for _ in range(3):
        sell_offline(journal)
    journal.answered([RecordAnswer(1, Result.POSTED), RecordAnswer(2, Result.POSTED)], 1_000)
    store.close()

    store, journal = opened(path, now_ms=1_000 + age_ms)
    with store.reading() as db:
        kept = [seq for (seq,) in db.execute("SELECT seq FROM record ORDER BY seq")]
    store.close()
    store, journal = opened(path, now_ms=1_000 + age_ms)

    assert kept == ([1, 2, 3] if age_ms == KEPT_MS else [3])
    assert [item["seq"] for item in journal.unsent(200)] == [3]
    store.close()


def test_a_full_disk_stops_the_till_before_it_touches_a_card(bench, monkeypatch):
    """B13: stop selling before touching a card."""
    bench.issue("10086", 28_40)
    with bench.parts.store.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
    broken = None

    for _ in range(200):
        bench.skip(11)
        broken = bench.sell("10086", 1)
        if bench.face.led == "E 14  ":
            break

    assert bench.shown[:2] == ("E 14  ", "停止脱机消费")
    assert bench.sounds == ["ALARM"]
    assert broken.refusal is None
    with bench.parts.store.reading() as db:
        db.execute("PRAGMA max_page_count = 1000000")
    bench.skip(11)
    assert bench.sell("10086", 2).ending.value == "paid"
    bench.report()
    assert bench.account("10086").book_fen == bench.card_fen("10086")


def test_a_broken_journal_at_the_start_sells_nothing(bench):
    bench.issue("10086", 28_40)
    bench.cut_power()
    journal = next(bench.folder.glob("*.journal"))
    journal.write_bytes(b"not a database at all" * 500)
    for rest in bench.folder.glob("*.journal-*"):
        rest.unlink()
    bench.start()

    tapped = bench.sell("10086", 5_50)

    assert bench.shown[:2] == ("E 14  ", "停止脱机消费")
    assert (tapped.key, bench.card_fen("10086")) == (None, 28_40)


def test_a_copy_of_the_journal_is_readable(path, tmp_path):
    store, journal = opened(path)
    sell_offline(journal)
    store.close()
    shutil.copy(path, tmp_path / "copy")

    store, again = opened(tmp_path / "copy")

    assert again.last_record() == journal_tail(again)
    store.close()


def journal_tail(journal: Journal) -> tuple[int, str]:
    last = journal.unsent(200)[-1]
    return last["seq"], last["mac"]


def test_what_the_server_has_lost_is_handed_in_again_but_not_what_it_refused(path):
    """C4: a server that was put back to an older state asks from a number on."""
    store, journal = opened(path)
    for _ in range(4):
        sell_offline(journal)
    results = [Result.POSTED, Result.POSTED, Result.REFUSED, Result.DUPLICATE]
    journal.answered([RecordAnswer(seq, result) for seq, result in enumerate(results, 1)], 1_000)

    assert (journal.hand_in_again(2), journal.hand_in_again(2)) == (2, 0)
    assert ([record["seq"] for record in journal.unsent(200)], journal.unsent_count()) == ([2, 4], 2)
    journal.answered([RecordAnswer(2, Result.DUPLICATE), RecordAnswer(4, Result.POSTED)], 2_000)
    store.close()

    store, journal = opened(path)
    assert (journal.unsent(200), journal.unsent_count()) == ([], 0)
    store.close()
