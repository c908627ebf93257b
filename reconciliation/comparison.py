"""Reading what is to be compared: one statement finds the accounts that need a look, a few more tell all about them.

The first passes over every account once and opens no JSON; it knows no rule and no bound, those are in
``purse.rules``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from purse.evidence import Finding, State
from reconciliation.mismatch import CardSide, Compared, FoundEvidence, LegTrail
from reconciliation.models import CaseState
from transactions.mirror import read_side
from transactions.models import CardFinding, Entry, OutcomeNote, entry_id

DIFFERING = """
    SELECT account.id
    FROM accounts_account account
    LEFT JOIN accounts_card card ON card.account_id = account.id AND card.life IN ('issued', 'active')
    WHERE account.book_fen < 0
        OR account.book_fen <> card.load_total_fen - card.spend_total_fen
        OR card.late_fen <> 0
        OR pg_column_size(card.legs) > 8
"""
"""Accounts with a difference, or with legs that cancel out. An empty JSON object takes 8 bytes at most, the smallest
other one 20: asking for the size opens none, which saves a seventh of the time."""
LIVE_CARDS = "SELECT count(*) FROM accounts_card WHERE life IN ('issued', 'active')"
UNSETTLED = """
    SELECT account_id FROM reconciliation_case WHERE state = 'open'
    UNION
    SELECT finding.account_id FROM transactions_cardfinding finding
    WHERE NOT EXISTS (SELECT FROM reconciliation_casefinding taken WHERE taken.finding_id = finding.id)
"""
FACTS = """
    SELECT account.id, account.number, account.campus_id, account.book_fen, account.frozen_reasons,
        card.id, card.late_fen, card.seen_at, card.seen_place,
        card.spend_seq, card.spend_total_fen, card.offline_spent_fen, card.stop_marked,
        card.load_seq, card.load_total_fen, card.legs, card.images, card.levelled_seq,
        account.entry_seq
    FROM accounts_account account
    LEFT JOIN accounts_card card ON card.account_id = account.id AND card.life IN ('issued', 'active')
    WHERE account.id = ANY(%s)
    ORDER BY account.id
"""
SCREEN_SETTINGS = {
    "statement_timeout": "10min",
    "enable_hashjoin": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}
"""Passing over a whole university takes longer than a tap may. Both tables come in the order of the account from their
indexes, and walking them in step on one core is twice as fast as hashing a million rows on two (measured); the other
cores are left to the tills."""


@dataclass(frozen=True, slots=True)
class Screened:
    """How many live cards were compared, and the accounts with anything open, in id order."""

    compared: int
    account_ids: tuple[int, ...]


def screen() -> Screened:
    """Find every account whose card, cases or findings need a look."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LIVE_CARDS)
        compared = cursor.fetchone()[0]
        for name, value in SCREEN_SETTINGS.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
        cursor.execute(DIFFERING)
        differing = [row[0] for row in cursor.fetchall()]
        cursor.execute(UNSETTLED)
        unsettled = [row[0] for row in cursor.fetchall()]
    return Screened(compared, tuple(sorted({*differing, *unsettled})))


def read(account_ids: Sequence[int]) -> list[Compared]:
    """Everything about these accounts, in id order; account and card as they stood at one moment."""
    with connection.cursor() as cursor:
        cursor.execute(FACTS, [list(account_ids)])
        rows = cursor.fetchall()
    cards = {row[0]: _card(row[5:18]) for row in rows if row[5] is not None}
    trails = _trails(cards)
    findings = _findings(account_ids)
    return [
        Compared(
            account_id=row[0],
            number=row[1],
            campus_id=row[2],
            book_fen=row[3],
            frozen_reasons=frozenset(row[4]),
            card=cards.get(row[0]),
            trails=trails.get(row[0], {}),
            findings=findings.get(row[0], ()),
            entry_seq=row[18],
        )
        for row in rows
    ]


def _card(row: tuple[Any, ...]) -> CardSide:
    legs, images = json.loads(row[10]), json.loads(row[11])  # a raw cursor leaves jsonb as text
    return CardSide(
        id=row[0],
        late_fen=row[1],
        seen_at=row[2],
        seen_place=row[3],
        spend=read_side("spend", State(row[4], row[5], 0, row[6], row[7]), legs, images),
        load=read_side("load", State(row[8], row[9], 0), legs, images),
        levelled_seq=row[12],
    )


def _trails(cards: Mapping[int, CardSide]) -> dict[int, dict[int, LegTrail]]:
    """What the book knows of the entries that are not confirmed on their cards, by account and entry seq."""
    ids = [
        entry_id(account_id, leg.entry)
        for account_id, card in cards.items()
        for leg in (*card.spend.legs, *card.load.legs)
    ]
    if not ids:
        return {}
    entries = list(
        Entry.objects.filter(id__in=ids).values_list("account_id", "seq", "occurred_at", "source_key")
    )
    reported = set(
        OutcomeNote.objects.filter(key__in={entry[3] for entry in entries}).values_list("key", flat=True)
    )
    trails: dict[int, dict[int, LegTrail]] = {}
    for account_id, seq, occurred_at, key in entries:
        trails.setdefault(account_id, {})[seq] = LegTrail(occurred_at, key in reported)
    return trails


def _findings(account_ids: Iterable[int]) -> dict[int, tuple[FoundEvidence, ...]]:
    """Findings that are new, or part of a case that is still open."""
    rows = (
        CardFinding.objects.filter(account_id__in=account_ids)
        .exclude(taken_up__case__state=CaseState.CLOSED)
        .order_by("id")
        .values_list("account_id", "id", "kind", "detail")
    )
    findings: dict[int, tuple[FoundEvidence, ...]] = {}
    for account_id, row_id, kind, detail in rows:
        findings[account_id] = (
            *findings.get(account_id, ()),
            FoundEvidence(row_id, Finding(kind), detail),
        )
    return findings
