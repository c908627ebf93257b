"""What a holder wants to be told: he says it on the site, or stops his letters by a link in one of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor, Channel
from accounts.alerts import Choice, read_choice
from accounts.models import Account, AccountLife, AlertChoice, AlertContact, AlertWay
from accounts.services import audit
from accounts.services.errors import NotAllowed, Reason


@transaction.atomic
def choose(account_id: int, wanted: Choice, *, actor: Actor, now: datetime) -> bool:
    """Keep what this holder wants to hear of from now on. Returns whether anything changed.

    Nothing that happened before is told: watching begins with the next movement, and a book that is low already counts
    as told (the page says so at once). Raises ``NotAllowed`` for an account that has ended.
    """
    account = Account.objects.only("life", "entry_seq", "book_fen").get(pk=account_id)
    if account.life == AccountLife.CLOSED:
        raise NotAllowed(Reason.ACCOUNT_ENDED)
    row = _locked(account, now)
    before = read_choice(row)
    if before == wanted:
        return False
    if wanted.looks_at_money and not before.looks_at_money:
        row.seen_seq = account.entry_seq
    if wanted.low_fen != before.low_fen:
        row.low_told = wanted.low_fen is not None and account.book_fen < wanted.low_fen
    row.low_fen, row.spend_fen, row.waiting = wanted.low_fen, wanted.spend_fen, wanted.waiting
    for way in AlertWay:
        setattr(row, way, sorted(wanted.letters.get(way, ())))
    row.language, row.amounts, row.quiet = wanted.language, wanted.amounts, wanted.quiet
    row.changed_at = now
    row.save()
    deed = audit.Deed("alerts.change", "account", account_id, _plain(before), _plain(wanted))
    audit.record(deed, actor=actor, now=now)
    return True


@transaction.atomic
def stop_letters(contact_uid: UUID, *, place: str, now: datetime) -> None:
    """Send nothing any more to this address: who has the link has the letter. Safe to repeat.

    An address that is not in use any more gets nothing anyway.
    """
    contact = AlertContact.objects.select_related("account__holder").filter(uid=contact_uid).first()
    if contact is None:
        return
    row = AlertChoice.objects.select_for_update().filter(pk=contact.account_id).first()
    if row is None or not getattr(row, contact.way):
        return
    before = {contact.way: list(getattr(row, contact.way))}
    setattr(row, contact.way, [])
    row.changed_at = now
    row.save(update_fields=[contact.way, "changed_at"])
    deed = audit.Deed("alerts.stop", "account", contact.account_id, before, {contact.way: []})
    actor = Actor.holder(contact.account.holder.uid, channel=Channel.WEB, place=place)
    audit.record(deed, actor=actor, now=now)


def _locked(account: Account, now: datetime) -> AlertChoice:
    usual = {"seen_seq": account.entry_seq, "changed_at": now}
    AlertChoice.objects.get_or_create(pk=account.pk, defaults=usual)
    return AlertChoice.objects.select_for_update().get(pk=account.pk)


def _plain(choice: Choice) -> dict[str, Any]:
    """As JSON has it; no address is in it."""
    return {
        "low_fen": choice.low_fen,
        "spend_fen": choice.spend_fen,
        "money_waiting": choice.waiting,
        **{way.value: sorted(choice.letters.get(way, ())) for way in AlertWay},
        "language": choice.language,
        "amounts": choice.amounts,
        "quiet": choice.quiet,
    }
