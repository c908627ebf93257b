"""Every state of card and account before every kind of door, against a table of its own (R002, R003, R057, S3)."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

from accounts.models import Account, AccountLife, Card, CardLife, Service, ServiceKind
from accounts.rights import Denial, Door, denial_of
from tests import faults

TODAY = date(2026, 11, 23)
HERE, AWAY = 1, 2
SERVICES = (Service.DORM_DOOR, Service.LENDING, Service.BUS)
"""One of each kind: of one campus, identifying, neither."""
DEAD = {"blank", "replaced", "returned", "damaged", "void"}
IDENTIFYING = {"lending", "library_gate", "pc_room", "dorm_door", "identity"}


def expected(card, account, service, *, proven, granted, campus) -> str | None:
    """The first line that applies, as docs/identity-api.md lists them."""
    over = card.life == "expired" or (card.expires_on is not None and card.expires_on < TODAY)
    table = (
        ("card_replaced", card.life in DEAD),
        ("account_closed", account.life != "open"),
        ("card_lost", card.lost),
        ("card_frozen", account.frozen_reasons != []),
        ("card_expired", over),
        ("card_suspect", proven not in (None, account.number)),
        ("service_right", account.kind == "named" and service in IDENTIFYING and not granted),
        ("other_campus", service == "dorm_door" and campus != account.campus_id),
    )
    return next((reason for reason, applies in table if applies), None)


def test_every_state_before_every_door_gets_the_first_reason_that_applies():
    """S3: frozen or lost, no identification on any channel; both sides of the last day."""
    cases, wrong, seen = 0, [], set()
    states = product(
        CardLife.values, AccountLife.values, (False, True), ([], ["by_hand"]),
        (None, TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=1)), ServiceKind.values,
    )  # fmt: skip
    for card_life, account_life, lost, frozen, expires_on, kind in states:
        account = Account(number=10086, campus_id=HERE, kind=kind, life=account_life, frozen_reasons=frozen)
        card = Card(account=account, life=card_life, lost=lost, expires_on=expires_on)
        for service, proven, granted, campus in product(
            SERVICES, (None, 10086, 10087, 0), (None, TODAY), (HERE, AWAY)
        ):
            found = denial_of(card, Door(service, campus, TODAY, proven), granted)
            want = expected(card, account, service.value, proven=proven, granted=granted, campus=campus)
            cases += 1
            seen.add(want)
            if found != want:
                wrong.append((card_life, account_life, lost, frozen, expires_on, kind, service, found, want))

    faults.report("IDENTITY_REASONS", cases, len(wrong))
    assert wrong[:5] == []
    assert seen == {None, *(denial.value for denial in Denial if denial is not Denial.UNKNOWN)}
