"""DESK: the card is pulled at every operation of every job, in every way a write can tear, and comes back or never.

Promised: the money of a job moves once or not at all, the book says at every moment exactly why the card differs, a job
that says "done" left the card as its book says, and whatever happens next puts the rest right.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from accounts.models import Account, Card, CardLife
from accounts.services import cards
from accounts.services.rows import By
from purse.procedures import Outcome
from reconciliation.services.verify import verify
from terminals.device.reader.field import Kind
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.tearing import Tear
from terminals.models import JobState
from terminals.services import jobs
from tests import faults
from tests.campus import NOON, POLICY, Counter, Person, make_person
from tests.terminals.conftest import server  # noqa: F401 - a fixture
from tests.terminals.desk import CLERK, lower_book
from tests.till.desk_bench import DeskBench, hurried  # noqa: F401 - a fixture
from transactions.models import CardFinding, Entry
from transactions.services.credit import Credit, credit_unclaimed

pytestmark = pytest.mark.django_db(transaction=True)
START_FEN = 40_00


@dataclass
class Scene:
    """One person, one job, and what card and book must hold when all is done."""

    desk: DeskBench
    person: Person
    plastic: ClassicCard
    book_fen: int
    order: Callable[[], uuid.UUID]
    booked: int = 0
    """What the job adds to the book."""
    blank: Card | None = None
    blocks: tuple[bytes, ...] = ()
    """What the plastic held before the job."""

    def __post_init__(self) -> None:
        self.blocks = held(self.plastic)


def held(plastic: ClassicCard) -> tuple[bytes, ...]:
    """Every block as its cells hold it."""
    return tuple(bytes(block) for block in plastic.blocks)


def top_up(desk: DeskBench) -> Scene:
    person = make_person(START_FEN)
    return Scene(desk, person, person.plastic, START_FEN, lambda: desk.order("load", person, fen=5_00), 5_00)


def claim(desk: DeskBench) -> Scene:
    person = make_person(START_FEN)
    credit_unclaimed(Credit(uuid.uuid4(), person.account.id, 10_00), now=NOON)
    return Scene(
        desk, person, person.plastic, START_FEN, lambda: desk.order("load", person, claim=True), 10_00
    )


def top_up_torn(desk: DeskBench) -> Scene:
    """A purchase was torn before: both sides are written."""
    person = make_person(START_FEN)
    Counter(901).tap(person, 3_00, leave_after=11, tear=Tear.MIX, report=False)
    return Scene(desk, person, person.plastic, 37_00, lambda: desk.order("load", person, fen=5_00), 5_00)


def set_torn(desk: DeskBench) -> Scene:
    person = make_person(START_FEN)
    Counter(901).tap(person, 3_00, leave_after=11, tear=Tear.BEFORE, report=False)
    return Scene(desk, person, person.plastic, 37_00, lambda: desk.order("set", person))


def set_excess(desk: DeskBench) -> Scene:
    """The card holds more than any record explains: a record was taken out of the book."""
    person = make_person(START_FEN)
    lower_book(person, 6_00)
    return Scene(desk, person, person.plastic, 34_00, lambda: desk.order("set", person))


def set_restored(desk: DeskBench) -> Scene:
    """An old dump of the card was put back; two people decided that it goes on."""
    person = make_person(START_FEN)
    dump = person.plastic.to_json()
    till = Counter(901)
    till.tap(person, 3_00)
    till.tap(person, 2_00)  # and with it goes up that the first one was read back
    person.plastic = ClassicCard.from_json(dump)
    return Scene(desk, person, person.plastic, 35_00, lambda: desk.order("set", person, despite_finding=True))


def set_frozen(desk: DeskBench) -> Scene:
    """A frozen account is set right before it is unfrozen: the stop mark goes on with the same write."""
    person = make_person(START_FEN)
    Counter(901).tap(person, 3_00, leave_after=11, tear=Tear.BEFORE, report=False)
    Account.objects.filter(pk=person.account.pk).update(frozen_reasons=["by_hand"], frozen_at=NOON)
    return Scene(desk, person, person.plastic, 37_00, lambda: desk.order("set", person))


def mark(desk: DeskBench) -> Scene:
    person = make_person(START_FEN)
    return Scene(desk, person, person.plastic, START_FEN, lambda: desk.order("mark", person, on=True))


def look(desk: DeskBench) -> Scene:
    person = make_person(START_FEN)
    Counter(901).tap(person, 3_00, leave_after=11, tear=Tear.ZEROS, report=False)
    return Scene(desk, person, person.plastic, 37_00, lambda: desk.order("read", person, heal=True))


def prepare(desk: DeskBench) -> Scene:
    person = make_person(START_FEN)
    by = By(CLERK, desk.server.now)
    cards.replace(person.card_row.pk, by=by)
    blank = cards.prepare(cards.NewCard(person.account.id, "formal"), by=by)
    chip = ClassicCard.blank((0xB0000000 + blank.pk).to_bytes(4, "big"))
    order = lambda: desk.order("prepare", person, card_id=blank.pk)  # noqa: E731
    return Scene(desk, person, chip, START_FEN, order, blank=blank)


SCENES = {
    "top up": top_up,
    "claim": claim,
    "top up after a tear": top_up_torn,
    "set, torn": set_torn,
    "set, excess": set_excess,
    "set, restored": set_restored,
    "set, frozen": set_frozen,
    "mark": mark,
    "read and heal": look,
    "prepare": prepare,
}
BY_HAND = ("L6", "L9")
"""The opening entries and corrections that these tests post by hand have no answer and no decision behind them."""
MANY = 4
"""A job with more writes than this gets every fifth picture at each of them in the short run."""
UNCHANGED = (JobState.REFUSED, JobState.FAILED_UNCHANGED, JobState.EXPIRED, JobState.CANCELLED)
NIGHTLY = ("claim", "set, frozen", "read and heal")
"""The same writes as others of these scenes, so only the long run has them."""
RESUMES = ["same desk", "power cut", "other till", "never"]


# ------------------------------------------------------------------------------------------------------- the run


def operations(desk: DeskBench, scene: Scene) -> list[Kind]:
    """What the job does to the card when nobody pulls it."""
    start = len(desk.reader.field.log)
    ended = desk.do(scene.order(), scene.plastic)
    assert ended.state is JobState.DONE, ended
    return [operation.kind for operation in desk.reader.field.log[start:]]


def resume(scene: Scene, job: uuid.UUID, how: str) -> None:
    desk = scene.desk
    match how:
        case "same desk":
            desk.do(job, scene.plastic)
        case "power cut":
            desk.restart()
            desk.do(job, scene.plastic)
        case "other till" if scene.blank is None:
            Counter(909).tap(scene.person, 1)
            desk.do(job, scene.plastic)
    view = desk.state(job)
    if not view.over:
        jobs.give_up_job(job, actor=CLERK, now=desk.server.now)
        desk.rounds(3)


def check(scene: Scene, job: uuid.UUID, how: str) -> str | None:
    """Every promise after the job has ended, and again after one more purchase somewhere else."""
    view = scene.desk.state(job)
    if not view.over:
        return f"still {view.state}"
    if how == "never" and view.state in UNCHANGED and held(scene.plastic) != scene.blocks:
        return f"{view.state}, but the card was changed"
    if scene.blank is not None:
        return check_chip(scene, view)
    loads = Entry.objects.filter(account_id=scene.person.account.id, kind__in=("top_up", "claim"))
    posted = loads.count()
    ours = loads.filter(terminal_id=scene.desk.id).count()
    if posted not in (0, 1) or (ours == 1) != (view.entry_seq is not None and scene.booked > 0):
        return f"{posted} entries, {ours} of them ours, entry_seq {view.entry_seq}"
    if (
        CardFinding.objects.filter(card_id=scene.person.card_row.pk)
        .exclude(kind__in=expected(scene))
        .exists()
    ):
        return "an honest card was suspected"
    spent = 1 if how == "other till" else 0
    wanted = scene.book_fen + (scene.booked if posted else 0)
    book_fen = scene.person.book_fen
    if book_fen not in (wanted, wanted - spent):
        return f"book {book_fen}, wanted {wanted}"
    card_fen = read(scene)
    if view.state is JobState.DONE and card_fen is not None and card_fen != book_fen:
        return f"done, but card {card_fen} and book {book_fen}"
    if view.state in UNCHANGED and ours:
        return f"{view.state}, but posted"
    return heal(scene)


def check_chip(scene: Scene, view: jobs.JobView) -> str | None:
    """A chip is a card in force only when it was read back with what the book holds."""
    card = Card.objects.get(pk=scene.blank.pk)
    issued = card.life == CardLife.ISSUED
    if issued != (view.state is JobState.DONE):
        return f"{view.state}, but the card is {card.life}"
    if not issued:
        return None
    scene.person.plastic, scene.person.card_row = scene.plastic, card
    if (read(scene), card.card_fen) != (START_FEN, START_FEN):
        return f"issued with {read(scene)}"
    return heal(scene)


def expected(scene: Scene) -> tuple[str, ...]:
    """The findings that this scene makes on purpose."""
    return (
        ("rollback", "fork", "excess")
        if scene.order.__qualname__.startswith(("set_excess", "set_restored"))
        else ()
    )


def read(scene: Scene) -> int | None:
    """What the plastic holds; None when a weak cell leaves it without a valid slot just now."""
    try:
        return scene.person.card_fen
    except Exception:  # noqa: BLE001 - a torn chip answers in many ways
        return None


def heal(scene: Scene) -> str | None:
    """Whatever was left open: release, set once more if the scene needs a desk, then two purchases make both one."""
    person, desk = scene.person, scene.desk
    Account.objects.filter(pk=person.account.pk).update(frozen_reasons=[], frozen_at=None)
    if expected(scene):
        desk.restart()
        again = desk.do(desk.order("set", person, despite_finding=True), person.plastic)
        if again.state is not JobState.DONE:
            return f"set once more: {again.state} {again.refusal}"
    for till in (911, 912):
        tapped = Counter(till).tap(person, 1)
        if tapped.refusal or tapped.outcome is not Outcome.CONFIRMED:
            return f"the next purchase: {tapped.refusal} {tapped.outcome}"
    book_fen, card_fen = person.book_fen, person.card_fen
    return None if book_fen == card_fen else f"in the end book {book_fen}, card {card_fen}"


def cases(kinds: list[Kind], *, long: bool) -> Iterator[tuple[int, Tear, str]]:
    """Every boundary and every picture; in the short run one resume for what certainly wrote nothing."""
    writes = kinds.count(Kind.WRITE)
    for place, kind in enumerate(kinds):
        if kind is not Kind.WRITE:
            for how in RESUMES if long else [RESUMES[place % len(RESUMES)]]:
                yield place, Tear.BEFORE, how
            continue
        for number, tear in enumerate(Tear):
            if not long and writes > MANY and (place + number) % 5:
                continue
            for how in RESUMES if long else [RESUMES[(place + number) % len(RESUMES)]]:
                yield place, tear, how


def run(tmp_path: Any, server: Any, name: str, *, long: bool) -> None:  # noqa: F811
    desk = DeskBench(tmp_path, server)
    kinds = operations(desk, SCENES[name](desk))
    broken, count = [], 0
    for place, tear, how in cases(kinds, long=long):
        scene = SCENES[name](desk)
        job = scene.order()
        desk.do(job, scene.plastic, leave_after=place, tear=tear)
        resume(scene, job, how)
        problem = check(scene, job, how)
        count += 1
        if problem:
            broken.append(f"{kinds[place]} {place} {tear} {how}: {problem}")
    desk.cut_power()
    broken += [f"{each.id}: {each.what}" for each in verify(policy=POLICY).broken if each.id not in BY_HAND]
    faults.report(f"DESK {name}", count, len(broken))
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("name", [name for name in SCENES if name not in NIGHTLY])
def test_every_boundary(tmp_path, server, name):  # noqa: F811 - the fixture
    run(tmp_path, server, name, long=False)


@pytest.mark.long
@pytest.mark.parametrize("name", SCENES)
def test_every_boundary_and_every_way_back(tmp_path, server, name):  # noqa: F811 - the fixture
    run(tmp_path, server, name, long=True)
