"""What a till may do changes while it stands there: rights, keys, numbers, lists; and what can be replayed."""

from __future__ import annotations

import shutil
from datetime import timedelta
from types import SimpleNamespace

import pytest

from accounts.actors import Actor
from accounts.wiring import now as present
from purse.keys import OFFLINE_TILL, ONLINE_TILL
from purse.rules import Refusal
from terminals.device import __main__ as program
from terminals.device import config as configuration
from terminals.device.hotlist import Hotlist
from terminals.device.tapped import Ending
from terminals.messages.records import RecordKind
from terminals.messages.upkeep import HotlistAnswer
from terminals.models import SecurityEvent, SecurityEventKind, Terminal, UploadedRecord
from terminals.services import enrolment
from tests import faults
from tests.campus import KEYS, make_person
from tests.till.bench import Bench, ended

HELD, SALE = 28_40, 5_50
SIX_YEARS_MS = 6 * 365 * 86_400_000
OFFLINE_ONLY = OFFLINE_TILL - ONLINE_TILL


def unplug(bench):
    bench.network(up=False)


# ----------------------------------------------------------------------------------------- the right to sell offline


@pytest.fixture
def online_till(bench, university):
    """A till that was enrolled without the right to sell offline."""
    university.offline = False
    bench.config_path.unlink()
    bench.cut_power()
    bench.__init__(bench.folder, university, bench.served)
    return bench


def keys_on_disk(bench) -> set:
    return set(configuration.load(bench.config_path).card_keys.keys)


def test_offline_selling_that_is_switched_on_later_works_without_enrolling_anew(online_till, university):
    bench = online_till
    bench.issue("10086", HELD)
    assert keys_on_disk(bench) == ONLINE_TILL

    university.offline = True
    bench.skip(61)
    bench.report()
    unplug(bench)

    assert bench.sell("10086", SALE).ending is Ending.PAID_OFFLINE
    assert keys_on_disk(bench) == OFFLINE_TILL
    assert bench.config_path.stat().st_mode & 0o777 == 0o600
    bench.served.close()
    bench.restart()
    assert bench.sell("10086", 1_00).ending is Ending.PAID_OFFLINE, "also after a start without the server"


def test_a_till_that_may_sell_offline_no_more_gives_its_keys_away(bench, university):
    bench.issue("10086", HELD)
    assert keys_on_disk(bench) == OFFLINE_TILL

    university.offline = False
    bench.skip(61)
    bench.report()
    unplug(bench)

    assert keys_on_disk(bench) == ONLINE_TILL
    assert bench.sell("10086", SALE).refusal is Refusal.OFFLINE_STOPPED
    bench.till.cancel()
    assert bench.shown[1:] == ("通讯中断 不能消费", "脱机 未传 0", "red")
    bench.served.close()
    bench.restart()
    assert bench.sell("10086", SALE).refusal is Refusal.OFFLINE_STOPPED, (
        "also after a start without the server"
    )


def test_bounds_that_were_lowered_hold_after_a_start_without_the_server(bench, university):
    from dataclasses import replace

    bench.issue("10086", HELD)
    university.policy = replace(university.policy, offline_sale_max_fen=5_00)
    bench.skip(61)
    bench.report()
    bench.served.close()
    bench.restart()

    assert ended(bench.sell("10086", 5_01)) == (Ending.REFUSED, Refusal.OFFLINE_CAP)
    assert bench.sell("10086", 5_00).ending is Ending.PAID_OFFLINE


def test_a_configuration_that_cannot_be_written_is_no_reason_to_stop(online_till, university, monkeypatch):
    def read_only(*args, **kwargs):
        raise configuration.ConfigProblem("read-only")

    bench = online_till
    bench.issue("10086", HELD)
    monkeypatch.setattr(configuration, "save", read_only)
    university.offline = True
    bench.skip(61)
    bench.report()
    unplug(bench)

    assert bench.sell("10086", SALE).ending is Ending.PAID_OFFLINE
    assert keys_on_disk(bench) == ONLINE_TILL


def test_the_real_server_hands_out_the_keys_and_takes_the_right_back(till):
    person = make_person(HELD)
    name = str(person.account.number)
    till.keep(name, person.plastic)

    Terminal.objects.update(may_sell_offline=False)
    told(till)
    assert keys_on_disk(till) == ONLINE_TILL
    unplug(till)
    assert till.sell(name, SALE).refusal is Refusal.OFFLINE_STOPPED

    Terminal.objects.update(may_sell_offline=True)
    told(till)
    assert keys_on_disk(till) == OFFLINE_TILL
    unplug(till)
    assert till.sell(name, SALE).ending is Ending.PAID_OFFLINE
    told(till)
    assert person.book_fen == till.card_fen(name) == HELD - SALE


def told(till) -> None:
    """A heartbeat that the server answers from what is in its tables now."""
    from terminals.api import wiring

    wiring.registry().forget()
    till.skip(61)
    till.network(up=True)


# ---------------------------------------------------------------------------------------------------- boot numbers


def test_a_till_whose_boot_number_went_back_takes_one_above_what_the_server_knows(bench, university):
    """A disk that was put back, or a journal begun anew under an old clock."""
    bench.issue("10086", HELD)
    university.contact = (2**45, 9)

    assert bench.sell("10086", SALE).ending is Ending.PAID

    assert university.contact[0] == 2**45 + 1
    assert university.replays == 1
    assert university.calls[-2:] == ["debit", "debit"]
    bench.report()
    boots = [item for item in university.records.values() if item["kind"] == RecordKind.BOOT]
    assert len(boots) == 2, "the higher number is noted where the server will see it"
    bench.restart()
    assert university.contact[0] == 2**45 + 2
    assert university.replays == 1


def test_a_number_that_was_heard_already_is_followed_by_the_next(bench, university):
    bench.issue("10086", HELD)
    boot, seq = university.contact
    university.contact = (boot, seq + 1)

    assert bench.sell("10086", SALE).ending is Ending.PAID
    assert university.contact[0] == boot


def test_a_till_that_is_always_called_a_replay_asks_twice_and_no_more(bench, university, monkeypatch):
    bench.issue("10086", HELD)
    monkeypatch.setattr(
        university,
        "heard_before",
        lambda stamp: {"error": "replay", "message": "", "retry": True, "last_boot": stamp.boot + 5},
    )
    asked = len(university.calls)

    tapped = bench.sell("10086", SALE)

    assert tapped.ending is Ending.PAID_OFFLINE
    assert university.calls[asked:] == ["debit"] * 4, "two tries of two"


def test_a_till_that_is_enrolled_anew_under_an_old_clock_gets_in(till, tmp_path, monkeypatch):
    """Its journal is new, so its boot number comes from a clock that stands six years back."""
    issued = enrolment.issue_code(till.config.terminal, actor=Actor.system("test"), now=present())
    folder = tmp_path / "anew"
    folder.mkdir()
    call = [
        "till",
        "--server",
        till.served.url,
        "--config",
        str(folder / "till.json"),
        "--enrol",
        issued.code,
    ]
    assert program.main(call) == 0
    anew, begin = Bench.__new__(Bench), Bench.start

    def six_years_back(bench):
        bench.wall_error_ms = -SIX_YEARS_MS
        begin(bench)

    monkeypatch.setattr(Bench, "start", six_years_back)
    anew.__init__(folder, SimpleNamespace(config=None), till.served, KEYS)

    assert anew.parts.client.up
    assert not anew.parts.clock.wrong
    assert abs(anew.parts.clock.offset_ms - SIX_YEARS_MS) < 10_000
    person = make_person(HELD)
    anew.keep(str(person.account.number), person.plastic)
    assert anew.sell(str(person.account.number), SALE).ending is Ending.PAID
    anew.close()


def test_what_an_earlier_enrolment_sold_goes_up_after_the_next(till):
    """The old journal lies beside the new one; its keys are gone, the server knows them still."""
    person = make_person(HELD)
    name = str(person.account.number)
    till.keep(name, person.plastic)
    unplug(till)
    assert till.sell(name, SALE).ending is Ending.PAID_OFFLINE
    till.cut_power()
    issued = enrolment.issue_code(till.config.terminal, actor=Actor.system("test"), now=present())
    till.config_path.rename(till.folder / "old.json")
    call = ["till", "--server", till.served.url, "--config", str(till.config_path), "--enrol", issued.code]
    assert program.main(call) == 0

    till.start()
    till.report()

    assert till.config.epoch == 2
    assert person.book_fen == till.card_fen(name) == HELD - SALE
    assert len(list(till.folder.glob("*.journal"))) == 2
    till.restart()
    till.report()
    assert person.book_fen == HELD - SALE


def test_a_disk_that_is_put_back_takes_nothing_back_and_sells_again_at_the_second_tap(till):
    """The journal is an older state of itself; its next keys were used by sales that it has forgotten."""
    people = [make_person(HELD) for _ in range(3)]
    names = [str(person.account.number) for person in people]
    for person, name in zip(people, names, strict=True):
        till.keep(name, person.plastic)
    till.cut_power()
    journal = next(till.folder.glob("*.journal"))
    shutil.copy(journal, till.folder / "older")
    till.start()
    for name in names[:2]:
        assert till.sell(name, SALE).ending is Ending.PAID
    till.report()
    till.cut_power()
    for rest in till.folder.glob("*.journal*"):
        rest.unlink()
    shutil.copy(till.folder / "older", journal)
    till.start()

    first, second = till.sell(names[2], 1_00), till.sell(names[2], 1_00)
    till.skip(61)
    till.report()

    assert (first.ending, second.ending) == (Ending.UNKNOWN, Ending.PAID)
    assert [person.book_fen for person in people] == [HELD - SALE, HELD - SALE, HELD - 1_00]
    assert [till.card_fen(name) for name in names] == [HELD - SALE, HELD - SALE, HELD - 1_00]


def test_two_tills_with_one_key_are_noticed(till, tmp_path, monkeypatch):
    """B8: a till and its copy each sell offline, then both come back: one journal with two continuations."""
    people = [make_person(HELD) for _ in range(2)]
    names = [str(person.account.number) for person in people]
    for person, name in zip(people, names, strict=True):
        till.keep(name, person.plastic)
    unplug(till)
    till.cut_power()
    shutil.copytree(till.folder, tmp_path / "copy")
    till.start()
    copy = Bench(tmp_path / "copy", SimpleNamespace(config=None), till.served, KEYS)

    for one, name in ((till, names[0]), (copy, names[1])):
        unplug(one)
        assert one.sell(name, SALE).ending is Ending.PAID_OFFLINE
    for _ in range(3):
        for one in (till, copy):
            one.skip(61)
            one.network(up=True)

    found = set(SecurityEvent.objects.values_list("kind", flat=True))
    assert {SecurityEventKind.FORK, SecurityEventKind.REPLAY, SecurityEventKind.CLONED} <= found
    for one in (till, copy):
        assert not one.parts.sales.orders.may_sell_offline
        assert not configuration.load(one.config_path).enrolled.may_sell_offline, "on its disk as well"
        assert one.sell(names[0], 1_00).refusal is Refusal.TERMINAL_RIGHT
        unplug(one)
        assert one.sell(names[0], 1_00).ending is not Ending.PAID_OFFLINE
    assert copy.parts.line()[1] == till.parts.line()[1] == 0, "nothing is left behind: every record is kept"
    assert (
        UploadedRecord.objects.filter(verdict__result="quarantined").count()
        or SecurityEvent.objects.filter(kind=SecurityEventKind.FORK).count()
    )
    copy.close()


# ------------------------------------------------------------------------------------------------------------ lists


def test_no_older_list_ever_takes_the_place_of_a_newer_one(bench, university):
    """B12: every version that ever was is offered again, after every later one."""
    hotlist = Hotlist(bench.parts.store, bench.config.keys.hot)
    uids = [f"0a{number:06x}" for number in range(24)]
    pages = [
        HotlistAnswer(
            version,
            False,
            False,
            tuple(
                (uid, Refusal.CARD_LOST if (version + place) % 3 else None) for place, uid in enumerate(uids)
            ),
            (),
            version,
        )
        for version in range(1, 25)
    ]
    cases = broken = 0
    for number, page in enumerate(pages):
        assert hotlist.apply(page, 1_000 * page.version)
        now = listing(hotlist, uids)
        for old in pages[:number]:
            cases += 1
            taken = hotlist.apply(old, 10**9) or hotlist.kept.version != page.version
            broken += taken or listing(hotlist, uids) != now or hotlist.age_s(1_000 * page.version) != 0

    faults.report("HOTLIST-REPLAY", cases, broken)
    assert broken == 0


def listing(hotlist, uids):
    return [hotlist.refusal(bytes.fromhex(uid)) for uid in uids]


def test_an_answer_that_was_recorded_earlier_is_no_answer(bench, university, monkeypatch):
    """The whole answer, signature and all, belongs to the nonce of its question."""
    from terminals.device.client import Wire

    card = bench.issue("10086", HELD)
    kept, post = [], Wire.post

    def record(wire, target, body, headers, *, timeout):
        answer = post(wire, target, body, headers, timeout=timeout)
        if target.endswith("hotlist"):
            kept.append(answer)
            return kept[0]
        return answer

    monkeypatch.setattr(Wire, "post", record)
    bench.skip(61)
    bench.parts.background.greet()
    university.hot.append((card.uid.hex(), Refusal.CARD_LOST))
    bench.skip(61)

    assert not bench.parts.background.greet()
    assert len(kept) == 2
    monkeypatch.undo()
    bench.skip(61)
    assert bench.parts.background.greet()
    unplug(bench)
    assert bench.sell("10086", SALE).refusal is Refusal.CARD_LOST


@pytest.mark.parametrize(
    ("back", "wrong"),
    [
        (timedelta(minutes=1), False),
        (timedelta(minutes=3), True),
        (timedelta(hours=23), True),
        (timedelta(days=4), True),
    ],
    ids=str,
)
def test_a_clock_that_is_set_back_does_not_make_an_old_list_young(bench, back, wrong):
    """Nothing was sold since: only the list itself knows how late it was."""
    bench.issue("10086", HELD)
    later_ms = bench.parts.clock.now_ms() + int(timedelta(days=4).total_seconds() * 1000)
    kept = bench.parts.sales._hotlist.kept
    assert bench.parts.sales._hotlist.confirmed(kept.version, later_ms)
    bench.wall_error_ms = int((timedelta(days=4) - back).total_seconds() * 1000)
    bench.restart(plugged=False)

    tapped = bench.sell("10086", SALE)

    assert bench.parts.clock.wrong is wrong
    if wrong:
        assert tapped.refusal is Refusal.OFFLINE_STOPPED
        assert bench.shown[:3] == ("E 15  ", "停止脱机消费", "终端时钟错误")
        bench.till.cancel()
        assert bench.shown[1:] == ("终端时钟错误", "脱机 未传 0", "red")
    else:
        assert tapped.ending is Ending.PAID_OFFLINE


def test_a_dead_list_is_said_before_and_at_the_tap(bench):
    bench.issue("10086", HELD)
    unplug(bench)
    bench.skip(timedelta(days=5).total_seconds())
    bench.till.tick()

    assert bench.shown[1:] == ("名单过期 请联网", "脱机 未传 0", "red")
    bench.sell("10086", SALE)
    assert bench.shown == ("E 12  ", "停止脱机消费", "名单过期 请联网", "amber")


def test_records_that_wait_are_counted_while_the_till_is_online_too(bench, monkeypatch):
    bench.issue("10086", HELD)
    unplug(bench)
    bench.sell("10086", SALE)
    bench.till.cancel()
    assert bench.shown[1:] == ("请输入金额", "脱机 未传 1", "amber")

    bench.parts.client.plugged = bench.parts.client.up = True
    bench.till.tick()
    assert bench.shown[1:] == ("请输入金额", "7号 在线 未传 1", "off")
