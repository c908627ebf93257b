"""Two machines with the keys of one terminal (B8): every pair is caught, and no honest life is taken for one."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import AuditEvent
from purse.policy import Policy
from terminals.messages import signing, strictjson
from terminals.messages.signing import Request, next_boot
from terminals.models import SecurityEvent, SecurityEventKind, Terminal, UploadedRecord
from terminals.services import clones, enrolment, uploads
from terminals.services.registry import machine as machine_of
from tests import faults
from tests.campus import make_person
from tests.terminals.conftest import ACTOR, HOST, PREFIX, Box, Journal, Reply, Server, enrol, make_box
from tests.terminals.test_uploads import on

pytestmark = pytest.mark.django_db(transaction=True)

PAIRS = LIVES = 50
SECOND = timedelta(seconds=1)
FORTY_YEARS = -86_400_000 * 365 * 40
"""A clock whose battery is dead, in ms."""


@dataclass
class Life:
    """A machine that numbers its starts as the till does (``terminals.device.client``)."""

    box: Box
    wall_error_ms: int = 0
    heard: bool = False
    last: Reply | None = None

    @property
    def server(self) -> Server:
        return self.box.server

    def clock_ms(self) -> int:
        return self.server.now_ms + (0 if self.heard else self.wall_error_ms)

    def start(self, known_boot: int = 0) -> None:
        """Switch on with a journal that knows the start ``known_boot``."""
        self.heard = False
        self.box.boot, self.box.seq = next_boot(known_boot, self.server.now_ms + self.wall_error_ms), 0

    def restart(self) -> None:
        self.start(self.box.boot)

    def speak(self, call: str = "heartbeat") -> Reply:
        """Say something; when the clock or the number was wrong, put it right and say it once more, each once."""
        righted: set[str] = set()
        while True:
            stamp = {"at_ms": self.clock_ms()}
            reply = self.box.heartbeat(**stamp) if call == "heartbeat" else self.box.call(call, {}, **stamp)
            self.heard = True
            problem = reply.body.get("error")
            if problem not in ("replay", "unauthorized") or problem in righted:
                self.last = reply
                return reply
            righted.add(problem)
            if problem == "replay" and reply.body["last_boot"] > self.box.boot:
                self.box.boot, self.box.seq = next_boot(reply.body["last_boot"], self.server.now_ms), 0

    def sent(self) -> tuple[bytes, str, bytes]:
        """A request that was signed and is still under way."""
        body, stamp = strictjson.dumps({"unsent": 0}), self.box.stamp(at_ms=self.clock_ms())
        header = signing.sign_request(self.box.keys, Request("POST", HOST, PREFIX + "heartbeat", body), stamp)
        return body, header, stamp.nonce

    def arrives(self, request: tuple[bytes, str, bytes]) -> Reply:
        return self.box.send("heartbeat", *request)


def pair_of(server: Server, **wanted: Any) -> tuple[Life, Life]:
    """A till and its copy, both switched on."""
    one = Life(make_box(server, may_sell_offline=True, **wanted))
    other = Life(replace(one.box))
    for life in (one, other):
        server.now += SECOND
        life.start(life.box.boot)
    return one, other


def quarantined(box: Box) -> bool:
    return machine_of(box.id).cloned


def count(kind: SecurityEventKind, box: Box) -> int:
    return SecurityEvent.objects.filter(kind=kind, terminal_id=box.id).count()


def alternate(server: Server, pair: tuple[Life, Life], times: int) -> None:
    for number in range(times):
        server.now += SECOND
        pair[number % 2].speak()


def test_fifty_copied_tills_in_random_order_are_all_noticed(server):
    """B8: two boots alternating => both quarantined."""
    missed = []
    for number in range(PAIRS):
        dice = random.Random(number)
        pair = pair_of(server)
        for _ in range(40):
            server.now += timedelta(seconds=dice.choice((0.05, 1, 60, 3_600, 86_400)) * dice.random())
            life = dice.choice(pair)
            if dice.random() < 0.1:
                life.restart()
            if life.speak().body.get("may_sell_offline") is False:
                break
        if not quarantined(pair[0].box) or count(SecurityEventKind.CLONED, pair[0].box) != 1:
            missed.append(number)
    faults.report("CLONE-BOOTS", PAIRS, len(missed))

    assert missed == []


def test_no_honest_life_is_taken_for_a_copy(server):
    """Power cuts, old clocks, enrolments anew, lost answers and requests that overtake each other."""
    wrong = []
    for number in range(LIVES):
        dice = random.Random(number)
        life = Life(make_box(server, may_sell_offline=True))
        life.start()
        for _ in range(14):
            server.now += timedelta(seconds=dice.choice((2, 60, 3_600)) * dice.random() + 1)
            _live(life, dice)
        if quarantined(life.box):
            wrong.append(number)
    faults.report("CLONE-BOOTS", LIVES, len(wrong))

    assert wrong == []


def _live(life: Life, dice: random.Random) -> None:
    server, deed = life.server, dice.randrange(6)
    if deed in (0, 1, 2):
        life.wall_error_ms = dice.choice((0, 0, -90_000, 90_000, -3_600_000, FORTY_YEARS))
    if deed == 0:
        life.restart()
    elif deed == 1:  # cut off in the middle, with a request still under way that arrives after the new start
        late = life.sent()
        server.now += timedelta(seconds=dice.uniform(1, 20))
        life.restart()
        assert life.speak().status == 200
        assert life.arrives(late).status == 401
    elif deed == 2:  # enrolled anew, the journal begins anew, and the clock is what it is
        issued = enrolment.issue_code(life.box.id, actor=ACTOR, now=server.now)
        life.box = Box(server, enrol(server, issued.code))
        life.start()
    elif deed == 3:  # the answer is lost
        life.arrives(life.sent())
    elif deed == 4:  # one overtakes the other
        slow, fast = life.sent(), life.sent()
        server.now += timedelta(milliseconds=30)
        life.arrives(fast)
        life.arrives(slow)
    assert life.speak().status == 200


def test_each_enrolment_anew_begins_the_count_anew(server):
    """A machine with a dead clock battery that a technician sets up again and again."""
    life = Life(make_box(server))
    life.start()
    life.wall_error_ms = FORTY_YEARS
    for _ in range(2 * clones.STARTS):
        assert life.speak().status == 200
        server.now += SECOND
        issued = enrolment.issue_code(life.box.id, actor=ACTOR, now=server.now)
        life.box = Box(server, enrol(server, issued.code))
        life.start()

    assert life.speak().status == 200
    assert count(SecurityEventKind.STALE_START, life.box) == 2 * clones.STARTS
    assert not quarantined(life.box)


@pytest.mark.parametrize(("old_starts", "caught"), [(clones.STARTS - 1, False), (clones.STARTS, True)])
def test_so_many_old_starts_that_go_on_speaking_and_not_one_less(server, old_starts, caught):
    pair = pair_of(server)
    alternate(server, pair, 2 + old_starts)

    assert quarantined(pair[0].box) == caught
    assert count(SecurityEventKind.STALE_START, pair[0].box) == old_starts
    assert count(SecurityEventKind.CLONED, pair[0].box) == caught


@pytest.mark.parametrize(("early", "caught"), [(SECOND, True), (timedelta(0), False)])
def test_old_starts_count_for_thirty_days(server, early, caught):
    pair = pair_of(server)
    alternate(server, pair, 3)
    first = SecurityEvent.objects.get(kind=SecurityEventKind.STALE_START)
    alternate(server, pair[::-1], 1)

    server.now = first.at + clones.WITHIN - early
    pair[0].speak()

    assert quarantined(pair[0].box) == caught


@pytest.mark.parametrize(("later_ms", "noted"), [(0, 0), (1, 1)])
def test_what_was_signed_before_the_newer_start_spoke_was_only_overtaken(server, later_ms, noted):
    box = make_box(server)
    assert box.heartbeat(boot=5, seq=1).status == 200

    assert box.heartbeat(boot=4, seq=9, at_ms=server.now_ms + later_ms).status == 401
    assert box.heartbeat(boot=5, seq=1, at_ms=server.now_ms + 1).status == 401, (
        "the same start is another thing"
    )

    assert count(SecurityEventKind.STALE_START, box) == noted


def test_one_old_start_counts_once_however_often_it_speaks(server):
    box = make_box(server)
    assert box.heartbeat(boot=5, seq=1).status == 200
    for seq in range(10):
        server.now += SECOND
        assert box.heartbeat(boot=4, seq=seq + 1).status == 401

    assert not quarantined(box)
    assert count(SecurityEventKind.STALE_START, box) == 1


def test_what_a_listener_sends_again_says_nothing_against_the_till(server):
    life = Life(make_box(server))
    for _ in range(10):
        server.now += SECOND
        life.restart()
        heard = life.sent()
        life.arrives(heard)
        server.now += SECOND
        life.restart()
        assert life.speak().status == 200
        assert life.arrives(heard).status == 401

    assert count(SecurityEventKind.STALE_START, life.box) == 0


def test_a_copied_terminal_hands_in_its_journal_and_is_refused_all_else(server):
    pair = pair_of(server)
    one, other = pair
    assert one.speak().body["may_sell_offline"] is True
    alternate(server, (other, one), 5)
    assert quarantined(one.box)

    for life in pair:
        server.now += SECOND
        assert life.speak().body["may_sell_offline"] is False
        for call in ("debit", "void", "sighting", "outcomes", "hotlist", "keys"):
            reply = life.speak(call)
            assert (reply.status, reply.body["error"], reply.body["money_moved"]) == (403, "cloned", False), (
                call
            )
            assert reply.signed
    assert AuditEvent.objects.filter(action="terminal.quarantine").count() == 1


def test_what_it_uploads_is_kept_for_a_person_also_after_it_was_enrolled_anew(server):
    person = make_person(100_00)
    one, other = pair_of(server)
    journal = Journal(one.box)
    before, after, later = (journal.sale(1_00, **on(person)) for _ in range(3))
    assert one.speak().status == 200
    assert journal.upload(before)[0]["result"] == "posted"
    alternate(server, (other, one), 6)

    one.box.boot += 10**6
    assert journal.upload(after) == [{"seq": 2, "result": "quarantined", "why": "cloned"}]
    issued = enrolment.issue_code(one.box.id, actor=ACTOR, now=server.now)
    renewed = Box(server, enrol(server, issued.code), boot=one.box.boot + 10**6)
    assert renewed.heartbeat().body["may_sell_offline"] is True, "new keys end the quarantine"

    fresh = Journal(renewed, id="ef" * 16)
    own = fresh.sale(1_00, **on(person), card_seq_before=3, card_seq_after=4)
    assert fresh.upload(later) == [{"seq": 3, "result": "quarantined", "why": "cloned"}]
    assert journal.upload(later) == [{"seq": 3, "result": "quarantined", "why": "cloned"}], (
        "the old keys as well"
    )
    assert "cloned" not in fresh.upload(own)[0]["why"]
    assert other.speak().status == 401, "the copy has the old keys only"
    assert UploadedRecord.objects.count() == 4


def test_the_night_does_not_post_what_a_copied_terminal_left(journal, monkeypatch):
    person = make_person(100_00)
    record = journal.sale(5_50, **on(person))
    monkeypatch.setattr(uploads, "_settle", lambda *args, **kwargs: 1 / 0)
    assert journal.box.call("upload", strictjson.dumps({"records": [record]})).status == 503
    monkeypatch.undo()
    Terminal.objects.filter(id=journal.box.id).update(cloned_epoch=1)

    now = journal.box.server.now + timedelta(hours=1)
    assert uploads.resume(policy=Policy(), now=now) == 1

    assert UploadedRecord.objects.get().verdict.why == "cloned"
    assert person.book_fen == 100_00
