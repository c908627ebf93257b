"""The demo's week of drift: every screen has something to show, and it came about by the real services."""

from __future__ import annotations

import logging
from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models import Count
from django.utils import timezone

from accounts import batches, wiring
from accounts.checks.idnumber import default_pin
from accounts.models import Account, AuditEvent, Card, CardLife, PhotoItem, Request, RosterFile, RosterRow
from banking.models import Binding
from counter.oversight.auditwords import DEEDS, FIELDS, NOUNS
from ecard.demo.cash import SHORT_FEN
from ecard.demo.counters import live_at_the_counters
from ecard.demo.drift import (
    CAME_BACK,
    COPIED,
    LATE,
    LATE_FEN,
    REPLACED,
    REPLACED_FEN,
    STAYS_AWAY,
    TAMPERED,
    THREE_DAYS,
)
from ecard.demo.roster import FRESHMEN, HANDED, WRITTEN
from ecard.demo.seed import story_person
from ecard.demo.story import INITIAL_PIN, STILL_INITIAL, STORIES
from purse.policy import Policy
from reconciliation import selectors
from reconciliation.models import CaseState, Dispute, DisputeState, Mismatch, ReconcileRun
from reconciliation.services.verify import verify
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.sim import SimReader
from transactions.models import Entry, EntryKind, Receipt, Shift


def numbers(mismatch):
    return {row.account_number for row in selectors.open_cases(mismatch=mismatch)}


def entries(number, *kinds):
    return list(
        Entry.objects.filter(account__number=number, kind__in=kinds)
        .order_by("seq")
        .values_list("kind", "book_change_fen")
    )


@pytest.mark.django_db(transaction=True)
def test_the_week_of_drift_leaves_something_on_every_screen(tmp_path):
    """指南 L109: 平账处理 …… 再次扣除脱机消费金额，将导致数据库中的余额小于智能卡中的余额."""
    wallet = tmp_path / "wallet"

    call_command("seed_demo", "--size", "small", "--wallet", str(wallet), stdout=StringIO())

    assert verify(policy=Policy()).broken == []
    assert numbers(Mismatch.DOUBLE) == {LATE, *CAME_BACK}
    assert numbers(Mismatch.OFFLINE_GAP) == set(list(THREE_DAYS)[:2])
    assert numbers(Mismatch.EXCESS) == {TAMPERED}
    assert numbers(Mismatch.FORK) == {COPIED}
    _late_holder_was_charged_twice()
    assert entries(REPLACED, EntryKind.OFFLINE_SALE) == [("offline_sale", -REPLACED_FEN)]
    assert Card.objects.get(account__number=REPLACED).life == CardLife.REPLACED
    for number, fen in STAYS_AWAY.items():
        assert entries(number, EntryKind.LEVELLING, EntryKind.OFFLINE_SALE) == [("levelling", -fen)]
    silent = selectors.silent_terminals(now=timezone.now())
    assert [(terminal.silent_days, terminal.red) for terminal in silent] == [(6, True), (3, False)]
    assert ReconcileRun.objects.filter(finished_at__isnull=False).count() == 4
    _the_wallet_is_whole(wallet)
    _the_counters_have_been_open(tmp_path, wallet)
    assert logging.getLogger("ecard.terminals").level == logging.NOTSET


def _late_holder_was_charged_twice():
    account = Account.objects.get(number=LATE)
    found = selectors.explain(account.pk)
    (case,) = [row for row in selectors.cases_of(account.pk) if row.state == CaseState.OPEN]

    assert sum(LATE_FEN) == 23_40
    assert entries(LATE, EntryKind.LEVELLING, EntryKind.OFFLINE_SALE) == [
        ("levelling", -23_40),
        *(("offline_sale", -fen) for fen in LATE_FEN),
    ]
    assert (account.book_fen, found.card_fen, found.difference_fen) == (17_80, 41_20, 23_40)
    assert account.frozen_reasons == ["late_upload"]
    assert (case.mismatch, case.at_risk_fen) == (Mismatch.DOUBLE, 23_40)


def _the_wallet_is_whole(wallet):
    names = SimReader(wallet).names()
    numbers = set(Account.objects.values_list("number", flat=True))

    assert {str(number) for number in numbers} | {f"{COPIED}-copy", "blank-1", "blank-2", "blank-3"} == set(
        names
    )
    assert not wallet.with_name("wallet.part").exists()
    for name in (str(LATE), f"{COPIED}-copy"):
        ClassicCard.from_json((wallet / f"{name}.json").read_text())


def _the_counters_have_been_open(folder, wallet):
    """Roster, cards, cash, bank cards, disputes and requests went through the services: every promise still holds."""
    now = timezone.now()
    for _twice in range(2):
        live_at_the_counters(now, wallet=wallet, desk_config=folder / "desk.json")

    assert verify(policy=Policy()).broken == []
    assert {state for (state,) in RosterFile.objects.values_list("state")} == {"applied", "ready"}
    assert RosterRow.objects.filter(verdict="rejected").count() == 3
    assert PhotoItem.objects.filter(verdict="rejected").count() == 2
    batch = batches.newest_batches(None)[0]
    assert (batch.total, batch.written, batch.handed) == (FRESHMEN, WRITTEN, HANDED)
    assert set(Binding.objects.values_list("state", flat=True)) == {"confirmed", "pending"}
    shift = Shift.objects.get()
    assert (shift.difference_fen, shift.accepted_at) == (-SHORT_FEN, None)
    assert sorted(Receipt.objects.values_list("kind").annotate(Count("id"))) == [("fee", 3), ("top_up", 3)]
    assert set(Dispute.objects.values_list("state", flat=True)) == set(DisputeState)
    assert Request.objects.filter(ruling=None).count() == 2
    _the_audit_is_in_words()
    for number in Account.objects.filter(cards__life="issued").values_list("number", flat=True)[:WRITTEN]:
        ClassicCard.from_json((wallet / f"{number}.json").read_text())


def _the_audit_is_in_words():
    """Nothing that these weeks have left in the audit is shown as it is stored."""
    events = list(AuditEvent.objects.all())
    fields = {name for event in events for name in (event.before | event.after)}

    assert len(events) > 100
    assert fields - FIELDS.keys() == set()
    assert {event.object_kind for event in events} - NOUNS.keys() == set()
    assert {event.action for event in events} - DEEDS.keys() == set()


def test_the_clock_of_a_real_installation_is_not_turned(settings):
    settings.DEMO = False

    with pytest.raises(RuntimeError):
        wiring.pretend(timezone.now())


def test_the_clock_runs_again_after_it_was_turned():
    before = wiring.now()
    wiring.pretend(before.replace(year=2020))
    turned = wiring.now()
    wiring.pretend(None)

    assert turned.year == 2020
    assert wiring.now() >= before


def test_the_initial_password_that_documents_tell_is_his():
    serial, story = next((n, story) for n, story in enumerate(STORIES) if story.number in STILL_INITIAL)

    assert default_pin(story_person(serial, story).id_number) == INITIAL_PIN
