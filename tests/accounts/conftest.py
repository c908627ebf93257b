"""People, accounts, cards and doors for the tests of this room; all numbers are made up."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from accounts.actors import Actor, AtCounter, AtLoadKiosk, Channel
from accounts.checks.idnumber import check_character
from accounts.keys import Secrets
from accounts.models import Campus, CardLife, DocumentKind, HolderKind, SecretKind, ServiceKind
from accounts.services import accounts, cards, holders, passwords
from accounts.services.rows import By
from accounts.services.throttle import Source
from purse.policy import Policy

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
SECRETS = Secrets(
    peppers={2: b"p2" * 16, 1: b"p1" * 16}, field_keys={7: b"f7" * 16, 3: b"f3" * 16}, index_key=b"ix" * 16
)
ID_NUMBER = "370202200409170114"
DEFAULT_PIN = "170114"
GOOD_PIN = "408273"
OTHER_PIN = "937150"
CLERK = Actor.operator(4, role="clerk", channel=Channel.COUNTER, place="desk-1")
BY = By(CLERK, NOW, "test")
COUNTER = AtCounter(CLERK, DocumentKind.RESIDENT, card_on_reader=True)
WEB = Source.web("192.0.2.7")
PHONE = Source.phone("053212345678", call="c1")
QUERY_KIOSK = Source.kiosk(11, loads=False)
LOAD_KIOSK = Source.kiosk(12, loads=True)
POS = Source.pos(21)


class World:
    """Makes people with accounts and cards."""

    def __init__(self) -> None:
        self.campus = Campus.objects.create(code="laoshan", name_zh="崂山校区", name_en="Laoshan")
        self._made = 0

    def person(self, **fields):
        """Register a holder; every one has an own school number, and by default an own identity number."""
        self._made += 1
        head = f"3702022004{self._made % 12 + 1:02d}17{self._made % 999 + 1:03d}"
        person = holders.Person(
            school_no=f"2023{self._made:07d}",
            name="张三丰",
            kind=HolderKind.STUDENT,
            campus=self.campus,
            document_kind=DocumentKind.RESIDENT,
            id_number=head + check_character(head),
        )
        return holders.register(replace(person, **fields), actor=CLERK, now=NOW, secrets=SECRETS)

    def account(self, holder=None, *, kind=ServiceKind.FORMAL, card=True, pending=False, **person):
        """Open an account, with a card in use unless ``card`` is false."""
        holder = holder or self.person(**person)
        order = accounts.Order(holder.pk, kind, self.campus, pending=pending)
        account = accounts.open_account(order, by=BY, policy=Policy(), secrets=SECRETS).account
        if card:
            self.card(account)
        return account

    def card(self, account, uid=None):
        """Issue a card and take it into use."""
        blank = cards.prepare(cards.NewCard(account.pk, ServiceKind(account.kind), date(2030, 6, 30)), by=BY)
        cards.issue(blank.pk, uid or f"{0xA0000000 + blank.pk:08X}", by=BY)
        return cards.move(blank.pk, CardLife.ACTIVE, by=BY)

    def with_pin(self, account, pin=GOOD_PIN, kind=SecretKind.QUERY):
        """Let the holder type a password at the counter."""
        passwords.set_pin(account.pk, kind, pin, pin, door=COUNTER, now=NOW, secrets=SECRETS)
        return account


@pytest.fixture
def world(db):
    return World()


@pytest.fixture
def real_world(transactional_db):
    """The same with real commits, for tests with threads."""
    return World()


def at_load_kiosk(account, verdict, *, now=NOW):
    """The door of somebody who typed a right password at a load kiosk."""
    assert verdict.proof is not None
    actor = Actor.holder(account.holder.uid, channel=Channel.LOAD_KIOSK, place="kiosk:12")
    return AtLoadKiosk(actor, verdict.proof)


@contextmanager
def undone():
    """Undo at the end what a test wrote past the services, such as a book without entries."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
