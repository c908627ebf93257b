"""What clerks have done for single holders in the last days: bank cards bound, and what waits for a second person."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from accounts import wiring
from accounts.actors import Actor, AtCounter, Channel
from accounts.models import Account, DocumentKind, OperatorRole, Request
from accounts.services import approvals, staffing
from accounts.services.approvals import Ask
from accounts.services.operators import Hand, Officer
from accounts.services.papers import AGREES
from accounts.services.served import LIMIT_KIND, limit_content
from accounts.services.staffing import NewStaff, Post
from banking.models import Binding
from banking.numbers import passes_luhn
from banking.services import bindings
from banking.services.bindings import BankCard
from ecard.demo.places import DESK_NAME, DESK_NAME_EN
from purse.policy import Policy

CONFIRMED: Final = (10086, 10092, 20_003, 20_008, 20_011, 20_017, 20_021)
PENDING: Final = (10088, 20_005, 20_019)
"""Named by the bank's file; they have to come with document and bank card (guide L47)."""
WANTS_LIMIT: Final = 20_008
LIMIT_FEN: Final = 600_00


def bind_bank_cards(clerk: Officer, now: datetime) -> None:
    """Some have bound their bank card at the desk, some have still to confirm what the bank has sent. Once."""
    if Binding.objects.exists():
        return
    ids = dict(Account.objects.filter(number__in=(*CONFIRMED, *PENDING)).values_list("number", "pk"))
    actor = Actor.operator(clerk.id, role=clerk.role, channel=Channel.COUNTER, place="demo")
    door = AtCounter(actor, DocumentKind.RESIDENT, document_note=AGREES)
    for days, number in enumerate(CONFIRMED, start=2):
        card = BankCard(bank_card_number(number), DESK_NAME, DESK_NAME_EN)
        at = now - timedelta(days=days, hours=3)
        bindings.bind(
            ids[number], card, key=_key(f"bind-{number}"), door=door, now=at, secrets=wiring.secrets()
        )
    for number in PENDING:
        card = BankCard(bank_card_number(number))
        at = now - timedelta(hours=20)
        file = Actor.system("bank file")
        bindings.propose(ids[number], card, actor=file, now=at, secrets=wiring.secrets())


def ask_for_a_second(clerk: Officer, admin: Officer, now: datetime) -> None:
    """A limit above the maximum waits for a supervisor, a new cashier for the other administrator. Once."""
    if Request.objects.exists():
        return
    account_id = Account.objects.values_list("pk", flat=True).get(number=WANTS_LIMIT)
    ask = Ask(
        key=_key("limit"),
        kind=LIMIT_KIND,
        content=limit_content(account_id, LIMIT_FEN),
        reason="带队实习，要为全组订餐，持学院证明",
        account_id=account_id,
    )
    at = now - timedelta(hours=2)
    approvals.propose(ask, hand=Hand(clerk.id, "demo", at), now=at, policy=Policy())
    new = NewStaff("lishouyin", "李收银", Post(OperatorRole.CASHIER, "yushan"))
    hand = Hand(admin.id, "demo", at)
    staffing.propose_new(
        _key("new cashier"), new, "鱼山师苑餐厅增开充值点", hand=hand, now=at, policy=Policy()
    )


def bank_card_number(account_no: int) -> str:
    """A card of nobody: a savings prefix of the demo's bank, and the right check digit."""
    body = f"{settings.BANK_CARD_BINS[0]:0<6}0000{account_no:05d}000"
    return next(f"{body}{digit}" for digit in range(10) if passes_luhn(f"{body}{digit}"))


def _key(name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"demo-{name}")
