"""The desk's program through a real pcscd with a (virtual) PC/SC reader, against the real server."""

from __future__ import annotations

import pytest

from accounts.models import Card
from accounts.services import cards
from accounts.services.rows import By
from terminals.device import desk
from terminals.device.reader.field import Fault, Field
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.pcsc import PcscReader
from terminals.device.reader.tearing import Tear
from terminals.device.reader.vpcd import VirtualCard
from terminals.models import JobState
from tests import faults
from tests.campus import Counter, make_person
from tests.readers.conftest import READER
from tests.readers.pcscd import until
from tests.terminals.conftest import server
from tests.terminals.desk import CLERK
from tests.till.desk_bench import DeskBench
from transactions.models import Entry

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("pcscd")]
__all__ = ["server"]
SOON_S = 5.0
THE_WRITE = 20
"""Card operations of a reading with the ring and of opening the sector; PC/SC asks for the UID when it connects."""


class PcscDesk(DeskBench):
    """A desk whose hand waits until the real reader has noticed what it did."""

    def do(self, job, plastic, *, fault=None):
        self.rounds(2)
        self.place(plastic)
        assert until(self.reader.card_present, SOON_S)
        self.field.arm(fault)
        for _ in range(8):
            self.rounds(2)
            if self.state(job).over or not self.field.cards:
                break
        self.lift()
        assert until(lambda: not self.reader.card_present(), SOON_S)
        self.turn(2)
        return self.state(job)


@pytest.fixture
def bench(tmp_path, server, vpcd_stack, monkeypatch):
    monkeypatch.setattr(desk, "POLL_MS", 0)
    virtual = VirtualCard(Field(), vpcd_stack.readers[READER])
    reader = PcscReader(f"{READER} 00 00")
    made = PcscDesk(tmp_path, server, reader, virtual.field)
    yield made
    made.cut_power()
    reader.close()
    virtual.close()


def test_a_card_is_read_loaded_marked_and_set_through_pcscd(bench):
    person = make_person(28_40)

    read = bench.do(bench.order("read"), person.plastic)
    load = bench.do(bench.order("load", person, fen=50_00), person.plastic)
    mark = bench.do(bench.order("mark", person, on=True), person.plastic)
    Counter(901).tap(person, 1_30, leave_after=11, tear=Tear.BEFORE, report=False)
    level = bench.do(bench.order("set", person), person.plastic)

    assert [each.state for each in (read, load, mark, level)] == [JobState.DONE] * 4
    assert (read.result["card_fen"], load.card_outcome) == (28_40, "written")
    assert person.card_fen == person.book_fen == 77_10


def test_a_blank_card_becomes_a_card_in_force_through_pcscd(bench):
    person = make_person(28_40)
    by = By(CLERK, bench.server.now)
    cards.replace(person.card_row.pk, by=by)
    blank = cards.prepare(cards.NewCard(person.account.id, "formal"), by=by)
    chip = ClassicCard.blank(bytes.fromhex("04e10001"))
    job = bench.order("prepare", person, card_id=blank.pk)

    torn = bench.do(job, chip, fault=Fault(30, Tear.MIX))
    whole = bench.do(job, chip)

    assert (torn.state, whole.state) == (JobState.CARD_AWAITED, JobState.DONE)
    person.plastic = chip
    assert (Card.objects.get(pk=blank.pk).life, person.card_fen) == ("issued", 28_40)


def test_a_card_pulled_from_a_real_reader_is_finished_when_it_is_back(bench):
    broken, cases = [], 0
    for kind, gain in (("load", 5_00), ("set", 0)):
        for place, tear in [(4, Tear.BEFORE), (THE_WRITE + 1, Tear.AFTER)] + [
            (THE_WRITE, tear) for tear in (Tear.BEFORE, Tear.MIX, Tear.ZEROS, Tear.WEAK)
        ]:
            person = make_person(28_40)
            Counter(901).tap(person, 1_30, leave_after=11, tear=Tear.BEFORE, report=False)
            job = bench.order(kind, person, **({"fen": gain} if gain else {}))
            torn = bench.do(job, person.plastic, fault=Fault(place, tear))
            ended = bench.do(job, person.plastic)
            posted = Entry.objects.filter(account_id=person.account.id, kind="top_up").count()
            seen = (ended.state, person.book_fen, person.card_fen, posted)
            cases += 1
            if torn.trouble != ("torn" if place >= THE_WRITE else "card_gone"):
                broken.append(f"{kind} {place} {tear}: {torn.trouble} when it was pulled")
            if seen != (JobState.DONE, 27_10 + gain, 27_10 + gain, int(gain > 0)):
                broken.append(f"{kind} {place} {tear}: {seen}")
    faults.report("DESK pcscd", cases, len(broken))
    assert broken == []
