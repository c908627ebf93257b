"""Beginning the closings of many: people who left, chosen together, looked at together, begun in slices.

Only the beginning is done for all: from then on the days for late records count. What is paid out is decided account
by account and by two people (``services.closing``). A slice is one transaction; whoever asks for the next one may be
killed anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import (
    Account,
    AccountLife,
    ClosingBatch,
    ClosingItem,
    ClosingResult,
    ClosingState,
)
from accounts.options import Options
from accounts.services import accounts, audit
from accounts.services.operators import Officer
from accounts.services.rows import By, lock
from reconciliation.closing import Against, closing_of

SLICE = 25
_BLOCKS = frozenset({Against.CLOSED, Against.FROZEN, Against.OPEN_CASE, Against.OPEN_DISPUTE, Against.DEBT})
"""What must be put right first; the rest is what the waiting is for (``services.closing.begin``)."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """Who is chosen: by year and kind, by having left the roster, or by the numbers of a list."""

    year: int | None = None
    kind: str = ""
    left_roster: bool = False
    numbers: tuple[str, ...] = ()
    campus_id: int | None = None


class NobodyChosen(Exception):
    """Nobody of this choice has an account in use."""

    message = _("没有符合条件、还有账户的人员")


def chosen(leaving: Leaving, *, own_holder_id: int | None) -> QuerySet[Account]:
    """The accounts of a choice, by college and number. Nobody closes his own (P4)."""
    found = Account.objects.exclude(life=AccountLife.CLOSED)
    if leaving.numbers:
        found = found.filter(holder__school_no__in=leaving.numbers)
    else:
        found = found.filter(holder__member__isnull=False)
    if leaving.year is not None:
        found = found.filter(holder__member__year=leaving.year)
    if leaving.kind:
        found = found.filter(holder__kind=leaving.kind)
    if leaving.left_roster:
        found = found.filter(holder__member__left_at__isnull=False)
    if leaving.campus_id is not None:
        found = found.filter(campus_id=leaving.campus_id)
    if own_holder_id is not None:
        found = found.exclude(holder_id=own_holder_id)
    return found.order_by("holder__unit", "holder__school_no")


@transaction.atomic
def lay_out(key: UUID, name: str, leaving: Leaving, *, officer: Officer, by: By) -> ClosingBatch:
    """Put a choice on a list to be looked at; no account is touched. The same key is the same list.

    Raises ``NobodyChosen``.
    """
    known = ClosingBatch.objects.filter(key=key).first()
    if known is not None:
        return known
    found = list(chosen(leaving, own_holder_id=officer.holder_id).values_list("pk", "holder__school_no"))
    if not found:
        raise NobodyChosen
    there = {number for _pk, number in found}
    try:
        with transaction.atomic():
            batch = ClosingBatch.objects.create(
                key=key, name=name, campus_id=officer.campus_id, made_by_id=officer.id, made_at=by.now,
                unknown=[number for number in leaving.numbers if number not in there],
            )  # fmt: skip
    except IntegrityError:
        return ClosingBatch.objects.get(key=key)
    ClosingItem.objects.bulk_create(
        [
            ClosingItem(batch=batch, place=place, account_id=pk)
            for place, (pk, _) in enumerate(found, start=1)
        ],
        batch_size=5000,
    )
    deed = audit.Deed("closings.lay_out", "closings", batch.pk, after={"accounts": len(found)})
    audit.record(deed, actor=by.actor, now=by.now)
    return batch


@transaction.atomic
def start(batch_id: int, *, by: By) -> bool:
    """Let a list that was looked at be worked off; False when it is over or under way already."""
    batch = ClosingBatch.objects.select_for_update().get(pk=batch_id)
    if batch.state != ClosingState.READY:
        return False
    batch.state, batch.started_at = ClosingState.RUNNING, by.now
    batch.save(update_fields=["state", "started_at"])
    deed = audit.Deed("closings.start", "closings", batch.pk, reason=by.reason)
    audit.record(deed, actor=by.actor, now=by.now)
    return True


@transaction.atomic
def discard(batch_id: int, *, by: By) -> bool:
    """Put a list away before anything was done with it."""
    batch = ClosingBatch.objects.select_for_update().get(pk=batch_id)
    if batch.state != ClosingState.READY:
        return False
    batch.state, batch.ended_at = ClosingState.DISCARDED, by.now
    batch.save(update_fields=["state", "ended_at"])
    audit.record(audit.Deed("closings.discard", "closings", batch.pk), actor=by.actor, now=by.now)
    return True


@transaction.atomic
def advance(batch_id: int, *, by: By, options: Options) -> bool:
    """Begin the next closings of a list under way; True when it is over. Ask again until then.

    Each account is looked at anew under its lock; what stands against it is noted, and it stays as it is.
    """
    batch = ClosingBatch.objects.select_for_update(skip_locked=True).filter(pk=batch_id).first()
    if batch is None or batch.state != ClosingState.RUNNING:
        return batch is not None
    items = list(batch.items.filter(result=ClosingResult.WAITING).order_by("place")[:SLICE])
    for item in sorted(items, key=lambda each: each.account_id):
        against = _begin(item.account_id, by=by, options=options)
        item.result = ClosingResult.REFUSED if against else ClosingResult.STARTED
        item.reason, item.done_at = against.value if against else "", by.now
    ClosingItem.objects.bulk_update(items, ["result", "reason", "done_at"])
    if len(items) == SLICE:
        return False
    batch.state, batch.ended_at = ClosingState.DONE, by.now
    batch.save(update_fields=["state", "ended_at"])
    audit.record(audit.Deed("closings.done", "closings", batch.pk), actor=by.actor, now=by.now)
    return True


def _begin(account_id: int, *, by: By, options: Options) -> Against | None:
    """Begin one closing, or say what stands against it."""
    account = lock(account_id)
    if account.life != AccountLife.OPEN:
        return Against.NOT_CLOSING if account.life == AccountLife.PENDING else Against.CLOSED
    found: Sequence[Against] = closing_of(account_id, now=by.now, options=options).against
    against = next((each for each in found if each in _BLOCKS), None)
    if against is None:
        accounts.begin_closing(account_id, by=by)
    return against
