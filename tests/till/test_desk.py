"""The desk's program against the real server: every trouble in words, lost messages, and power cuts at each entry."""

from __future__ import annotations

import io
import json

import pytest

from accounts.services import cards
from accounts.services.rows import By
from purse.link import GarbledAnswer, ReaderGone
from terminals.device.desk_face import DeskState
from terminals.device.desk_line import DeskJournal
from terminals.device.desk_ui import DeskConsole, DeskPage, Hands
from terminals.device.reader.field import Fault
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.sim import write_card
from terminals.device.reader.tearing import Tear
from terminals.device.store import JournalBroken
from terminals.models import JobState
from terminals.services import jobs
from tests import faults
from tests.campus import Counter, make_person
from tests.terminals.conftest import server  # noqa: F401 - a fixture
from tests.terminals.desk import CLERK
from tests.till.desk_bench import DeskBench, hurried  # noqa: F401 - a fixture
from transactions.models import Entry, OutcomeNote

pytestmark = pytest.mark.django_db(transaction=True)
THE_WRITE = 21
"""Operations of a reading with the ring, and of opening the sector to write."""


@pytest.fixture
def desk(tmp_path, server):  # noqa: F811 - the fixture
    bench = DeskBench(tmp_path, server)
    yield bench
    bench.cut_power()


def test_load(desk):
    person = make_person(28_40)

    ended = desk.do(desk.order("load", person, fen=50_00), person.plastic)

    assert (ended.state, person.book_fen, person.card_fen) == (JobState.DONE, 78_40, 78_40)
    assert desk.face.state is DeskState.DONE
    assert [state for _, state, _ in ended.steps] == [
        "ordered", "taken", "card_awaited", "reading", "writing", "writing", "done",
    ]  # fmt: skip


def test_the_card_may_stay_for_the_next_job(desk):
    person = make_person(28_40)
    read = desk.order("read")
    desk.rounds(2)
    desk.place(person.plastic)
    desk.rounds()
    load = desk.order("load", person, fen=1_60)
    desk.rounds()

    assert [desk.state(job).state for job in (read, load)] == [JobState.DONE, JobState.DONE]
    assert person.book_fen == 30_00


# -------------------------------------------------------------------------------------------------- troubles


def test_another_card_two_cards_and_a_foreign_card(desk):
    person, other = make_person(28_40), make_person(10_00)
    job = desk.order("load", person, fen=50_00)

    seen = []
    for plastic in (other.plastic, ClassicCard.blank(b"\x04\xe0\x00\x07")):
        desk.do(job, plastic)
        seen.append(next(trouble for _, _, trouble in reversed(desk.state(job).steps) if trouble))
    desk.place(person.plastic)
    desk.place(other.plastic)
    desk.rounds(2)
    seen.append(desk.state(job).trouble)
    desk.lift()
    desk.rounds(1)

    assert seen == ["wrong_card", "foreign_card", "several_cards"]
    assert (desk.state(job).state, other.card_fen) == (JobState.CARD_AWAITED, 10_00)
    assert desk.do(job, person.plastic).state is JobState.DONE


def test_a_reader_that_is_unplugged_and_comes_back(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.rounds(2)
    desk.reader.field.plug(plugged=False)
    desk.rounds(2)
    assert desk.state(job).trouble == "no_reader"

    desk.reader.field.plug(plugged=True)

    assert desk.do(job, person.plastic).state is JobState.DONE


def test_a_reader_unplugged_in_the_middle_of_the_write(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.rounds(2)
    desk.reader.field.place(person.plastic, fault=Fault(THE_WRITE, Tear.MIX, error=ReaderGone))
    desk.rounds(3)
    assert (desk.state(job).trouble, person.book_fen) == ("no_reader", 78_40)

    desk.lift()
    desk.reader.field.plug(plugged=True)
    desk.rounds(2)
    assert desk.state(job).trouble == "torn"

    assert desk.do(job, person.plastic).state is JobState.DONE
    assert person.card_fen == 78_40


def test_a_card_that_answers_nonsense_is_read_again(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.rounds(2)
    desk.reader.field.place(person.plastic, fault=Fault(4, error=GarbledAnswer, stays=True))
    desk.rounds()

    assert desk.state(job).state is JobState.DONE


def test_a_write_that_is_answered_with_nonsense_is_made_good_at_once(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.rounds(2)
    desk.reader.field.place(
        person.plastic, fault=Fault(THE_WRITE, Tear.ZEROS, error=GarbledAnswer, stays=True)
    )
    desk.rounds()

    assert desk.state(job).state is JobState.DONE
    assert (person.book_fen, person.card_fen) == (78_40, 78_40)


def test_a_chip_whose_trailer_was_torn_is_void_and_another_one_does(desk):
    person = make_person(28_40)
    by = By(CLERK, desk.server.now)
    cards.replace(person.card_row.pk, by=by)
    blank = cards.prepare(cards.NewCard(person.account.id, "formal"), by=by)
    job = desk.order("prepare", person, card_id=blank.pk)
    spoilt, good = (ClassicCard.blank(bytes([4, 0xE1, 0, n])) for n in (1, 2))

    desk.do(job, spoilt, leave_after=5, tear=Tear.ZEROS)  # the trailer of the first sector
    desk.do(job, spoilt)
    assert "chip_void" in [trouble for _, _, trouble in desk.state(job).steps]

    assert desk.do(job, good).state is JobState.DONE
    person.plastic = good
    assert person.card_fen == 28_40


def test_a_cancelled_job_is_let_go_before_a_card_is_touched(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.rounds(2)
    jobs.cancel_job(job, actor=CLERK, now=desk.server.now)
    desk.place(person.plastic)
    desk.rounds()

    assert (desk.state(job).state, person.book_fen, person.card_fen) == (JobState.CANCELLED, 28_40, 28_40)
    assert desk.face.state is DeskState.ENDED


def test_a_desk_that_cannot_note_writes_nothing(desk, monkeypatch):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)

    def full(*args, **kwargs):
        raise JournalBroken("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(DeskJournal, "writing", full)
        ended = desk.do(job, person.plastic)
    assert (ended.state, person.card_fen) == (JobState.CARD_AWAITED, 28_40)
    assert "journal_broken" in [trouble for _, _, trouble in ended.steps]

    desk.restart()
    assert desk.do(job, person.plastic).state is JobState.DONE
    assert (person.book_fen, person.card_fen) == (78_40, 78_40)
    assert Entry.objects.filter(account_id=person.account.id, kind="top_up").count() == 1


# ------------------------------------------------------------------------------------------------ lost messages


@pytest.mark.parametrize("call", ["job", "job_progress", "job_card", "job_result"])
@pytest.mark.parametrize("what", ["lose_requests", "lose_answers"])
@pytest.mark.parametrize("times", [1, 2, 4])
def test_lost_messages_change_nothing_in_the_end(desk, call, what, times):
    person = make_person(28_40)
    desk.wire.only = call
    setattr(desk.wire, what, times)

    job = desk.order("load", person, fen=50_00)
    desk.turn(6)
    desk.place(person.plastic)
    desk.turn(12)

    assert desk.state(job).state is JobState.DONE
    assert (person.book_fen, person.card_fen) == (78_40, 78_40)
    assert Entry.objects.filter(account_id=person.account.id, kind="top_up").count() == 1
    assert desk.parts.journal.untold() == []


def test_a_dead_line_stops_the_desk_before_the_card_is_written(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.rounds(2)
    desk.wire.dead = True
    desk.place(person.plastic)
    desk.rounds(4)
    assert (person.book_fen, person.card_fen) == (28_40, 28_40)

    desk.wire.dead = False
    desk.rounds(4)

    assert (desk.state(job).state, person.card_fen) == (JobState.DONE, 78_40)


def test_what_was_read_back_is_told_when_the_line_is_back(desk):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.rounds(2)
    desk.wire.only, desk.wire.lose_requests = "job_result", 9
    desk.place(person.plastic)
    desk.rounds(3)
    assert DeskState.DONE in [face.state for face in desk.faces]
    assert (desk.state(job).state, person.card_fen) == (JobState.WRITING, 78_40)
    desk.lift()

    desk.wire.lose_requests = 0
    desk.turn(4)

    assert desk.state(job).state is JobState.DONE


# --------------------------------------------------------------------------------------------------- power cuts


class PowerCut(Exception):
    """The machine goes dark."""


ENTRIES = 3
"""How often the journal is written in one job that writes a card: the key, the slots, the end."""


@pytest.mark.parametrize("kind", ["read", "set", "load", "mark"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_each_entry_of_the_journal(desk, monkeypatch, kind, before):
    """Before the entry is on disk, and right after it: the next start ends the job, money moved once."""
    params = {"load": {"fen": 50_00}, "mark": {"on": True}, "read": {"heal": True}, "set": {}}[kind]
    gain, broken, cuts = (50_00 if kind == "load" else 0), [], 0
    for cut in range(ENTRIES):
        person = make_person(28_40)
        Counter(901).tap(person, 5_50, leave_after=11, tear=Tear.BEFORE, report=False)
        job = desk.order(kind, person, **params)
        with monkeypatch.context() as machine:
            machine.setattr(DeskJournal, "_step", dark_at(desk, cut, before=before))
            try:
                desk.do(job, person.plastic)
            except PowerCut:
                cuts += 1
        desk.lift()
        desk.restart()
        desk.do(job, person.plastic)
        state, book_fen, card_fen = desk.state(job).state, person.book_fen, person.card_fen
        posted = Entry.objects.filter(account_id=person.account.id, kind="top_up").count()
        if (state, book_fen, card_fen, posted) != (JobState.DONE, 22_90 + gain, 22_90 + gain, int(gain > 0)):
            broken.append(f"entry {cut}: {state}, book {book_fen}, card {card_fen}, {posted} posted")
    faults.report("DESK power cut", cuts, len(broken))
    assert (broken, cuts) == ([], ENTRIES)


def dark_at(desk, cut: int, *, before: bool):
    """A journal whose machine goes dark at its entry number ``cut``."""
    real, left = DeskJournal._step, cut

    def step(self, *args):
        nonlocal left
        left -= 1
        if left >= 0:
            return real(self, *args)
        if not before:
            real(self, *args)
            desk.parts.store._connection.execute("COMMIT")  # it reached the disk, and then it was dark
        raise PowerCut

    return step


def test_after_a_power_cut_in_the_write_the_server_hears_that_nobody_knows(desk, monkeypatch):
    person = make_person(28_40)
    job = desk.order("load", person, fen=50_00)
    desk.rounds(2)
    real = DeskJournal.end

    def dark(self, *args, **kwargs):
        raise PowerCut

    monkeypatch.setattr(DeskJournal, "end", dark)
    desk.place(person.plastic, leave_after=THE_WRITE, tear=Tear.MIX)
    with pytest.raises(PowerCut):
        desk.rounds()
    monkeypatch.setattr(DeskJournal, "end", real)
    desk.lift()
    desk.restart()
    desk.rounds(3)

    assert list(OutcomeNote.objects.values_list("outcome", flat=True)) == ["unknown"]
    assert (desk.state(job).trouble, desk.state(job).card_outcome) == ("torn", "unknown")


# -------------------------------------------------------------------------------------------------------- faces


def test_the_console_places_cards_and_tells_every_face(desk):
    person = make_person(28_40)
    write_card(desk.folder / "10086.json", person.plastic)
    out = io.StringIO()
    console = DeskConsole(desk.station, out)
    desk.order("read", person)
    desk.rounds(2)

    console.run(['{"do": "place", "card": "10086"}', "", "nonsense", '{"do": "sing"}', '{"do": "quit"}'])
    desk.rounds()

    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [each.get("state", "error") for each in told] == ["awaiting", "error", "error", "reading", "done"]
    assert Hands(desk.station).lying() == "10086"


def test_the_page_is_served_on_this_machine_only(desk):
    with pytest.raises(ValueError, match="this machine only"):
        DeskPage(desk.station, "0.0.0.0:0")

    page = DeskPage(desk.station, "127.0.0.1:0")
    try:
        page.start()
        events = page.join()
        assert events.get(timeout=1)["event"] == "state"
        assert events.get(timeout=1)["event"] == "display"
    finally:
        page.stop()
