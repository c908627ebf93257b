"""Promises about flags: S1 to S6, M3 and M5. What an account says of itself is what the audit said last."""

# ruff: noqa: S608 - fixed texts put together from fixed parts; nothing that anybody entered comes in

from __future__ import annotations

from accounts.models import Budget
from accounts.services.throttle import ALLOWANCES
from reconciliation.invariants.check import ACCOUNTS, CARDS, Check, bound

_LAST_SAID = """
    SELECT DISTINCT ON (event.object_id) event.object_id::bigint AS id, event.after
    FROM accounts_auditevent event
    WHERE event.object_kind = '{kind}' AND event.after ? '{field}'
    ORDER BY event.object_id, event.id DESC
"""

# Times of the business clock on both sides; a till's may be two minutes off (``Policy.clock_skew``).
_STOPPED = """
    SELECT event.object_id::bigint AS id, event.at + interval '2 minutes' AS from_at,
        lead(event.at) OVER (PARTITION BY event.object_id ORDER BY event.id) - interval '2 minutes' AS until_at,
        event.after -> '{field}' AS flag
    FROM accounts_auditevent event
    WHERE event.object_kind = '{kind}' AND event.after ? '{field}'
"""
_TAPS = "e.mode = 'online' AND e.kind IN ('purchase', 'claim', 'top_up', 'bank_load')"
_CLOSED_AT = " ".join(
    f"WHEN '{budget.value}' THEN {ALLOWANCES[budget].closed_at}" for budget in Budget if budget in ALLOWANCES
)

STANDING = (
    Check(
        "S1",
        ACCOUNTS,
        """SELECT number, NULL, format('frozen reasons %s, frozen at %s', frozen_reasons, frozen_at)
        FROM accounts_account
        WHERE (frozen_reasons = '{}') <> (frozen_at IS NULL)
            OR cardinality(frozen_reasons) <> (SELECT count(DISTINCT r) FROM unnest(frozen_reasons) AS r)
            OR NOT frozen_reasons <@ ARRAY['book_negative', 'card_above_book', 'late_upload', 'by_hand']""",
    ),
    Check(
        "S1",
        CARDS,
        """SELECT a.number, NULL, format('card %s lost: %s, since %s', card.uid, card.lost, card.lost_at)
        FROM accounts_card card JOIN accounts_account a ON a.id = card.account_id
        WHERE card.lost <> (card.lost_at IS NOT NULL)""",
    ),
    Check(
        "S2",
        ACCOUNTS,
        f"""SELECT a.number, NULL, format('frozen for %s, the audit says %s', a.frozen_reasons,
            coalesce(said.after -> 'frozen_reasons', '[]'))
        FROM accounts_account a
        LEFT JOIN ({_LAST_SAID.format(kind="account", field="frozen_reasons")}) AS said ON said.id = a.id
        WHERE (a.frozen_reasons <> '{{}}' OR said.id IS NOT NULL)
            AND NOT (to_jsonb(a.frozen_reasons) @> coalesce(said.after -> 'frozen_reasons', '[]')
                AND coalesce(said.after -> 'frozen_reasons', '[]') @> to_jsonb(a.frozen_reasons))""",
    ),
    Check(
        "S2",
        ACCOUNTS,
        """SELECT number, entry_seq, format('book %s fen and not frozen for it', book_fen) FROM accounts_account
        WHERE book_fen < 0 AND NOT 'book_negative' = ANY(frozen_reasons)""",
    ),
    Check(
        "S3",
        f"SELECT count(*) FROM transactions_entry e WHERE {_TAPS}",
        f"""SELECT a.number, e.seq, format('%s at %s, frozen since %s', e.kind, e.occurred_at, frozen.from_at)
        FROM ({_STOPPED.format(kind="account", field="frozen_reasons")}) AS frozen
        JOIN transactions_entry e ON e.account_id = frozen.id AND {_TAPS}
        LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE frozen.flag <> '[]' AND e.occurred_at > frozen.from_at
            AND (frozen.until_at IS NULL OR e.occurred_at < frozen.until_at)
        UNION ALL
        SELECT a.number, e.seq, format('%s at %s, the card lost since %s', e.kind, e.occurred_at, lost.from_at)
        FROM ({_STOPPED.format(kind="card", field="lost")}) AS lost
        JOIN transactions_entry e ON e.card_id = lost.id AND {_TAPS}
        LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE lost.flag = 'true' AND e.occurred_at > lost.from_at
            AND (lost.until_at IS NULL OR e.occurred_at < lost.until_at)""",
    ),
    Check(
        "S4",
        "SELECT count(*) FROM accounts_auditevent WHERE action IN ('card.lift_loss', 'account.unfreeze')",
        """SELECT NULL, NULL, format('%s of %s %s at the door %s', action, object_kind, object_id, channel)
        FROM accounts_auditevent
        WHERE action = 'card.lift_loss' AND channel NOT IN ('counter', 'load_kiosk')
            OR action = 'account.unfreeze' AND channel <> 'counter'""",
    ),
    Check(
        "S5",
        "SELECT count(*) FROM accounts_loginrecord WHERE budget = 'consumption'",
        """SELECT a.number, NULL, format('consumption password tried at the door %s, %s', record.channel, record.at)
        FROM accounts_loginrecord record LEFT JOIN accounts_account a ON a.id = record.account_id
        WHERE record.budget = 'consumption' AND record.channel IN ('web', 'phone', 'query_kiosk')""",
    ),
    Check(
        "M5",
        "SELECT count(*) FROM accounts_attempt WHERE subject LIKE 'account:%'",
        f"""SELECT a.number, NULL, format('%s guesses of the %s password', attempt.failures, attempt.budget)
        FROM accounts_attempt attempt
        LEFT JOIN accounts_account a ON 'account:' || a.id = attempt.subject
        WHERE attempt.subject LIKE 'account:%' AND attempt.failures > CASE attempt.budget {_CLOSED_AT} END""",
    ),
    Check(
        "S6",
        "SELECT count(*) FROM accounts_card WHERE lost",
        f"""SELECT a.number, NULL, format('card %s lost: %s, the audit says %s', card.uid, card.lost,
            coalesce(said.after ->> 'lost', 'nothing'))
        FROM accounts_card card
        JOIN accounts_account a ON a.id = card.account_id
        LEFT JOIN ({_LAST_SAID.format(kind="card", field="lost")}) AS said ON said.id = card.id
        WHERE card.lost <> coalesce((said.after ->> 'lost')::boolean, false)""",
    ),
    Check(
        "S6",
        "SELECT count(*) FROM accounts_lossreport",
        """SELECT a.number, NULL, format('loss report %s without an entry in the audit', report.reference)
        FROM accounts_lossreport report
        JOIN accounts_account a ON a.id = report.account_id
        WHERE report.effect = 'card_lost' AND NOT EXISTS (
            SELECT FROM accounts_auditevent e
            WHERE e.object_kind = 'card' AND e.object_id = report.card_id::text AND (e.after ->> 'lost')::boolean)""",
    ),
    Check(
        "M3",
        ACCOUNTS,
        f"""SELECT a.number, NULL, format('daily limit %s fen, the audit says %s', a.daily_limit_fen,
            said.after ->> 'daily_limit_fen')
        FROM accounts_account a
        LEFT JOIN ({_LAST_SAID.format(kind="account", field="daily_limit_fen")}) AS said ON said.id = a.id
        WHERE a.daily_limit_fen NOT BETWEEN 0 AND {bound("max_limit_fen")}
            OR a.daily_limit_fen <> (said.after ->> 'daily_limit_fen')::integer""",
    ),
)
