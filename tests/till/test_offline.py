"""Selling without the network, and what a till does about lists, clocks, power cuts and its own secrets."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

from purse.rules import Refusal
from terminals.device.hotlist import Hotlist
from terminals.device.reader.tearing import Tear
from terminals.device.tapped import Ending
from terminals.messages.upkeep import HotlistAnswer
from tests.till.bench import ended


def listed(version, *entries, whole=False, more=False, seen=()):
    return HotlistAnswer(version, whole, more, tuple(entries), tuple(seen), 0)


# ------------------------------------------------------------------------------------------------------ rules


@pytest.mark.parametrize(
    ("fen", "ending"),
    [(20_00, (Ending.PAID_OFFLINE, None)), (20_01, (Ending.REFUSED, Refusal.OFFLINE_CAP))],
)
def test_the_cap_of_one_offline_sale(bench, fen, ending):
    bench.issue("10086", 100_00)
    bench.network(up=False)

    assert ended(bench.sell("10086", fen)) == ending


@pytest.mark.parametrize(
    ("last_fen", "ending"),
    [(10_00, (Ending.PAID_OFFLINE, None)), (10_01, (Ending.REFUSED, Refusal.OFFLINE_PASSWORD))],
    ids=["50.00 on this day", "one fen more"],
)
def test_the_holders_daily_limit_is_kept_on_the_card(bench, last_fen, ending):
    bench.issue("10086", 100_00)
    bench.network(up=False)
    for fen in (20_00, 19_99, 1):
        assert bench.sell("10086", fen).ending is Ending.PAID_OFFLINE

    assert ended(bench.sell("10086", last_fen)) == ending


def test_five_offline_sales_in_a_row_are_enough(bench):
    bench.issue("10086", 100_00)
    bench.network(up=False)
    for fen in range(1, 6):
        assert bench.sell("10086", fen).ending is Ending.PAID_OFFLINE

    refused = bench.sell("10086", 6)
    bench.network(up=True)
    online = bench.sell("10086", 7)
    bench.network(up=False)

    assert ended(refused) == (Ending.REFUSED, Refusal.OFFLINE_CAP)
    assert online.ending is Ending.PAID
    assert bench.sell("10086", 8).ending is Ending.PAID_OFFLINE


def test_one_till_sells_one_card_fifty_yuan_a_day_whatever_the_card_allows(bench):
    """M4: <= 50.00 per card per POS per day; a visit to the server in between does not begin the day anew."""
    bench.issue("10086", 200_00, limit_fen=600_00)
    bench.network(up=False)
    for fen in (20_00, 19_99, 10_01):
        assert bench.sell("10086", fen).ending is Ending.PAID_OFFLINE
    over = ended(bench.sell("10086", 2))
    bench.network(up=True)
    bench.skip(11)
    assert bench.sell("10086", 3).ending is Ending.PAID
    bench.network(up=False)

    assert over == ended(bench.sell("10086", 4)) == (Ending.REFUSED, Refusal.OFFLINE_CAP)


def test_the_till_counts_a_card_of_its_own_even_when_the_card_forgets(bench):
    """A dump put back does not fill the purse again at this till, nor reset what it has sold to that card today."""
    bench.issue("10086", 100_00)
    dump = bench.reader.folder / "10086.json"
    shutil.copy(dump, bench.folder / "dump")
    bench.network(up=False)
    assert bench.sell("10086", 5_00).ending is Ending.PAID_OFFLINE

    shutil.copy(bench.folder / "dump", dump)

    assert ended(bench.sell("10086", 6_00)) == (Ending.REFUSED, Refusal.CARD_SUSPECT)


def test_a_listed_card_is_refused_for_the_reason_on_the_list(bench):
    card = bench.issue("10086", 28_40)
    bench.university.hot.append((card.uid.hex(), Refusal.CARD_LOST))
    bench.skip(61)
    bench.parts.background.greet()
    bench.network(up=False)

    refused = bench.sell("10086", 5_50)

    assert ended(refused) == (Ending.REFUSED, Refusal.CARD_LOST)
    assert bench.shown[:2] == ("E 03  ", "卡片已挂失")


@pytest.mark.parametrize(
    ("age", "fen", "ending"),
    [
        (timedelta(hours=24), 20_00, (Ending.PAID_OFFLINE, None)),
        (timedelta(hours=24, seconds=2), 10_00, (Ending.PAID_OFFLINE, None)),
        (timedelta(hours=24, seconds=2), 10_01, (Ending.REFUSED, Refusal.OFFLINE_CAP)),
        (timedelta(days=5), 1, (Ending.REFUSED, Refusal.OFFLINE_STOPPED)),
    ],
    ids=["a day", "more than a day, 10.00", "more than a day, 10.01", "five days"],
)
def test_an_old_hotlist_sells_less_and_a_dead_one_nothing(bench, age, fen, ending):
    """B12: > 24 h old: cap drops to 10 yuan; > 5 days: no offline sales."""
    bench.issue("10086", 100_00)
    bench.network(up=False)
    # A breath less, for the time that the test itself takes.
    bench.skip(age.total_seconds() - (1 if age < timedelta(days=5) else 0))

    assert ended(bench.sell("10086", fen)) == ending


def test_an_online_till_without_mac_keys_never_sells_offline(bench):
    bench.university.offline = False
    bench.config_path.unlink()
    bench.cut_power()
    bench.__init__(bench.folder, bench.university, bench.served)
    bench.issue("10086", 28_40)
    bench.network(up=False)

    tapped = bench.sell("10086", 5_50)

    assert tapped.refusal is Refusal.OFFLINE_STOPPED
    assert bench.shown[:2] == ("E 12  ", "通讯超时")
    assert bench.card_fen("10086") == 28_40


# ------------------------------------------------------------------------------------------------------- lists


def test_the_hotlist_never_goes_back_to_an_older_version(bench):
    hotlist = Hotlist(bench.parts.store, bench.config.keys.hot)
    hotlist.apply(listed(7, ("04a1b2c3", Refusal.CARD_LOST)), 1_000)

    assert not hotlist.apply(listed(6, ("04a1b2c3", None)), 2_000)
    assert not hotlist.confirmed(8, 2_000)
    assert hotlist.refusal(bytes.fromhex("04a1b2c3")) is Refusal.CARD_LOST
    assert hotlist.kept.version == 7
    assert hotlist.age_s(61_000) == 60


def test_a_whole_list_starts_anew(bench):
    hotlist = Hotlist(bench.parts.store, bench.config.keys.hot)
    hotlist.apply(listed(7, ("04a1b2c3", Refusal.CARD_LOST)), 1_000)

    assert hotlist.apply(listed(2, ("04ffffff", Refusal.CARD_FROZEN), whole=True), 2_000)

    assert hotlist.refusal(bytes.fromhex("04a1b2c3")) is None
    assert hotlist.refusal(bytes.fromhex("04ffffff")) is Refusal.CARD_FROZEN


def test_a_list_with_pages_to_come_is_not_young_yet(bench):
    hotlist = Hotlist(bench.parts.store, bench.config.keys.hot)
    hotlist.apply(listed(7), 1_000)

    hotlist.apply(listed(8, more=True), 50_000)
    assert hotlist.age_s(61_000) == 60
    hotlist.apply(listed(9), 60_000)

    assert hotlist.age_s(61_000) == 1


def test_an_edited_list_is_thrown_away_at_the_next_start(bench):
    hotlist = Hotlist(bench.parts.store, bench.config.keys.hot)
    hotlist.apply(listed(7, ("04a1b2c3", Refusal.CARD_LOST)), 1_000)
    assert Hotlist(bench.parts.store, bench.config.keys.hot).kept.version == 7
    with bench.parts.store.writing() as db:
        db.execute("DELETE FROM hotlist")

    again = Hotlist(bench.parts.store, bench.config.keys.hot)

    assert (again.kept.version, again.age_s(1_000)) == (0, None)


def test_a_restored_dump_is_known_from_the_last_seen_list(bench):
    card = bench.issue("10086", 28_40)
    bench.parts.sales._hotlist.apply(listed(9, seen=[(card.uid.hex(), 1)]), bench.parts.clock.now_ms())
    bench.network(up=False)

    assert ended(bench.sell("10086", 5_50)) == (Ending.REFUSED, Refusal.CARD_SUSPECT)


# ------------------------------------------------------------------------------------------------------- clocks


def test_a_wall_clock_that_jumps_while_the_till_runs_changes_nothing(bench):
    before = bench.parts.clock.now_ms()

    bench.wall_error_ms = -10 * 365 * 86_400_000

    assert 0 <= bench.parts.clock.now_ms() - before < 5_000
    assert bench.parts.clock.offset_ms > 9 * 365 * 86_400_000


@pytest.mark.parametrize("error_s", [-315_360_000, -86_400, -121, -119, 0, 121, 86_400, 315_360_000])
def test_a_clock_that_starts_wrong_is_healed_by_the_first_answer(bench, error_s):
    bench.network(up=False)
    bench.issue("10086", 28_40)
    assert bench.sell("10086", 1_00).ending is Ending.PAID_OFFLINE
    true_ms = bench.parts.clock.now_ms()
    bench.wall_error_ms = error_s * 1000

    bench.restart()

    assert not bench.parts.clock.wrong
    assert abs(bench.parts.clock.now_ms() - true_ms) < 10_000


@pytest.mark.parametrize(
    ("error_s", "wrong"), [(-315_360_000, True), (-125, True), (-110, False), (0, False), (121, False)]
)
def test_a_clock_behind_the_journal_is_noticed_without_the_server(bench, error_s, wrong):
    bench.issue("10086", 28_40)
    bench.network(up=False)
    assert bench.sell("10086", 1_00).ending is Ending.PAID_OFFLINE
    bench.wall_error_ms = error_s * 1000
    bench.served.close()

    bench.restart()

    assert bench.parts.clock.wrong is wrong
    assert bench.parts.clock.day() >= bench.university_day()


def test_setting_the_clock_back_a_day_does_not_empty_the_daily_sum(bench):
    """B6: setting the clock back cannot reset the daily sum."""
    card = bench.issue("10086", 28_40)
    bench.network(up=False)
    assert bench.sell("10086", 5_50).ending is Ending.PAID_OFFLINE
    bench.wall_error_ms = -86_400_000
    bench.served.close()
    bench.restart()

    refused = bench.sell("10086", 51)

    assert bench.shown[0] == "E 15  "
    assert refused.ending is Ending.REFUSED
    assert bench.parts.journal.sold_offline_fen(card.uid, bench.parts.clock.day()) == 5_50


# --------------------------------------------------------------------------------------------------- power cuts


def cut_inside(bench, monkeypatch, method):
    """Sell, and switch the power off right before the journal would be told how it ended."""

    class Dark(Exception):
        pass

    def dark(*args, **kwargs):
        raise Dark

    monkeypatch.setattr(bench.parts.journal, method, dark)
    with pytest.raises(Dark):
        bench.sell("10086", 5_50)
    monkeypatch.undo()
    bench.restart()


def test_a_sale_cut_off_before_the_card_was_written_is_taken_back(bench, monkeypatch):
    bench.issue("10086", 28_40)

    cut_inside(bench, monkeypatch, "writing")
    bench.parts.background.greet()

    assert [report.outcome for report in bench.university.reports] == ["abandoned"]
    assert bench.account("10086").book_fen == bench.card_fen("10086") == 28_40


@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
def test_a_sale_cut_off_after_the_card_was_written_is_settled_when_the_card_is_back(
    bench, monkeypatch, online
):
    bench.issue("10086", 28_40)
    bench.network(up=online)

    cut_inside(bench, monkeypatch, "end")
    assert bench.sell("10086", 1_00).ending is Ending.PAID
    bench.parts.background.greet()
    bench.report()

    reports = [report.outcome for report in bench.university.reports]
    assert reports == (["written", "written"] if online else ["written_offline", "written"])
    assert bench.account("10086").book_fen == bench.card_fen("10086") == 21_90


@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
def test_a_sale_cut_off_whose_card_never_comes_back_is_reported_unknown(bench, monkeypatch, online):
    bench.issue("10086", 28_40)
    bench.network(up=online)
    cut_inside(bench, monkeypatch, "end")

    bench.skip(59)
    bench.parts.background.greet()
    early = list(bench.university.reports)
    bench.skip(2)
    bench.parts.background.greet()

    assert early == []
    assert [report.outcome for report in bench.university.reports] == ["unknown"]
    sales = [item["outcome"] for item in bench.university.records.values() if item["kind"] == "sale"]
    assert sales == ([] if online else ["unknown"])


# ------------------------------------------------------------------------------------------------------- upload


def test_records_are_uploaded_once_each_and_in_order(bench):
    for name in ("10086", "10087", "10088"):
        bench.issue(name, 28_40)
    bench.network(up=False)
    for name in ("10086", "10087", "10088"):
        bench.sell(name, 5_50)
    assert bench.parts.line() == (False, 3)

    bench.network(up=True)
    bench.report()

    sales = [item for item in bench.university.records.values() if item["kind"] == "sale"]
    assert [item["key_seq"] for item in sales] == [1, 2, 3]
    assert bench.parts.line() == (True, 0)
    for name in ("10086", "10087", "10088"):
        assert bench.account(name).book_fen == bench.card_fen(name) == 22_90


def test_a_torn_offline_sale_that_nobody_finished_charges_nobody(bench):
    bench.issue("10086", 28_40)
    bench.network(up=False)

    bench.sell("10086", 5_50, leave_after=12, tear=Tear.BEFORE)
    bench.skip(11)
    bench.network(up=True)

    assert bench.account("10086").book_fen == bench.card_fen("10086") == 28_40
    assert bench.parts.journal.sold_offline_fen(bytes.fromhex("00002766"), bench.parts.clock.day()) == 0


# ------------------------------------------------------------------------------------------------------ secrets


def test_a_password_is_nowhere_in_the_journal(bench, caplog):
    bench.issue("10086", 80_00, today_fen=46_00)
    bench.sell("10086", 5_50, stays=True)
    bench.till.keys("170114")
    bench.till.confirm()
    assert bench.use().ending is Ending.PAID

    bench.cut_power()

    kept = b"".join(path.read_bytes() for path in bench.folder.glob("*journal*"))
    assert b'"pin":"170114"' in b"".join(bench.university.bodies)
    assert b"170114" not in kept
    assert "170114" not in caplog.text
    assert not bench.till._pin


def test_the_configuration_is_readable_by_its_owner_only(bench):
    from terminals.device.config import ConfigProblem, load

    assert bench.config_path.stat().st_mode & 0o777 == 0o600
    bench.config_path.chmod(0o640)

    with pytest.raises(ConfigProblem, match="chmod 600"):
        load(bench.config_path)
    assert bench.config.enrolled.secret not in repr(bench.config)
