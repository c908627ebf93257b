"""The ten services: open by class, by grant until a day, never against the standing (R002, R003, R057; A18)."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from accounts.actors import AtCounter
from accounts.models import Card, CardLife, Service, ServiceGrant, ServiceKind
from accounts.papers import PaperKind
from accounts.rights import Denial, rights_of
from accounts.services import accounts, cards, rights, standing
from accounts.services.errors import NotAllowed
from accounts.services.rights import GrantOrder
from purse.rules import FreezeReason
from tests.accounts.conftest import BY, CLERK, NOW
from tests.accounts.doors import may_use

TODAY = NOW.date()
DOOR = AtCounter(CLERK, PaperKind.RESIDENT, document_note="agrees")
PAYING = ("canteen", "shop", "bus", "bath", "bank_transfer")
IDENTIFYING = ("lending", "library_gate", "pc_room", "dorm_door", "identity")


def grant(account, *services: Service, until=TODAY + timedelta(days=30), key=None):
    order = GrantOrder(key or uuid.uuid4(), account.pk, services, until)
    return rights.grant(order, door=DOOR, now=NOW)


def why_not(act) -> str:
    before = ServiceGrant.objects.count()
    with pytest.raises(NotAllowed) as caught:
        act()
    assert ServiceGrant.objects.count() == before
    return str(caught.value)


def test_there_are_ten_services():
    assert sorted(Service.values) == sorted((*PAYING, *IDENTIFYING))


@pytest.mark.parametrize("service", Service, ids=str)
def test_each_service_is_accepted_on_a_formal_card(world, service):
    assert may_use(world.account().pk, service, today=TODAY) is None


@pytest.mark.parametrize("service", Service, ids=str)
def test_each_service_on_a_named_card_pays_but_does_not_identify(world, service):
    """指南 L17: consumption and simple management; refused at the dorm door."""
    account = world.account(kind=ServiceKind.NAMED)

    refused = may_use(account.pk, service, today=TODAY)

    assert refused == (None if service.value in PAYING else Denial.SERVICE_RIGHT)


@pytest.mark.parametrize(("days", "open_"), [(0, True), (30, True), (31, False)])
def test_a_grant_opens_through_its_last_day(world, days, open_):
    account = world.account(kind=ServiceKind.NAMED)
    grant(account, Service.DORM_DOOR)
    day = TODAY + timedelta(days=days)

    assert may_use(account.pk, Service.DORM_DOOR, today=day) == (None if open_ else Denial.SERVICE_RIGHT)
    assert may_use(account.pk, Service.LENDING, today=day) == Denial.SERVICE_RIGHT
    shown = {right.service: right.open for right in rights_of(account.pk, today=day)}
    assert shown[Service.DORM_DOOR] is open_
    assert sum(shown.values()) == 5 + open_


@pytest.mark.parametrize("kind", ServiceKind, ids=str)
@pytest.mark.parametrize("service", [Service.DORM_DOOR, Service.CANTEEN], ids=str)
@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [
        ("lost", Denial.CARD_LOST),
        ("frozen", Denial.CARD_FROZEN),
        ("expired", Denial.CARD_EXPIRED),
        ("closing", Denial.ACCOUNT_CLOSED),
        ("no card", Denial.CARD_REPLACED),
    ],
)
def test_no_door_opens_against_the_standing(world, kind, service, spoil, refusal):
    """指南 L111: frozen means no identification either, whatever was granted."""
    account = world.account(kind=kind)
    if kind is ServiceKind.NAMED:
        grant(account, Service.DORM_DOOR)
    card = Card.objects.get(account=account)
    match spoil:
        case "lost":
            Card.objects.filter(pk=card.pk).update(lost=True, lost_at=NOW)
        case "frozen":
            standing.freeze(account.pk, [FreezeReason.BY_HAND], by=BY)
        case "expired":
            Card.objects.filter(pk=card.pk).update(expires_on=TODAY - timedelta(days=1))
        case "closing":
            accounts.begin_closing(account.pk, by=BY)
        case _:
            cards.move(card.pk, CardLife.RETURNED, by=BY)

    assert may_use(account.pk, service, today=TODAY) == refusal


def test_a_grant_is_prolonged_by_another_and_both_stay_on_record(world):
    account = world.account(kind=ServiceKind.NAMED)
    grant(account, Service.LENDING)

    grant(account, Service.LENDING, until=TODAY + timedelta(days=90))

    ends = ServiceGrant.objects.order_by("pk").values_list("until_on", "ended_at")
    assert list(ends) == [(TODAY + timedelta(days=30), NOW), (TODAY + timedelta(days=90), None)]


def test_a_grant_is_ended_at_once_and_cannot_be_ended_twice(world):
    account = world.account(kind=ServiceKind.NAMED)
    grant(account, Service.LENDING)

    rights.revoke(uuid.uuid4(), account.pk, Service.LENDING, door=DOOR, now=NOW)

    assert may_use(account.pk, Service.LENDING, today=TODAY) == Denial.SERVICE_RIGHT
    again = lambda: rights.revoke(uuid.uuid4(), account.pk, Service.LENDING, door=DOOR, now=NOW)  # noqa: E731
    assert why_not(again) == "no_service"


def test_the_same_key_grants_once(world):
    account, key = world.account(kind=ServiceKind.NAMED), uuid.uuid4()

    assert grant(account, Service.LENDING, key=key).pk == grant(account, Service.LENDING, key=key).pk
    assert ServiceGrant.objects.count() == 1


@pytest.mark.parametrize(("days", "why"), [(-1, "bad_day"), (0, None)])
def test_a_grant_does_not_lie_behind(world, days, why):
    account = world.account(kind=ServiceKind.NAMED)
    act = lambda: grant(account, Service.LENDING, until=TODAY + timedelta(days=days))  # noqa: E731

    assert (why_not(act) if why else act() and None) == why


def test_a_grant_ends_no_later_than_the_card(world):
    account = world.account(kind=ServiceKind.NAMED)
    last = Card.objects.get(account=account).expires_on

    assert why_not(lambda: grant(account, Service.LENDING, until=last + timedelta(days=1))) == "after_expiry"
    assert grant(account, Service.LENDING, until=last)


def test_only_what_identifies_is_granted_and_only_to_named_cards(world):
    assert why_not(lambda: grant(world.account(), Service.LENDING)) == "no_grant_needed"
    named = world.account(kind=ServiceKind.NAMED)
    assert why_not(lambda: grant(named, Service.CANTEEN)) == "no_service"
    assert why_not(lambda: grant(named)) == "no_service"


def test_the_database_keeps_a_grant_as_it_was(world):
    account = world.account(kind=ServiceKind.NAMED)
    grant(account, Service.LENDING)
    rows = ServiceGrant.objects.all()

    for change in ({"until_on": TODAY + timedelta(days=999)}, {"service": "identity"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**change)
    rows.update(ended_at=NOW, ended_by="operator:1")
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.update(ended_at=NOW + timedelta(days=1))
    with pytest.raises(DatabaseError), transaction.atomic():
        ServiceGrant.objects.all().delete()
