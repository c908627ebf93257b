"""Promises about flags: S1, S2, S6 and M3. What an account says of itself is what the audit said last."""

# ruff: noqa: S608 - fixed texts put together from fixed parts; nothing that anybody entered comes in

from __future__ import annotations

from reconciliation.invariants.check import ACCOUNTS, CARDS, Check, bound

_LAST_SAID = """
    SELECT DISTINCT ON (event.object_id) event.object_id::bigint AS id, event.after
    FROM accounts_auditevent event
    WHERE event.object_kind = '{kind}' AND event.after ? '{field}'
    ORDER BY event.object_id, event.id DESC
"""

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
