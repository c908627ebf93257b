"""The till program and the real server over HTTP: enrolment, taps, tears, lost lines, uploads, voids."""

from __future__ import annotations

import pytest

from purse.rules import Refusal
from terminals.device import __main__ as program
from terminals.device import client
from terminals.device.reader.tearing import Tear
from terminals.device.tapped import Ending
from terminals.models import UploadedRecord
from tests import faults
from tests.campus import make_person
from tests.till.bench import ended

SALE, HELD = 5_50, 28_40
READS = 9


def holder(till, fen=HELD, **changes):
    person = make_person(fen, **changes)
    name = str(person.account.number)
    till.keep(name, person.plastic)
    return person, name


def uncertain(person) -> bool:
    """Whether an offline sale of this card was uploaded as unknown: the server guesses nothing, a person looks."""
    uid = person.card_row.uid.lower()
    return any(uid in str(record.raw) for record in UploadedRecord.objects.filter(verdict__result="suspect"))


def test_a_code_enrols_one_device_once(till, live_server, tmp_path, capsys):
    again = [
        "till",
        "--server",
        live_server.url,
        "--config",
        str(tmp_path / "second.json"),
        "--enrol",
        "used",
    ]

    assert till.config.enrolled.name_zh == "7号"
    assert till.config_path.stat().st_mode & 0o777 == 0o600
    assert program.main(again) == 1
    assert "403 code_refused" in capsys.readouterr().err


def heal(till, person, name) -> None:
    """Time passes, the line is good, one more purchase heals what is open; then card and book must agree."""
    till.skip(11)
    till.network(up=True)
    till.till.cancel()
    assert till.sell(name, 1).ending is Ending.PAID
    till.report()


def test_a_purchase(till):
    person, name = holder(till)

    tapped = till.sell(name, SALE)
    till.report()

    assert (tapped.ending, tapped.card_fen, tapped.book_fen) == (Ending.PAID, 22_90, 22_90)
    assert till.shown == (" 22.90", "消费 5.50", "余额 22.90 请取卡", "green")
    assert person.book_fen == till.card_fen(name) == 22_90
    assert till.parts.journal.unreported() == ()
    assert not person.card_row.legs


def test_an_empty_tap_and_a_refusal(till):
    person, name = holder(till)

    looked = till.tap(name)
    refused = till.sell(name, 30_00)

    assert (looked.ending, looked.card_fen) == (Ending.BALANCE, HELD)
    assert ended(refused) == (Ending.REFUSED, Refusal.INSUFFICIENT)
    assert person.book_fen == till.card_fen(name) == HELD


def test_a_void(till):
    person, name = holder(till)
    till.sell(name, SALE)
    till.report()

    till.till.void()
    tapped = till.tap(name)
    till.report()

    assert tapped.ending is Ending.VOIDED
    assert person.book_fen == till.card_fen(name) == HELD


def test_the_guides_example(till):
    """指南: 卡、库 2.40，消费 1.30，拿卡过快：库 1.10，卡仍 2.40。"""
    person, name = holder(till, 2_40)

    torn = till.sell(name, 1_30, leave_after=READS)
    till.skip(11)
    till.report()
    assert (torn.ending, person.book_fen, till.card_fen(name)) == (Ending.TORN, 1_10, 2_40)
    refused = till.sell(name, 2_00)

    assert till.shown[:3] == ("E 01  ", "余额不足 1.10", "应付 2.00")
    assert ended(refused) == (Ending.REFUSED, Refusal.INSUFFICIENT)
    assert till.card_fen(name) == 1_10


def test_offline_sales_are_uploaded_and_posted(till):
    person, name = holder(till)
    till.network(up=False)
    assert till.sell(name, SALE).ending is Ending.PAID_OFFLINE
    assert till.sell(name, 1_00).ending is Ending.PAID_OFFLINE

    till.network(up=True)

    assert (
        list(UploadedRecord.objects.order_by("seq").values_list("verdict__result", flat=True))
        == ["posted"] * 3
    )
    assert till.parts.line() == (True, 0)
    assert person.book_fen == till.card_fen(name) == HELD - SALE - 1_00


@pytest.mark.parametrize("comes_back", [True, False], ids=["the card comes back", "it does not"])
@pytest.mark.parametrize("story", ["online", "offline", "void"])
def test_a_card_pulled_at_any_operation_heals_with_the_next_purchase(till, story, comes_back):
    cases, broken = 0, []
    writes = [Tear.BEFORE, Tear.WEAK, Tear.AFTER]
    last = 16 if story == "offline" else 13

    for after in range(last):
        for tear in writes if after == last - 2 or (story == "offline" and after == 10) else [Tear.BEFORE]:
            person, name = holder(till)
            if story == "void":
                till.sell(name, SALE)
                till.report()
                till.till.void()
                tapped = till.tap(name, leave_after=after, tear=tear)
            else:
                till.network(up=story == "online")
                tapped = till.sell(name, SALE, leave_after=after, tear=tear)
            if comes_back and till.till.phase.value == "retap":
                tapped = till.tap(name)
            heal(till, person, name)
            cases += 1
            book, card = person.book_fen, till.card_fen(name)
            doubt = uncertain(person)
            if book != card and not (doubt and book == card + SALE):
                broken.append(f"{after} {tear.value} {tapped.ending}: book {book}, card {card}")

    faults.report("TILL-SERVER-TEAR", cases, len(broken))
    assert broken == []


def test_a_lost_answer_and_the_same_key_offline_charge_once(till, monkeypatch):
    person, name = holder(till)
    post = client.Wire.post
    lost = []

    def lose(wire, target, body, headers, *, timeout):
        answer = post(wire, target, body, headers, timeout=timeout)
        if target.endswith("debit"):
            lost.append(target)
            wire.close()
            raise TimeoutError
        return answer

    with monkeypatch.context() as lossy:
        lossy.setattr(client.Wire, "post", lose)
        tapped = till.sell(name, SALE)
    till.report()

    assert (tapped.ending, len(lost)) == (Ending.PAID_OFFLINE, 2)
    assert person.book_fen == till.card_fen(name) == HELD - SALE
    assert till.parts.journal.unreported() == ()
    assert till.parts.line() == (True, 0)


def test_a_lost_answer_to_a_sale_that_is_not_allowed_offline_is_taken_back(till, monkeypatch):
    person, name = holder(till, 100_00)
    post = client.Wire.post

    def lose(wire, target, body, headers, *, timeout):
        answer = post(wire, target, body, headers, timeout=timeout)
        if target.endswith("debit"):
            raise TimeoutError
        return answer

    with monkeypatch.context() as lossy:
        lossy.setattr(client.Wire, "post", lose)
        tapped = till.sell(name, 30_00)
    assert person.book_fen == 70_00
    till.report()

    assert ended(tapped) == (Ending.REFUSED, Refusal.OFFLINE_CAP)
    assert person.book_fen == till.card_fen(name) == 100_00
    assert till.sell(name, 1_00).ending is Ending.PAID
