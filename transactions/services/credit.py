"""Money that comes in without a card on a reader: it waits as unclaimed (待领) for the next tap that may load."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.models import Account, AccountLife
from transactions import ledger
from transactions.ledger import Change, NewAnswer, NewEntry
from transactions.models import Answer, Contra, EntryKind, Mode
from transactions.services.correcting import account_facts
from transactions.services.orders import KeyReused

OP = "credit"


@dataclass(frozen=True, slots=True)
class Credit:
    """Money for one account. ``fen`` > 0; ``kind`` and ``contra`` say where it comes from."""

    key: uuid.UUID
    account_id: int
    fen: int
    kind: EntryKind = EntryKind.SUBSIDY
    contra: Contra = Contra.SUBSIDY
    contra_ref: int | None = None
    note: str = ""

    def content(self) -> bytes:
        """What makes the same key the same order."""
        return f"{self.account_id}|{self.fen}|{self.kind}|{self.contra}|{self.contra_ref}".encode()


class AccountNotOpen(Exception):
    """Only open accounts take money in; a closing one is being paid out."""


@transaction.atomic
def credit_unclaimed(credit: Credit, *, now: datetime) -> int:
    """Give the account unclaimed money, once for each key. Returns the entry's sequence in the account.

    A frozen or lost card does not matter: nothing is written to it before it is in order again (reading A7). Raises
    ``KeyReused`` for another content under the same key, ``AccountNotOpen``.
    """
    account = Account.objects.select_for_update(no_key=True).get(id=credit.account_id)
    known = Answer.objects.filter(key=credit.key).first()
    if known is not None:
        if bytes(known.asked) != credit.content():
            raise KeyReused(str(credit.key))
        return int(known.entry_seq or 0)
    if account.life != AccountLife.OPEN:
        raise AccountNotOpen(str(account.number))
    written = ledger.write(_change(account, credit, now))
    if not written.moved:
        raise IntegrityError("the account changed under its own lock")
    return account.entry_seq + 1


def _change(account: Account, credit: Credit, now: datetime) -> Change:
    seq = account.entry_seq + 1
    entry = NewEntry(
        seq=seq,
        kind=credit.kind,
        book_change_fen=0,
        unclaimed_change_fen=credit.fen,
        book_after_fen=account.book_fen,
        unclaimed_after_fen=account.unclaimed_fen + credit.fen,
        contra=credit.contra,
        contra_ref=credit.contra_ref,
        source_key=credit.key,
        occurred_at=now,
        mode=Mode.SERVER,
        note=credit.note,
    )
    return Change(
        before=account_facts(account),
        book_fen=account.book_fen,
        unclaimed_fen=account.unclaimed_fen + credit.fen,
        spent_on=account.spent_on,
        spent_fen=account.spent_fen,
        frozen_reasons=tuple(account.frozen_reasons),
        now=now,
        entries=(entry,),
        answer=NewAnswer(credit.key, OP, credit.content(), {"entry": seq}, entry_seq=seq),
    )
