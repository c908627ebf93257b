"""Loss and freeze: who may, what happens, and that one flag never touches the other."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection

from accounts.actors import Actor, AtCounter, AtLoadKiosk, Channel, Proof, WrongDoor
from accounts.models import Account, AuditEvent, Card, CardLife, DocumentKind, LossReport, SecretKind
from accounts.papers import PaperKind
from accounts.services import cards, passwords, standing
from accounts.services.errors import NotAllowed, Reason
from accounts.services.standing import KeyReused, LossEffect
from purse.rules import FreezeReason
from tests.accounts.conftest import (
    BY,
    CLERK,
    COUNTER,
    GOOD_PIN,
    LOAD_KIOSK,
    NOW,
    SECRETS,
    at_load_kiosk,
    undone,
)

SUPERVISOR = AtCounter(
    Actor.operator(9, role="supervisor", channel=Channel.COUNTER), DocumentKind.NONE, card_on_reader=True
)


def by_holder(account, channel=Channel.WEB):
    return Actor.holder(account.holder.uid, channel=channel, place="192.0.2.7")


def report(account, *, key=None, channel=Channel.WEB, now=NOW):
    return standing.report_lost(
        account.pk, key=key or uuid.uuid4(), actor=by_holder(account, channel), now=now
    )


def version(account):
    return Account.objects.get(pk=account.pk).version


@pytest.mark.parametrize(
    "channel", [Channel.WEB, Channel.PHONE, Channel.QUERY_KIOSK, Channel.LOAD_KIOSK, Channel.COUNTER]
)
def test_a_loss_is_reported_through_every_door(world, channel):
    """指南: 挂失方式有电话、网站、查询机、圈存机和管理中心。"""
    account = world.account()
    before = version(account)

    receipt = report(account, channel=channel)

    card = Card.objects.get(account=account)
    event = AuditEvent.objects.get(action="card.report_lost")
    assert (card.lost, card.lost_at) == (True, NOW)
    assert receipt.effect == LossEffect.CARD_LOST
    assert receipt.reference.startswith("261123")
    assert len(receipt.reference) == 12
    assert version(account) == before + 1
    assert (event.channel, event.after) == (channel, {"lost": True, "lost_at": NOW.isoformat()})


def test_the_same_key_returns_the_same_report_and_changes_nothing(world):
    account, key = world.account(), uuid.uuid4()
    first = report(account, key=key)
    before = version(account)

    again = report(account, key=key, now=NOW + timedelta(minutes=1))

    assert again.reference == first.reference
    assert (LossReport.objects.count(), version(account)) == (1, before)


def test_the_same_key_for_another_account_is_a_fault(world):
    key = uuid.uuid4()
    report(world.account(), key=key)
    other = world.account()

    with pytest.raises(KeyReused):
        report(other, key=key)

    assert not Card.objects.get(account=other).lost


def test_a_second_report_says_since_when_the_card_is_lost(world):
    account = world.account()
    report(account, channel=Channel.PHONE)

    second = report(account, now=NOW + timedelta(hours=1))

    assert (second.effect, second.already_since_at) == (LossEffect.ALREADY_LOST, NOW)
    assert Card.objects.get(account=account).lost_at == NOW
    assert AuditEvent.objects.filter(action="card.report_lost").count() == 1


@pytest.mark.parametrize("life", [CardLife.RETURNED, CardLife.VOID, CardLife.REPLACED])
def test_a_card_that_has_ended_cannot_be_lost(world, life):
    account = world.account()
    Card.objects.filter(account=account).update(life=life)

    with pytest.raises(NotAllowed) as refusal:
        report(account)

    assert refusal.value.reason is Reason.NO_CARD


def test_sixteen_reports_at_once_make_one_loss(real_world):
    account, key = real_world.account(), uuid.uuid4()

    def work(_):
        try:
            return report(account, key=key).reference
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        references = set(pool.map(work, range(16)))

    assert len(references) == 1
    assert LossReport.objects.count() == 1


def test_no_remote_door_can_be_made_into_one_that_lifts_a_loss(world):
    """指南: 为了安全起见，电话和网站不能解挂。"""
    account = world.account()
    doors = [channel for channel in Channel if channel not in {Channel.COUNTER, Channel.LOAD_KIOSK}]

    for channel in doors:
        proof = Proof(account.pk, SecretKind.QUERY, channel, NOW)
        with pytest.raises(WrongDoor):
            AtCounter(Actor.operator(4, role="clerk", channel=channel), DocumentKind.RESIDENT)
        with pytest.raises(WrongDoor):
            AtLoadKiosk(by_holder(account, channel), proof)
        with pytest.raises(WrongDoor):
            AtLoadKiosk(by_holder(account, Channel.LOAD_KIOSK), proof)


@pytest.mark.parametrize("role", ["cashier", "auditor", "merchant", "admin", "holder"])
def test_only_clerks_and_supervisors_serve_at_the_counter(role):
    with pytest.raises(WrongDoor):
        AtCounter(Actor.operator(4, role=role, channel=Channel.COUNTER), DocumentKind.RESIDENT)


def test_the_counter_lifts_a_loss_with_document_and_card(world):
    account = world.account()
    report(account)
    before = version(account)

    standing.lift_loss(account.pk, door=COUNTER, now=NOW)

    card = Card.objects.get(account=account)
    assert (card.lost, card.lost_at, version(account)) == (False, None, before + 1)
    assert AuditEvent.objects.filter(action="card.lift_loss", actor=CLERK.who).exists()


@pytest.mark.parametrize(
    ("door", "reason"),
    [
        (AtCounter(CLERK, DocumentKind.NONE, card_on_reader=True), Reason.DOCUMENT_NEEDED),
        (AtCounter(CLERK, PaperKind.STUDENT_CARD, card_on_reader=True), Reason.DOCUMENT_NEEDED),
        (AtCounter(CLERK, DocumentKind.RESIDENT), Reason.CARD_NOT_HERE),
    ],
    ids=["no document", "no identity document", "no card"],
)
def test_the_counter_needs_document_and_card(world, door, reason):
    account = world.account()
    report(account)

    with pytest.raises(NotAllowed) as refusal:
        standing.lift_loss(account.pk, door=door, now=NOW)

    assert refusal.value.reason is reason
    assert Card.objects.get(account=account).lost


def test_nobody_serves_himself_at_the_counter(world):
    account = world.account()
    report(account)

    with pytest.raises(WrongDoor):
        standing.lift_loss(account.pk, door=replace(COUNTER, own_holder_id=account.holder_id), now=NOW)


def test_the_load_kiosk_lifts_a_loss_with_a_query_password_of_ones_own(world):
    account = world.with_pin(world.account())
    report(account)
    verdict = passwords.verify_query(account.pk, GOOD_PIN, source=LOAD_KIOSK, now=NOW, secrets=SECRETS)

    standing.lift_loss(account.pk, door=at_load_kiosk(account, verdict), now=NOW)

    assert not Card.objects.get(account=account).lost


def test_with_the_initial_password_the_kiosk_asks_for_a_new_one_first(world):
    account = world.account(id_number="370202200409170114")
    report(account)
    verdict = passwords.verify_query(account.pk, "170114", source=LOAD_KIOSK, now=NOW, secrets=SECRETS)

    with pytest.raises(NotAllowed) as refusal:
        standing.lift_loss(account.pk, door=at_load_kiosk(account, verdict), now=NOW)

    assert refusal.value.reason is Reason.CHANGE_PASSWORD_FIRST


@pytest.mark.parametrize(("seconds", "accepted"), [(180, True), (181, False), (-1, False)])
def test_a_proof_at_the_kiosk_lasts_three_minutes(world, seconds, accepted):
    account = world.with_pin(world.account())
    report(account)
    verdict = passwords.verify_query(account.pk, GOOD_PIN, source=LOAD_KIOSK, now=NOW, secrets=SECRETS)
    later = NOW + timedelta(seconds=seconds)

    if accepted:
        standing.lift_loss(account.pk, door=at_load_kiosk(account, verdict), now=later)
    else:
        with pytest.raises(WrongDoor):
            standing.lift_loss(account.pk, door=at_load_kiosk(account, verdict), now=later)


def test_the_proof_of_one_holder_does_not_serve_another(world):
    one, two = world.with_pin(world.account()), world.account()
    report(two)
    verdict = passwords.verify_query(one.pk, GOOD_PIN, source=LOAD_KIOSK, now=NOW, secrets=SECRETS)

    with pytest.raises(WrongDoor):
        standing.lift_loss(two.pk, door=at_load_kiosk(one, verdict), now=NOW)


def test_a_replaced_card_stays_lost(world):
    """Requirements 3.1, forbidden: un-loss of REPLACED. A live old card would be a second purse (A22)."""
    account = world.account()
    cards.replace(Card.objects.get(account=account).pk, by=BY)

    with pytest.raises(NotAllowed) as refusal:
        standing.lift_loss(account.pk, door=COUNTER, now=NOW)

    assert refusal.value.reason is Reason.CARD_ENDED


def test_lifting_a_loss_never_clears_a_freeze_and_unfreezing_never_clears_a_loss(world):
    """Reading A8: otherwise the un-loss at a kiosk would be a self-unfreeze."""
    account = world.account()
    report(account)
    standing.freeze(account.pk, [FreezeReason.BY_HAND], by=BY)

    standing.lift_loss(account.pk, door=COUNTER, now=NOW)
    still_frozen = Account.objects.get(pk=account.pk).frozen
    report(account)
    standing.unfreeze(account.pk, door=SUPERVISOR, open_items_fen=0, now=NOW, reason="checked")

    assert still_frozen
    assert not Account.objects.get(pk=account.pk).frozen
    assert Card.objects.get(account=account).lost


def test_a_freeze_is_noted_once_and_gathers_its_reasons(world):
    account = world.account()
    before = version(account)

    changed = [
        standing.freeze(account.pk, [FreezeReason.CARD_ABOVE_BOOK], by=BY),
        standing.freeze(account.pk, [FreezeReason.CARD_ABOVE_BOOK], by=replace(BY, now=NOW + timedelta(1))),
        standing.freeze(account.pk, [FreezeReason.LATE_UPLOAD], by=replace(BY, now=NOW + timedelta(2))),
    ]

    account.refresh_from_db()
    assert changed == [True, False, True]
    assert account.frozen_reasons == ["card_above_book", "late_upload"]
    assert account.frozen_at == NOW
    assert account.version == before + 2
    assert AuditEvent.objects.filter(action="account.freeze").count() == 2


@pytest.mark.parametrize(
    ("book_fen", "card_fen", "open_items_fen", "reason"),
    [
        (0, 0, 0, None),
        (-1, 0, 0, Reason.BOOK_NEGATIVE),
        (1_10, 2_40, 0, Reason.DIFFERENCE_OPEN),
        (1_10, 2_40, 1_30, None),
        (1_10, 2_40, 1_29, Reason.DIFFERENCE_OPEN),
    ],
    ids=["level", "book -0.01", "torn, unexplained", "torn, posted as open item", "off by one fen"],
)
def test_unfreezing_needs_a_book_and_no_unexplained_difference(
    world, book_fen, card_fen, open_items_fen, reason
):
    """S4: only with book >= 0 and difference 0, or the posted open list, after the action."""
    account = world.account()
    standing.freeze(account.pk, [FreezeReason.BY_HAND], by=BY)
    with undone():
        Account.objects.filter(pk=account.pk).update(book_fen=book_fen)
        Card.objects.filter(account=account).update(load_total_fen=card_fen, seen_at=NOW)

        try:
            standing.unfreeze(account.pk, door=SUPERVISOR, open_items_fen=open_items_fen, now=NOW, reason="x")
            refused = None
        except NotAllowed as refusal:
            refused = refusal.reason

        assert refused is reason
        assert Account.objects.get(pk=account.pk).frozen is (reason is not None)


def test_unfreezing_needs_the_card_on_the_reader(world):
    account = world.account()
    standing.freeze(account.pk, [FreezeReason.BY_HAND], by=BY)
    Card.objects.filter(account=account).update(seen_at=NOW)

    with pytest.raises(NotAllowed) as refusal:
        standing.unfreeze(
            account.pk, door=replace(SUPERVISOR, card_on_reader=False), open_items_fen=0, now=NOW, reason="x"
        )

    assert refusal.value.reason is Reason.CARD_NOT_HERE
