"""The campus simulation: it finds nothing where nothing is wrong, and finds it where something is."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ecard import serving
from ecard.management.commands import simulate_campus
from ecard.simulate import audit, drawing
from ecard.simulate.notes import Notes, Sale
from ecard.simulate.plan import FAIR, FAULTY, Plan
from ecard.simulate.summary import lines
from tests import faults
from tests.campus import make_person

KEY = uuid.UUID(int=7)
OTHER = uuid.UUID(int=8)


def plan(tmp_path, **changes):
    return Plan(
        **{"tills": 3, "cards": 24, "minutes": 0.2, "seed": 1, "folder": tmp_path, "pace_s": 0.25} | changes
    )


def command(tmp_path, *arguments, status=0):
    """Run the command on the test database; its JSON and what it said meanwhile."""
    out, said, told = StringIO(), StringIO(), 0
    try:
        call_command(
            "simulate_campus", *arguments, "--here", "--json", f"--folder={tmp_path}", stdout=out, stderr=said
        )
    except SystemExit as ended:
        told = ended.code
    assert told == status
    return json.loads(out.getvalue()), said.getvalue()


def everything_wrong(found):
    return [*found["audit"]["broken"], *found["verify"]["broken"], *found["undrained"]]


# ------------------------------------------------------------------------------------------- whole runs


@pytest.mark.django_db(transaction=True)
def test_a_small_campus_under_every_fault_adds_up_and_is_drawn(tmp_path):
    found, said = command(tmp_path, "--tills=3", "--cards=24", "--minutes=0.2", "--pace=0.25", "--faults")

    faults.report("SIM", sum(found["faults"].values()), len(everything_wrong(found)))
    assert not everything_wrong(found)
    assert found["ok"]
    assert {"tear", "silent_till", "wiped", "loss_in_flight", "server_killed"} <= set(found["faults"])
    assert found["taps"]["paid"] > 5
    assert found["taps"]["paid_offline"] > 2
    assert "six days later" in said
    assert list(lines(found))[-1] == "everything adds up"
    _is_a_page_that_needs_nothing_else((tmp_path / "seed-1.html").read_text(encoding="utf-8"))


def _is_a_page_that_needs_nothing_else(page):
    assert page.count("<svg") == page.count("<details>") == 2
    assert "全部相符" in page
    assert "Everything adds up" in page
    assert not re.search(r"<script|src=|href=|url\(|@import", page)


@pytest.mark.django_db(transaction=True)
def test_a_server_that_forgets_keys_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "APPLICATION", "tests.house.planted_simulate:application")
    monkeypatch.setattr(simulate_campus, "FAULTY", replace(FAIR, lost_answer=0.35))

    found, _ = command(
        tmp_path, "--tills=2", "--cards=16", "--minutes=0.1", "--pace=0.15", "--faults", status=1
    )

    assert any("nobody was at a till" in line for line in found["audit"]["broken"])


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(2, 8))
def test_many_campuses_under_every_fault_add_up(tmp_path, seed):
    found, _ = command(
        tmp_path, "--tills=8", "--cards=120", "--minutes=1.5", "--pace=0.4", "--faults", f"--seed={seed}"
    )

    faults.report("SIM", sum(found["faults"].values()), len(everything_wrong(found)))
    assert not everything_wrong(found)


# ---------------------------------------------------------------------------------------- what it refuses


@pytest.mark.django_db
def test_it_never_runs_outside_the_demonstration(tmp_path, settings):
    settings.DEMO = False

    with pytest.raises(CommandError):
        call_command("simulate_campus", f"--folder={tmp_path}")


@pytest.mark.django_db
def test_it_invents_nothing_beside_accounts_that_are_there(tmp_path):
    make_person()

    with pytest.raises(CommandError, match="未作任何改动"):
        call_command("simulate_campus", "--here", f"--folder={tmp_path}")


@pytest.mark.parametrize("wrong", ["--tills=0", "--minutes=0", "--pace=0"])
def test_it_refuses_sizes_that_mean_nothing(tmp_path, wrong):
    with pytest.raises(CommandError):
        call_command("simulate_campus", "--here", f"--folder={tmp_path}", wrong)


# ------------------------------------------------------------------------------------------------- plans


def test_the_same_seed_decides_the_same(tmp_path):
    first, second, other = plan(tmp_path, odds=FAULTY), plan(tmp_path, odds=FAULTY), plan(tmp_path, seed=2)

    assert first.fates == second.fates
    assert [first.chance("till", 1).random() for _ in range(3)] == [first.chance("till", 1).random()] * 3
    assert first.chance("till", 1).random() == second.chance("till", 1).random()
    assert first.chance("till", 1).random() != other.chance("till", 1).random()
    assert first.chance("till", 1).random() != first.chance("till", 2).random()


@pytest.mark.parametrize(("tills", "silent", "wiped", "revoked"), [(2, 1, 0, 0), (4, 1, 1, 1), (20, 2, 2, 2)])
def test_some_tills_of_every_faulty_campus_have_a_fate(tmp_path, tills, silent, wiped, revoked):
    fates = plan(tmp_path, tills=tills, odds=FAULTY).fates

    assert sum(fate.silent_from is not None for fate in fates) == silent
    assert sum(fate.wiped_at is not None for fate in fates) == wiped
    assert sum(fate.revoked_at is not None for fate in fates) == revoked
    assert all(fate == plan(tmp_path).fates[0] for fate in plan(tmp_path, odds=FAIR).fates)


# ------------------------------------------------------------------------------------------------- sums


def sold(**changes):
    return Sale(
        **{"account": 20001, "card": "20001", "till": 0, "fen": 5_50, "began_s": 1.0, "beeps": 1} | changes
    )


def charged(**changes):
    return audit.Charged(**{"account": 20001, "fen": 5_50, "times": 1} | changes)


@pytest.mark.parametrize(
    ("sales", "books", "verdict", "wrong"),
    [
        ({KEY: sold()}, {KEY: charged()}, "", ""),
        ({KEY: sold()}, {}, "", "a beep online, and no charge"),
        ({KEY: sold()}, {KEY: charged(times=2)}, "", "charged 2 times"),
        ({KEY: sold()}, {KEY: charged(fen=5_51)}, "", "charged 551"),
        ({KEY: sold()}, {KEY: charged(account=20002)}, "", "charged 550 to 20002"),
        ({KEY: sold(beeps=0)}, {}, "", ""),
        ({KEY: sold(beeps=0)}, {KEY: charged()}, "", "charged without a beep"),
        ({KEY: sold(beeps=0)}, {KEY: charged(taken_back=1)}, "", ""),
        ({KEY: sold(beeps=0, torn=True)}, {KEY: charged()}, "", ""),
        ({}, {KEY: charged()}, "", "nobody was at a till"),
        ({KEY: sold(offline=True)}, {KEY: charged()}, "posted", ""),
        ({KEY: sold(offline=True)}, {}, "posted", "no charge; its record: posted"),
        ({KEY: sold(offline=True)}, {}, "", "no charge; its record: never came"),
        ({KEY: sold(offline=True)}, {}, "quarantined", ""),
        ({KEY: sold(offline=True, lost=True)}, {}, "", ""),
        ({KEY: sold(), OTHER: sold(void_of=KEY)}, {KEY: charged(taken_back=1)}, "", ""),
        (
            {KEY: sold(), OTHER: sold(void_of=KEY)},
            {KEY: charged()},
            "",
            "taken back with a beep, but charged",
        ),
        ({KEY: sold(), OTHER: sold(void_of=KEY, beeps=0)}, {KEY: charged(taken_back=1)}, "", ""),
        ({KEY: sold(), OTHER: sold(void_of=KEY, beeps=0)}, {KEY: charged()}, "", ""),
        ({KEY: sold()}, {KEY: charged(taken_back=1)}, "", "a beep online, and no charge"),
    ],
)
def test_what_was_handed_over_is_held_against_the_books(monkeypatch, sales, books, verdict, wrong):
    monkeypatch.setattr(audit, "_charges", lambda: books)
    monkeypatch.setattr(audit, "_verdicts", lambda: {KEY: audit.Verdict(verdict)} if verdict else {})
    monkeypatch.setattr(audit, "_cards", lambda *_, **__: iter(()))

    found = audit.compare(Notes(sales=sales), honest=(), shown_fen={})

    assert len(found.broken) == bool(wrong)
    assert wrong in "".join(found.broken)


@pytest.mark.parametrize(
    ("honest", "why", "beeps", "wrong"),
    [
        ({20001}, "fork", 1, 1),
        ({20001}, "key_refused", 1, 0),  # refused online, the answer lost, sold without the server
        ({20001}, "doubtful", 0, 0),
        (set(), "fork", 1, 0),
    ],
)
def test_an_honest_sale_is_not_held_for_suspect(honest, why, beeps, wrong):
    notes = Notes(sales={KEY: sold(offline=True, beeps=beeps)})

    found = list(audit._doubted(notes, {KEY: audit.Verdict("suspect", why)}, honest=honest))

    assert len(found) == wrong


@pytest.mark.parametrize(
    ("began_s", "offline", "late"), [(9.9, False, 0), (10.1, False, 1), (10.1, True, 0)], ids=str
)
def test_a_lost_card_pays_online_only_before_its_report_was_answered(began_s, offline, late):
    notes = Notes(sales={KEY: sold(began_s=began_s, offline=offline)}, lost_at_s={20001: 10.0})

    assert len(list(audit._too_late(notes))) == late


@pytest.mark.parametrize(("began_s", "late"), [(11.5, 0), (11.51, 1)])
def test_a_stolen_till_sells_online_for_a_second_at_most(began_s, late):
    notes = Notes(sales={KEY: sold(began_s=began_s)}, revoked_at_s={0: 10.0})

    assert len(list(audit._too_late(notes))) == late


@pytest.mark.django_db
def test_a_card_that_holds_what_no_sale_explains_is_named():
    person = make_person(30_00)
    number = person.account.number

    fair = audit.compare(Notes(), honest=[number], shown_fen={number: 30_00})
    odd = audit.compare(Notes(), honest=[number], shown_fen={number: 31_00})
    gone = audit.compare(
        Notes(sales={KEY: sold(account=number, offline=True, lost=True)}),
        honest=[number],
        shown_fen={number: 30_00},
    )

    assert fair.broken == []
    assert "card 3100, the book has seen 3000" in odd.broken[0]
    assert "gap 0, sold and not here 550" in gone.broken[0]


@pytest.mark.parametrize(
    ("amounts", "sums"), [([], {0}), ([5], {0, 5}), ([5, 7], {0, 5, 7, 12}), ([1] * 20, set(range(13)))]
)
def test_every_sum_of_doubtful_sales_is_possible(amounts, sums):
    assert audit._sums(amounts) == sums


@pytest.mark.parametrize(("top", "step"), [(0, 1), (4, 1), (6, 2), (11, 5), (26, 10), (1200, 500)])
def test_a_drawing_has_about_five_lines(top, step):
    assert drawing._step(top) == step


def test_reversals_are_counted_by_the_sale_that_they_take_back():
    assert charged(times=1, taken_back=1).net == 0
    assert Counter({"x": charged().net}) == Counter({"x": 1})


def test_a_number_that_was_given_out_twice_is_charged_for_one_sale_only(monkeypatch):
    first, second = sold(beeps=0), sold(account=20002, fen=2_00, age=1)
    monkeypatch.setattr(audit, "_charges", lambda: {KEY: charged(account=20002, fen=2_00)})
    monkeypatch.setattr(audit, "_verdicts", dict)
    monkeypatch.setattr(audit, "_cards", lambda *_, **__: iter(()))

    fair = audit.compare(Notes(sales={KEY: first}, again={(KEY, 1): second}), honest=(), shown_fen={})
    twice = audit.compare(Notes(sales={KEY: sold()}, again={(KEY, 1): second}), honest=(), shown_fen={})
    offline = audit.compare(
        Notes(sales={KEY: sold(age=0, beeps=0)}, again={(KEY, 1): sold(offline=True, age=1)}),
        honest=(),
        shown_fen={},
    )

    assert fair.broken == []
    assert "a beep online, and no charge" in "".join(twice.broken)
    assert len(twice.broken) == 1
    assert offline.counts["quarantined"] == 1
