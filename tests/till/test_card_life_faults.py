"""DESK-TEAR: an issue, a replacement and an extension torn at every operation of the card, in every way, and resumed.

Promised: no chip is a card before it was read back with what the book holds; the book of a replacement has its fee
once and the old card is dead whatever becomes of the new chip; a torn last day is written by the next attempt, and no
fen moves with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from accounts.actors import AtCounter
from accounts.models import Account, AccountLife, Card, CardLife, DocumentKind
from accounts.services import cards, issuing
from accounts.services.rows import By
from purse.procedures import ClassicDriver, Outcome, decode
from reconciliation.services.verify import verify
from terminals.device.reader.field import Field
from terminals.device.reader.model import ClassicCard
from terminals.models import JobState
from terminals.services import jobs
from tests import faults
from tests.campus import KEYS, NOON, POLICY, Counter, Person, make_person
from tests.terminals.conftest import server
from tests.terminals.desk import CLERK
from tests.till.desk_bench import DeskBench, hurried
from tests.till.test_desk_faults import BY_HAND, Scene, cases, held, operations, resume
from tests.transactions.card_desk import HOUSE, Desk, new_account
from transactions.models import Entry
from transactions.services import cardmoney
from transactions.services.cardmoney import Cause, PaidBy, Replacement
from transactions.services.credit import Credit, credit_unclaimed

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["hurried", "server"]
START_FEN = 40_00
FEE_FEN = 20_00
HERE = AtCounter(CLERK, DocumentKind.NONE, card_on_reader=True)
NEW_DAY = NOON.date() + timedelta(days=900)
SHORT = 3
"""The short run takes every third picture of a write; the long one all of them, each with all four ways back."""


def chip(card: Card) -> ClassicCard:
    return ClassicCard.blank((0xB1000000 + card.pk).to_bytes(4, "big"))


def an_issue(bench: DeskBench, clerk: Desk) -> Scene:
    """A new account, PENDING, with its blank: the chip starts with nothing."""
    deed = cardmoney.open_account(
        new_account(), clerk.pays(), "记名卡押金", door=clerk.door(), now=NOON, house=HOUSE
    )
    blank = Card.objects.get(pk=deed.card_id)
    person = Person(deed.account, blank, chip(blank))
    order = lambda: bench.order("prepare", person, card_id=blank.pk)  # noqa: E731
    return Scene(bench, person, person.plastic, 0, order, blank=blank)


def a_replacement(bench: DeskBench, clerk: Desk) -> Scene:
    """Lost with an offline sale on it that nobody has seen; the fee comes from the book."""
    person = make_person(START_FEN)
    old = person.plastic
    order = Replacement(uuid.uuid4(), person.account.pk, Cause.LOST, clerk.pays(PaidBy.BOOK), "补卡工本费")
    deed = cardmoney.replace_card(order, door=clerk.door(), now=NOON, house=HOUSE)
    blank = Card.objects.get(pk=deed.card_id)
    wanted = lambda: bench.order("prepare", person, card_id=blank.pk)  # noqa: E731
    scene = Scene(bench, person, chip(blank), START_FEN - FEE_FEN, wanted, blank=blank)
    person.old = old  # type: ignore[attr-defined]
    return scene


def an_extension(bench: DeskBench, clerk: Desk) -> Scene:
    """The book has the new day already; the card still says the old one."""
    person = make_person(START_FEN)
    Card.objects.filter(pk=person.card_row.pk).update(expires_on=NOON.date() + timedelta(days=90))
    cards.extend(person.card_row.pk, NEW_DAY, by=By(CLERK, NOON))
    order = lambda: bench.order("extend", person, card_id=person.card_row.pk)  # noqa: E731
    return Scene(bench, person, person.plastic, START_FEN, order)


SCENES: dict[str, Callable[[DeskBench, Desk], Scene]] = {
    "issue": an_issue,
    "replacement": a_replacement,
    "extension": an_extension,
}


def check_chip(scene: Scene, job: uuid.UUID) -> str | None:
    """What holds when the job has ended, and that the next attempt makes the card if this one did not."""
    view, account = scene.desk.state(job), scene.person.fresh()
    assert scene.blank is not None
    card = Card.objects.get(pk=scene.blank.pk)
    if not view.over:
        return f"still {view.state}"
    if (card.life == CardLife.ISSUED) != (view.state is JobState.DONE):
        return f"{view.state}, but the card is {card.life}"
    if account.book_fen != scene.book_fen:
        return f"book {account.book_fen}, wanted {scene.book_fen}"
    if hasattr(scene.person, "old"):
        fees = Entry.objects.filter(account=account, kind="fee").count()
        first = Card.objects.get(account=account, issue_no=1)
        if (fees, first.life, first.lost) != (1, CardLife.REPLACED, True):
            return f"{fees} fees, the old card is {first.life}"
    if card.life == CardLife.BLANK:
        again = make_again(scene, card)
        if again is not None:
            return again
        card.refresh_from_db()
    return use(scene, card)


def make_again(scene: Scene, card: Card) -> str | None:
    """The same chip once more; one that opens with no key any more is put away, and another one is taken."""
    for plastic in (scene.plastic, ClassicCard.blank((0xB9000000 + card.pk).to_bytes(4, "big"))):
        scene.desk.restart()
        job = scene.desk.order("prepare", scene.person, card_id=card.pk)
        view = scene.desk.do(job, plastic)
        if view.state is JobState.DONE:
            scene.plastic = plastic
            return None
        if not view.over:
            jobs.give_up_job(job, actor=CLERK, now=scene.desk.server.now)
            scene.desk.rounds(3)
    return f"not made again: {view.state} {view.trouble} {view.refusal}"


def use(scene: Scene, card: Card) -> str | None:
    """Hand it over, let money wait for it, and pay twice: card and book are one."""
    person = scene.person
    person.plastic, person.card_row = scene.plastic, card
    if (person.card_fen, card.card_fen) != (scene.book_fen, scene.book_fen):
        return f"issued with {person.card_fen}, mirror {card.card_fen}"
    issuing.hand_over(uuid.uuid4(), person.account.pk, door=HERE, now=NOON)
    credit_unclaimed(Credit(uuid.uuid4(), person.account.pk, 5_00), now=NOON)
    for till in (911, 912):
        tapped = Counter(till).tap(person, 1_00)
        if tapped.refusal or tapped.outcome is not Outcome.CONFIRMED:
            return f"the next purchase: {tapped.refusal} {tapped.outcome}"
    if hasattr(person, "old"):
        person.plastic, new = person.old, person.plastic
        if Counter(913).tap(person, 1).refusal != "card_replaced":
            return "the old card still pays"
        person.plastic = new
    book_fen, card_fen = person.book_fen, person.card_fen
    return None if book_fen == card_fen == scene.book_fen + 3_00 else f"book {book_fen}, card {card_fen}"


def check_day(scene: Scene, job: uuid.UUID) -> str | None:
    """The day is on the card exactly when the job says so, or at the latest after the next attempt; no fen moved."""
    view, person = scene.desk.state(job), scene.person
    if not view.over:
        return f"still {view.state}"
    if view.state is JobState.FAILED_UNCHANGED and held(scene.plastic) != scene.blocks:
        return "unchanged, but the card was changed"
    if view.state is not JobState.DONE:
        scene.desk.restart()
        view = scene.desk.do(scene.order(), scene.plastic)
        if view.state is not JobState.DONE:
            return f"written again: {view.state} {view.trouble} {view.refusal}"
    if day_on(scene.plastic) != NEW_DAY:
        return f"done, but the card says {day_on(scene.plastic)}"
    for till in (911, 912):
        tapped = Counter(till).tap(person, 1_00)
        if tapped.refusal or tapped.outcome is not Outcome.CONFIRMED:
            return f"the next purchase: {tapped.refusal} {tapped.outcome}"
    book_fen, card_fen = person.book_fen, person.card_fen
    return None if book_fen == card_fen == START_FEN - 2_00 else f"book {book_fen}, card {card_fen}"


def day_on(plastic: ClassicCard) -> date | None:
    hand = Field()
    hand.place(plastic)
    link = hand.select()
    assert link is not None
    return decode(ClassicDriver(link, KEYS).read_purse(), KEYS).expires_on()


def run(tmp_path: Any, server: Any, name: str, *, long: bool) -> None:
    bench, clerk, make = DeskBench(tmp_path, server), Desk(), SCENES[name]
    kinds = operations(bench, make(bench, clerk))
    broken, count = [], 0
    for number, (place, tear, how) in enumerate(cases(kinds, long=long)):
        if not long and number % SHORT:
            continue
        scene = make(bench, clerk)
        job = scene.order()
        bench.do(job, scene.plastic, leave_after=place, tear=tear)
        resume(replace(scene), job, "never" if how == "other till" and scene.blank is None else how)
        problem = check_day(scene, job) if scene.blank is None else check_chip(scene, job)
        count += 1
        if problem:
            broken.append(f"{kinds[place]} {place} {tear} {how}: {problem}")
    bench.cut_power()
    broken += [f"{each.id}: {each.what}" for each in verify(policy=POLICY).broken if each.id not in BY_HAND]
    faults.report(f"DESK-TEAR {name}", count, len(broken))
    assert not broken, "\n".join(broken)
    assert not Account.objects.filter(life=AccountLife.CLOSED).exists()


@pytest.mark.parametrize("name", SCENES)
def test_torn_everywhere_and_resumed(tmp_path, server, name):
    run(tmp_path, server, name, long=False)


@pytest.mark.long
@pytest.mark.parametrize("name", SCENES)
def test_torn_everywhere_and_resumed_in_every_way(tmp_path, server, name):
    run(tmp_path, server, name, long=True)
