"""Cards for many: accounts opened and blanks noted in one go, spoilt prints made again, cards handed over by the list.

The cards are written one by one at a desk reader (``terminals.services.jobs``, PREPARE). An account of a batch
waits as *pending* until its card is in its holder's hand, so a list that goes astray buys nobody a meal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.checks.idnumber import default_pin
from accounts.keys import Secrets
from accounts.models import (
    LIVE_CARD,
    Account,
    AccountLife,
    Campus,
    Card,
    CardLife,
    Holder,
    HolderKind,
    IssueBatch,
    IssueItem,
    Secret,
    SecretKind,
    ServiceKind,
)
from accounts.services import audit, cards, holders
from accounts.services.accounts import NUMBERS, REST_AFTER_CLOSING, NumbersExhausted
from accounts.services.errors import NotAllowed, Reason
from accounts.services.issuing import refuse_expiry
from accounts.services.operators import Officer
from accounts.services.rows import By, lock
from accounts.services.throttle import SHANGHAI
from purse.policy import Policy

_TRIES = 5
_BATCH = 2500


@dataclass(frozen=True, slots=True)
class Choice:
    """Who gets a card: people of a campus on the roster who have no account, all or narrowed down.

    ``file_id``: those whom this file named last; ``unit`` and ``kind`` as the roster has them.
    """

    campus_id: int
    file_id: UUID | None = None
    kind: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class IssueOrder:
    """A batch to be made. ``expires_on`` is the last day of its cards, None for no end."""

    key: UUID
    name: str
    choice: Choice
    expires_on: date | None = None


class NobodyChosen(Exception):
    """Nobody of this choice is without an account."""

    message = _("没有需要制卡的人员")


def candidates(choice: Choice, *, own_holder_id: int | None) -> QuerySet[Holder]:
    """The people of a choice in the order of the hand-over: college, class, number. Nobody serves himself (P4)."""
    found = Holder.objects.filter(
        campus_id=choice.campus_id,
        kind__in=(HolderKind.STUDENT, HolderKind.STAFF),
        member__isnull=False,
        member__left_at=None,
    ).exclude(accounts__life__in=(AccountLife.PENDING, AccountLife.OPEN, AccountLife.CLOSING))
    if choice.file_id is not None:
        found = found.filter(member__file_id=choice.file_id)
    if choice.kind:
        found = found.filter(kind=choice.kind)
    if choice.unit:
        found = found.filter(unit=choice.unit)
    if own_holder_id is not None:
        found = found.exclude(pk=own_holder_id)
    return found.order_by("unit", "member__group", "school_no")


def open_batch(
    order: IssueOrder, *, officer: Officer, by: By, policy: Policy, secrets: Secrets
) -> IssueBatch:
    """Open a pending account for each of the chosen and note a blank card. All or nothing; the same key once.

    Initial passwords follow from the identity number (guide L151); who has none gets his at the counter, because a
    slip is for one pair of eyes. Raises ``NobodyChosen``, ``NumbersExhausted`` and ``NotAllowed`` (BAD_DAY).
    """
    refuse_expiry(ServiceKind.FORMAL, order.expires_on, today=by.now.astimezone(SHANGHAI).date())
    for attempt in range(1, _TRIES + 1):
        known = IssueBatch.objects.filter(key=order.key).first()
        if known is not None:
            return known
        try:
            return _open(order, officer=officer, by=by, policy=policy, secrets=secrets)
        except IntegrityError:  # a number went to somebody else, or the same click came twice
            if attempt == _TRIES:
                raise
    raise AssertionError


@transaction.atomic
def _open(order: IssueOrder, *, officer: Officer, by: By, policy: Policy, secrets: Secrets) -> IssueBatch:
    campus = Campus.objects.get(pk=order.choice.campus_id)
    batch = IssueBatch.objects.create(
        key=order.key, name=order.name, campus=campus, made_by_id=officer.id, made_at=by.now
    )
    chosen = candidates(order.choice, own_holder_id=officer.holder_id)
    # Two statements: the second one sees what somebody else committed while the first one waited for the locks.
    locked = list(chosen.select_for_update(of=("self",)).values_list("pk", flat=True))
    people = list(chosen.filter(pk__in=locked))
    if not people:
        raise NobodyChosen
    numbers = _free_numbers(len(people), by)
    accounts = Account.objects.bulk_create(
        [
            Account(
                number=number,
                holder=holder,
                campus=campus,
                kind=ServiceKind.FORMAL,
                life=AccountLife.PENDING,
                daily_limit_fen=policy.default_limit_fen,
                opened_at=by.now,
            )
            for number, holder in zip(numbers, people, strict=True)
        ],
        batch_size=_BATCH,
    )
    blanks = Card.objects.bulk_create(
        [
            Card(account=account, uid="", kind=ServiceKind.FORMAL, expires_on=order.expires_on)
            for account in accounts
        ],
        batch_size=_BATCH,
    )
    IssueItem.objects.bulk_create(
        [
            IssueItem(batch=batch, place=place, account=account, card=card)
            for place, (account, card) in enumerate(zip(accounts, blanks, strict=True), start=1)
        ],
        batch_size=_BATCH,
    )
    _give_initial(accounts, by, secrets)
    _note_opened(batch, accounts, blanks, by)
    return batch


def _free_numbers(count: int, by: By) -> list[int]:
    """As many random numbers that nobody has or had within five years (A17)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT n FROM generate_series(%s, %s) AS n
            WHERE NOT EXISTS (
                SELECT FROM accounts_account WHERE number = n AND (life <> 'closed' OR closed_at > %s)
            )
            ORDER BY random() LIMIT %s
            """,
            [NUMBERS[0], NUMBERS[-1], by.now - REST_AFTER_CLOSING, count],
        )
        found = [int(number) for (number,) in cursor.fetchall()]
    if len(found) < count:
        raise NumbersExhausted
    return found


def _give_initial(accounts: Sequence[Account], by: By, secrets: Secrets) -> None:
    """Both initial passwords of everybody whose document yields one; nothing has to be hashed for that."""
    derived = [account for account in accounts if has_default(account.holder, secrets)]
    Secret.objects.bulk_create(
        [
            Secret(account=account, kind=kind, pin_hash=None, is_default=True, changed_at=by.now)
            for account in derived
            for kind in SecretKind
        ],
        batch_size=_BATCH,
    )


def has_default(holder: Holder, secrets: Secrets) -> bool:
    """Whether an initial password follows from the holder's document."""
    number = holders.id_number_of(holder, secrets)
    return number is not None and default_pin(number) is not None


def _note_opened(batch: IssueBatch, accounts: Sequence[Account], blanks: Sequence[Card], by: By) -> None:
    opened = [
        audit.Deed(
            "account.open",
            "account",
            account.pk,
            after={"number": account.number, "kind": account.kind, "life": account.life, "batch": batch.pk},
        )
        for account in accounts
    ]
    noted = [
        audit.Deed("card.prepare", "card", card.pk, after={"account": card.account_id, "issue_no": 1})
        for card in blanks
    ]
    audit.record_many([*opened, *noted], actor=by.actor, now=by.now)
    deed = audit.Deed(
        "issue.open", "issue", batch.pk, after={"cards": len(accounts), "campus": batch.campus.code}
    )
    audit.record(deed, actor=by.actor, now=by.now)


@transaction.atomic
def note_printed(batch_id: int, places: range, *, by: By) -> int:
    """Note that the faces of these places were sent to the printer; who saw whose face is in the audit (P6)."""
    found = IssueItem.objects.filter(batch_id=batch_id, place__gte=places.start, place__lt=places.stop)
    count = found.update(printed_at=by.now)
    after = {"from": places.start, "until": places.stop - 1, "cards": count}
    audit.record(audit.Deed("issue.print", "issue", batch_id, after=after), actor=by.actor, now=by.now)
    return count


@transaction.atomic
def make_again(item_id: int, spoilt_card_id: int, *, by: By) -> IssueItem:
    """Void a spoilt piece of plastic and note a new blank in its place. The same click twice does it once.

    Raises ``NotAllowed`` once the card was handed over: then it is a replacement, with document and fee.
    """
    item = IssueItem.objects.select_for_update().get(pk=item_id)
    if item.card_id != spoilt_card_id:
        return item
    # A desk may have handed it over by itself: then the account is in use, whatever the list says.
    if item.handed_at is not None or lock(item.account_id).life != AccountLife.PENDING:
        raise NotAllowed(Reason.WRONG_LIFE)
    spoilt = cards.move(item.card_id, CardLife.VOID, by=by)
    order = cards.NewCard(item.account_id, ServiceKind(spoilt.kind), spoilt.expires_on)
    item.card, item.printed_at = cards.prepare(order, by=by), None
    item.save(update_fields=["card", "printed_at"])
    deed = audit.Deed(
        "issue.make_again", "issue", item.batch_id, after={"place": item.place}, reason=by.reason
    )
    audit.record(deed, actor=by.actor, now=by.now)
    return item


@transaction.atomic
def hand_over(batch_id: int, item_ids: Sequence[int], *, officer: Officer, by: By) -> int:
    """Note that these cards are in their holders' hands, and take the accounts into use; returns how many.

    A card that is not made, or was handed over before, is left out: so the list may be sent twice. Accounts that
    were closed meanwhile stay as they are.
    """
    items = list(
        IssueItem.objects.select_for_update()
        .filter(batch_id=batch_id, pk__in=item_ids, handed_at=None)
        .order_by("place")
    )
    waiting = [item.account_id for item in items]
    accounts = {
        account.pk: account
        for account in Account.objects.select_for_update().filter(pk__in=waiting).order_by("pk")
    }
    made = set(
        Card.objects.filter(pk__in=[i.card_id for i in items], life__in=LIVE_CARD).values_list(
            "pk", flat=True
        )
    )
    done = [
        item
        for item in items
        if item.card_id in made
        and accounts[item.account_id].life in (AccountLife.PENDING, AccountLife.OPEN)
        and accounts[item.account_id].holder_id != officer.holder_id
    ]
    IssueItem.objects.filter(pk__in=[item.pk for item in done]).update(
        handed_at=by.now, handed_by_id=officer.id
    )
    start = [i.account_id for i in done if accounts[i.account_id].life == AccountLife.PENDING]
    Account.objects.filter(pk__in=start).update(life=AccountLife.OPEN, version=F("version") + 1)
    started = set(start)
    deeds = [
        audit.Deed("card.hand_over", "card", item.card_id, after={"batch": batch_id, "place": item.place})
        for item in done
    ] + [
        audit.Deed("account.start", "account", pk, before={"life": "pending"}, after={"life": "open"})
        for pk in started
    ]
    audit.record_many(deeds, actor=by.actor, now=by.now)
    return len(done)
