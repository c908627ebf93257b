"""Binding a bank card to an account at the counter, with document and bank card in hand (guide L45, L47).

One account has one bank card and one bank card one account, among the active ones; two partial unique indexes hold
it, whoever comes at the same moment. The account row is locked first, as for everything about an account.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.actors import Actor, AtCounter
from accounts.keys import Secrets
from accounts.models import AccountLife, CounterDeed, DeedKind
from accounts.sealing import Place, seal, unseal
from accounts.services import audit, deeds
from accounts.services.passwords import refuse_own
from accounts.services.rows import lock
from banking.models import ACTIVE, Binding, BindingState
from banking.numbers import masked
from banking.services.errors import NotBound, Problem


@dataclass(frozen=True, slots=True, repr=False)
class BankCard:
    """A parsed number (``banking.numbers``) and the desk, in words, where it was bound."""

    number: str
    place_zh: str = ""
    place_en: str = ""

    def __repr__(self) -> str:
        return "BankCard(…)"


@transaction.atomic(durable=True)
def bind(
    account_id: int, card: BankCard, *, key: uuid.UUID, door: AtCounter, now: datetime, secrets: Secrets
) -> CounterDeed:
    """Bind the bank card that the holder shows, confirmed from now on; in place of another one if there is any.

    Frozen and lost accounts may: nothing about the card changes. Safe to repeat under the same key. Raises
    ``NotBound``, ``deeds.KeyReused`` and ``actors.WrongDoor``.
    """
    index = index_of(card.number, secrets)
    asked = deeds.Asked(key, DeedKind.BIND, {"account": account_id, "card": index.hex()})
    known = deeds.begin(asked)
    if known is not None:
        return known
    account = lock(account_id)
    refuse_own(account, door)
    if account.life != AccountLife.OPEN:
        raise NotBound(Problem.ACCOUNT_ENDED)
    before = _active(account_id)
    if before is not None and bytes(before.number_index) == index and before.state == BindingState.CONFIRMED:
        raise NotBound(Problem.HAS_BINDING)
    if before is not None:
        _end(before, now=now)
    made = _insert(_new(account_id, card, index, secrets, by=door.actor, now=now))
    shown = masked(made.first_four, made.last_four)
    facts = {"bank_card": shown, "before": masked(before.first_four, before.last_four) if before else ""}
    _audit("binding.bind", made, door, now, before=facts["before"])
    return deeds.note(asked, deeds.Done(account_id, facts=facts), door=door, now=now)


@transaction.atomic
def propose(account_id: int, card: BankCard, *, actor: Actor, now: datetime, secrets: Secrets) -> Binding:
    """Note a mapping that the bank's file names; it counts for nothing until a center confirms it (guide L47).

    Raises ``NotBound``.
    """
    account = lock(account_id)
    if account.life != AccountLife.OPEN:
        raise NotBound(Problem.ACCOUNT_ENDED)
    if _active(account_id) is not None:
        raise NotBound(Problem.HAS_BINDING)
    row = _new(account_id, card, index_of(card.number, secrets), secrets, by=actor, now=now)
    row.state, row.confirmed_at = BindingState.PENDING, None
    made = _insert(row)
    deed = audit.Deed("binding.propose", "binding", made.uid, after={"account": account_id})
    audit.record(deed, actor=actor, now=now)
    return made


@transaction.atomic(durable=True)
def confirm(
    account_id: int, card: BankCard, *, key: uuid.UUID, door: AtCounter, now: datetime, secrets: Secrets
) -> CounterDeed:
    """Confirm a pending mapping: the holder shows document and that very bank card. Raises ``NotBound``."""
    index = index_of(card.number, secrets)
    asked = deeds.Asked(key, DeedKind.CONFIRM_BINDING, {"account": account_id, "card": index.hex()})
    known = deeds.begin(asked)
    if known is not None:
        return known
    account = lock(account_id)
    refuse_own(account, door)
    row = _active(account_id)
    if account.life != AccountLife.OPEN:
        raise NotBound(Problem.ACCOUNT_ENDED)
    if row is None or row.state != BindingState.PENDING:
        raise NotBound(Problem.NOT_PENDING)
    if bytes(row.number_index) != index:
        raise NotBound(Problem.OTHER_CARD)
    row.state, row.confirmed_at = BindingState.CONFIRMED, now
    row.save(update_fields=["state", "confirmed_at"])
    _audit("binding.confirm", row, door, now)
    facts = {"bank_card": masked(row.first_four, row.last_four), "before": ""}
    return deeds.note(asked, deeds.Done(account_id, facts=facts), door=door, now=now)


@transaction.atomic(durable=True)
def unbind(account_id: int, *, key: uuid.UUID, door: AtCounter, now: datetime) -> CounterDeed:
    """End the binding of an account, in whatever state the account is. Raises ``NotBound``."""
    asked = deeds.Asked(key, DeedKind.UNBIND, {"account": account_id})
    known = deeds.begin(asked)
    if known is not None:
        return known
    account = lock(account_id)
    refuse_own(account, door)
    row = _active(account_id)
    if row is None:
        raise NotBound(Problem.NOT_BOUND)
    _end(row, now=now)
    _audit("binding.unbind", row, door, now)
    facts = {"bank_card": masked(row.first_four, row.last_four)}
    return deeds.note(asked, deeds.Done(account_id, facts=facts), door=door, now=now)


def bank_card_of(binding: Binding, secrets: Secrets) -> str:
    """The whole number, for a message to the bank; never for a screen."""
    return unseal(bytes(binding.number_sealed), _place(binding.uid), secrets)


def forget(account_ids: Collection[int], *, now: datetime) -> int:
    """Forget the bank cards of accounts that were closed long ago; returns how many. What is still bound ends first."""
    rows = Binding.objects.filter(account_id__in=account_ids, erased_at__isnull=True)
    rows.filter(state__in=ACTIVE).update(state=BindingState.ENDED, ended_at=now)
    return rows.update(number_sealed=b"", number_index=b"", first_four="", last_four="", erased_at=now)


def index_of(number: str, secrets: Secrets) -> bytes:
    """The blind index under which a binding with this bank card is found."""
    return secrets.blind("bank_card", number)


def _active(account_id: int) -> Binding | None:
    return Binding.objects.filter(account_id=account_id, state__in=ACTIVE).first()


def _new(
    account_id: int, card: BankCard, index: bytes, secrets: Secrets, *, by: Actor, now: datetime
) -> Binding:
    uid = uuid.uuid4()
    return Binding(
        uid=uid,
        account_id=account_id,
        number_sealed=seal(card.number, _place(uid), secrets),
        number_index=index,
        first_four=card.number[:4],
        last_four=card.number[-4:],
        state=BindingState.CONFIRMED,
        bound_at=now,
        bound_by=by.who,
        bound_place_zh=card.place_zh,
        bound_place_en=card.place_en,
        confirmed_at=now,
    )


def _insert(row: Binding) -> Binding:
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        if "binding_one_active_per_bank_card" in str(error):
            raise NotBound(Problem.BANK_CARD_TAKEN) from None
        raise
    return row


def _end(row: Binding, *, now: datetime) -> None:
    row.state, row.ended_at = BindingState.ENDED, now
    row.save(update_fields=["state", "ended_at"])


def _audit(action: str, row: Binding, door: AtCounter, now: datetime, *, before: str = "") -> None:
    after = {"account": row.account_id, "state": row.state, "last_four": row.last_four, **door.noted}
    deed = audit.Deed(action, "binding", row.uid, before={"bank_card": before} if before else {}, after=after)
    audit.record(deed, actor=door.actor, now=now)


def _place(uid: uuid.UUID) -> Place:
    return Place("banking_binding", "number", uid)
