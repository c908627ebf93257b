"""From deeds to notices, and from notices to letters. Each step is one short transaction; cron does them each minute.

Nothing goes by a high-water mark over ids, because transactions do not commit in their order: a notice without
``passed_on_at`` is found whenever it appears, and of the audit the last day is looked through again each time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from accounts.alerts import KEPT, group_of
from accounts.models import (
    AccountLife,
    AlertChoice,
    AlertContact,
    AlertDelivery,
    AlertScan,
    DeliveryState,
    Notice,
    NoticeKind,
)

BATCH: Final = 500
AGAIN: Final = timedelta(days=1)
"""How far behind the last look the audit is looked through again: no transaction is under way for so long."""
STALE: Final = timedelta(days=1)
"""What happened longer ago makes no letter any more; the message on the site stays."""

# The list of actions stands in the text, or a generic plan could not use the partial index that is made for it.
_STANDING: Final = """
    INSERT INTO accounts_notice (account_id, kind, about, facts, at)
    SELECT deed.account_id, deed.kind, deed.about, deed.facts, deed.at
    FROM (
        SELECT coalesce(card.account_id, event.object_id::bigint) AS account_id,
            CASE event.action WHEN 'card.report_lost' THEN 'card_lost' WHEN 'card.lift_loss' THEN 'loss_lifted'
                WHEN 'account.freeze' THEN 'frozen' ELSE 'unfrozen' END AS kind,
            'audit:' || event.id AS about, event.at,
            CASE event.action WHEN 'account.freeze' THEN jsonb_build_object('reasons', event.after -> 'frozen_reasons')
                ELSE jsonb_build_object('channel', event.channel) END AS facts
        FROM accounts_auditevent event
        LEFT JOIN accounts_card card ON event.object_kind = 'card' AND card.id = event.object_id::bigint
        WHERE event.action IN ('card.report_lost', 'card.lift_loss', 'account.freeze', 'account.unfreeze')
            AND event.at >= %s
            AND (event.action <> 'account.freeze' OR event.before -> 'frozen_reasons' = '[]')
        ORDER BY event.id
    ) AS deed
    WHERE NOT EXISTS (
        SELECT FROM accounts_notice told
        WHERE told.account_id = deed.account_id AND told.kind = deed.kind AND told.about = deed.about
    )
    ON CONFLICT DO NOTHING
"""


@transaction.atomic
def tell_standing(*, now: datetime) -> int:
    """Tell holders of loss reports, freezes and their ends, whoever did them. Returns how many were new.

    A reason added to a freeze is no second freeze. Safe to repeat: a deed is told of once.
    """
    AlertScan.objects.get_or_create(name="standing", defaults={"until": now})
    scan = AlertScan.objects.select_for_update().get(name="standing")
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [min(scan.until, now) - AGAIN])
        told = int(cursor.rowcount)
    scan.until = now
    scan.save(update_fields=["until"])
    return told


def pass_on(*, now: datetime) -> int:
    """Make letters of new notices for those who want them. Returns how many letters were made."""
    made = 0
    while (batch := _pass_on_some(now=now)) is not None:
        made += batch
    return made


@transaction.atomic
def _pass_on_some(*, now: datetime) -> int | None:
    """One batch; None when nothing was left."""
    new = Notice.objects.select_for_update(of=("self",), skip_locked=True).filter(passed_on_at__isnull=True)
    notices = list(new.order_by("pk")[:BATCH])
    if not notices:
        return None
    accounts = {notice.account_id for notice in notices}
    choices = AlertChoice.objects.in_bulk(accounts)
    contacts: dict[int, list[AlertContact]] = {}
    confirmed = AlertContact.objects.filter(account_id__in=accounts, sealed__isnull=False)
    for contact in confirmed.exclude(account__life=AccountLife.CLOSED):
        contacts.setdefault(contact.account_id, []).append(contact)
    letters = [
        AlertDelivery(contact=contact, notice=notice, made_at=now, due_at=now)
        for notice in notices
        if notice.at > now - STALE
        for contact in contacts.get(notice.account_id, ())
        if wants(choices.get(notice.account_id), contact.way, NoticeKind(notice.kind))
    ]
    AlertDelivery.objects.bulk_create(letters, ignore_conflicts=True)
    Notice.objects.filter(pk__in=[notice.pk for notice in notices]).update(passed_on_at=now)
    return len(letters)


def wants(choice: AlertChoice | None, way: str, kind: NoticeKind) -> bool:
    """Whether a holder wants a letter about this by this way."""
    return choice is not None and group_of(kind).value in getattr(choice, way)


def forget_sent(*, now: datetime) -> int:
    """Delete what the outbox remembers of letters for longer than ``alerts.KEPT``."""
    old = AlertDelivery.objects.exclude(state=DeliveryState.WAITING).filter(ended_at__lt=now - KEPT)
    return old.delete()[0]


def undelivered(*, now: datetime) -> int:
    """How many letters were given up within the last day."""
    return AlertDelivery.objects.filter(
        state=DeliveryState.FAILED, ended_at__gt=now - timedelta(days=1)
    ).count()
