"""TEAR: the card is pulled away at every operation of every tap, in every way a write can tear.

Promised (reliability.md 1.1): never card only; what is open is exactly the debit; the next tap anywhere makes card and
book one again, charges nothing twice, and never takes an honest card for a forged one.
"""

from __future__ import annotations

import uuid

import pytest

from accounts.models import Account
from purse.evidence import open_items
from purse.procedures import CardDamaged, ForeignCard, Outcome
from terminals.device.reader.tearing import Tear
from tests import faults
from tests.campus import NOON, Counter, make_person
from transactions import ledger
from transactions.models import CardFinding
from transactions.services.credit import Credit, credit_unclaimed
from transactions.services.outcomes import CardWrite

START_FEN = 40_00
INSIDE = list(Tear)
RESUMES = ["same till", "other till", "unreported", "torn again", "never"]


def plain(till, person):
    return 5_00


def after_a_tear(till, person):
    till.tap(person, 3_00, leave_after=11, tear=Tear.BEFORE)
    return 5_00


def with_unclaimed(till, person):
    credit_unclaimed(Credit(uuid.uuid4(), person.account.id, 10_00), now=NOON)
    return 5_00


def refused_and_healing(till, person):
    till.tap(person, 30_00, leave_after=11, tear=Tear.MIX)
    return 20_00


def frozen(till, person):
    Account.objects.filter(pk=person.account.pk).update(frozen_reasons=["by_hand"], frozen_at=NOON)
    return 5_00


SCENES = [plain, after_a_tear, with_unclaimed, refused_and_healing, frozen]
OPERATIONS = {plain: 14, after_a_tear: 14, with_unclaimed: 18, refused_and_healing: 14, frozen: 14}


def broken_promises(person, till, sale, before, paid_before):
    """What this single torn tap has broken, in words."""
    broken = []
    try:
        card_fen = person.card_fen
    except (CardDamaged, ForeignCard) as error:
        return [f"the card is lost: {error}"]
    account = person.fresh()
    facts = ledger.read_by_card(person.card_row.id, uuid.uuid4())
    items = open_items(
        spend=facts.card.spend, load=facts.card.load, book_fen=account.book_fen, late_fen=facts.card.late_fen
    )
    if items.offline_fen != 0:
        broken.append(f"unexplained difference {items}")
    if sale.reply is None and (account.book_fen, card_fen) != before:
        broken.append("money moved without an answer")
    if sale.outcome is Outcome.CONFIRMED and sale.reply.card_fen != card_fen:
        broken.append(f"confirmed {sale.reply.card_fen} but the card holds {card_fen}")
    if sale.outcome is Outcome.NOT_WRITTEN and len(sale.reply.writes) == 1 and card_fen != before[1]:
        broken.append("reported as not written, but it is")
    return broken


def resume(how, till, person, sale):
    """What the holder does next; returns the till that meets the card last."""
    if how == "never":
        return till
    if how == "same till":
        return till
    other = Counter(9)
    if how == "unreported":
        till.pending.clear()
    if how == "torn again":
        other.tap(person, 1, leave_after=11, tear=Tear.WEAK)
    return other


@pytest.mark.django_db
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_every_tear_of_every_tap_ends_well(scene):
    cases, violations = 0, []
    for operation in range(OPERATIONS[scene]):
        for number, tear in enumerate(INSIDE):
            for how in RESUMES if operation >= 11 else RESUMES[number % 5 : number % 5 + 1]:
                cases += 1
                if wrong := one_case(scene, operation, tear, how):
                    violations.append((scene.__name__, operation, tear.value, how, wrong))
    faults.report("TEAR", cases, len(violations))
    assert not violations, violations[:5]


def one_case(scene, operation, tear, how):
    till, person = Counter(7), make_person(START_FEN, limit_fen=600_00)
    fen = scene(till, person)
    till.pending.clear()
    before = person.book_fen, person.card_fen
    sale = till.tap(person, fen, leave_after=operation, tear=tear)
    broken = broken_promises(person, till, sale, before, 0)
    last = resume(how, till, person, sale)
    if broken or how == "never":
        return broken
    if scene is frozen:
        Account.objects.filter(pk=person.account.pk).update(frozen_reasons=[], frozen_at=None)
    healed = last.tap(person, 1)
    last.report(healed, CardWrite.WRITTEN)
    if healed.refusal is not None or healed.outcome is not Outcome.CONFIRMED:
        return [f"the next tap ended {healed.refusal} {healed.outcome}"]
    account = person.fresh()
    if person.card_fen != account.book_fen:
        return [f"card {person.card_fen} book {account.book_fen}"]
    if (
        person.card_row.legs
        or person.card_row.images
        or CardFinding.objects.filter(account_id=account.id).exists()
    ):
        return ["something is left open"]
    posted = sum(account.entries.values_list("book_change_fen", flat=True))
    return [] if posted == account.book_fen else [f"entries {posted} book {account.book_fen}"]
