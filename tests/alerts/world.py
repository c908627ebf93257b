"""Somebody who wants to hear of things, a carrier that remembers, and money that moves."""

from __future__ import annotations

import itertools
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor, Channel
from accounts.alerts import Choice, choice_of
from accounts.kinds import AlertGroup, AlertWay
from accounts.models import Account, AlertContact, Notice
from accounts.services import alertcontacts, alertpost, alertqueue
from accounts.services.alerts import choose
from accounts.wiring import secrets
from tests.campus import make_campus
from transactions import ledger
from transactions.ledger import AccountFacts, Change, NewEntry
from transactions.models import Contra, EntryKind, Mode
from transactions.services.alerts import tell_of_movements

DAYTIME = timezone.now().replace(hour=4, minute=0, second=0, microsecond=0)
"""Noon in Shanghai, today: no night keeps a letter back."""
_numbers = itertools.count(61_000)


def me(account: Account) -> Actor:
    """This holder, on the web."""
    return Actor.holder(account.holder.uid, channel=Channel.WEB, place="10.0.0.9")


def wish(account: Account, *, now: datetime = DAYTIME, **fields) -> None:
    """Choose some things, and leave the rest as it was."""
    choose(account.pk, replace(choice_of(account.pk), **fields), actor=me(account), now=now)


def by(*groups: AlertGroup, way: AlertWay = AlertWay.MAIL) -> dict[AlertWay, frozenset[AlertGroup]]:
    """Letters about these groups."""
    return {way: frozenset(groups)}


def address(
    account: Account,
    text: str = "zhang.san@example.com",
    way: AlertWay = AlertWay.MAIL,
    *,
    now: datetime = DAYTIME,
) -> AlertContact:
    """An address that was confirmed: asked for, code read, code typed; its letter with the code is out of the way."""
    alertcontacts.ask(
        account.pk, way, text, source=f"web:{account.pk}", actor=me(account), now=now, secrets=secrets()
    )
    contact = AlertContact.objects.get(account=account, way=way)
    code = alertcontacts.code_of(contact, secrets())
    answer = alertcontacts.confirm(account.pk, way, code, actor=me(account), now=now, secrets=secrets())
    assert answer is alertcontacts.Answer.CONFIRMED
    contact.deliveries.all().delete()
    contact.refresh_from_db()
    return contact


def move(
    account: Account,
    fen: int,
    kind: EntryKind = EntryKind.PURCHASE,
    *,
    unclaimed_fen: int = 0,
    at: datetime = DAYTIME,
) -> int:
    """Post one movement without a card. Returns its number."""
    account.refresh_from_db()
    _, merchant = make_campus()
    sale = kind in (EntryKind.PURCHASE, EntryKind.OFFLINE_SALE, EntryKind.VOID)
    inside = fen + unclaimed_fen == 0
    contra = Contra.NONE if inside else Contra.MERCHANT if sale else Contra.SUBSIDY
    seq = account.entry_seq + 1
    book, unclaimed = account.book_fen + fen, account.unclaimed_fen + unclaimed_fen
    before = AccountFacts(
        account.id, account.number, "open", tuple(account.frozen_reasons), account.daily_limit_fen,
        account.book_fen, account.unclaimed_fen, account.entry_seq, account.version, None, 0,
    )  # fmt: skip
    entry = NewEntry(
        seq, kind, fen, unclaimed_fen, book, unclaimed, contra, merchant.id if sale else None, uuid.uuid4(), at,
        Mode.SERVER,
    )  # fmt: skip
    with transaction.atomic():
        ledger.write(Change(before, book, unclaimed, None, 0, (), at, entries=(entry,)))
    account.refresh_from_db()
    return seq


def close(account: Account) -> None:
    """End the account, as closing and paying out do."""
    account.refresh_from_db()
    if account.book_fen:
        move(account, -account.book_fen)
    account.cards.update(life="returned")
    Account.objects.filter(pk=account.pk).update(life="closing")
    Account.objects.filter(pk=account.pk).update(life="closed", closed_at=DAYTIME)


def told(account: Account) -> list[tuple[str, str]]:
    """What a holder was told, oldest first: kind and cause."""
    return list(Notice.objects.filter(account=account).order_by("id").values_list("kind", "about"))


@dataclass
class Bag:
    """A carrier that keeps what it carried, and fails as it is told to."""

    letters: list[alertpost.Letter] = field(default_factory=list)
    fails: list[Exception | None] = field(default_factory=list)
    shut: bool = False

    @contextmanager
    def open(self):
        if self.shut:
            raise alertpost.Unreachable("ConnectionRefusedError")
        yield self.carry

    def carry(self, letter: alertpost.Letter) -> None:
        problem = self.fails.pop(0) if self.fails else None
        if problem is not None:
            raise problem
        self.letters.append(letter)


def work(
    bag: Bag | None = None, *, now: datetime = DAYTIME, way: AlertWay = AlertWay.MAIL
) -> alertpost.Tally:
    """What the job does each minute."""
    alertqueue.tell_standing(now=now)
    tell_of_movements(now=now)
    alertqueue.pass_on(now=now)
    return alertpost.send_due({way: bag or Bag()}, clock=lambda: now, secrets=secrets())


def nothing_chosen() -> Choice:
    """What a holder has who never opened the page."""
    return Choice()


A_MINUTE = timedelta(minutes=1)
