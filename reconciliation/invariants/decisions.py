"""L9: what people posted was decided by the right number of people, and is what they decided."""

from __future__ import annotations

import json
from collections.abc import Iterator

from django.db.backends.utils import CursorWrapper

from reconciliation.invariants.check import Check
from reconciliation.services.remedies import digest_of

ID = "L9"
COUNTED = "SELECT count(*) FROM reconciliation_decision"
_DECISIONS = """
    SELECT a.number, decision.id, decision.content::text, decision.content_hash
    FROM reconciliation_decision decision
    JOIN accounts_account a ON a.id = decision.account_id
    ORDER BY decision.id
"""

DECISIONS = (
    Check(
        ID,
        "SELECT count(*) FROM reconciliation_ruling",
        """SELECT a.number, NULL, format('decision %s was ruled on by its own maker, or as another content',
            decision.id)
        FROM reconciliation_ruling ruling
        JOIN reconciliation_decision decision ON decision.id = ruling.decision_id
        JOIN accounts_account a ON a.id = decision.account_id
        WHERE (ruling.verdict = 'withdrawn') <> (ruling.checker_id = decision.maker_id)
            OR ruling.content_hash <> decision.content_hash""",
    ),
    Check(
        ID,
        "SELECT count(*) FROM accounts_requestruling",
        """SELECT a.number, NULL, format('request %s was ruled on by its own maker, or by whom it is about', request.id)
        FROM accounts_requestruling ruling
        JOIN accounts_request request ON request.id = ruling.request_id
        LEFT JOIN accounts_account a ON a.id = request.account_id
        WHERE (ruling.verdict = 'withdrawn') <> (ruling.checker_id = request.maker_id)
            OR (ruling.checker_id = request.operator_id AND ruling.verdict <> 'withdrawn')""",
    ),
    Check(
        ID,
        "SELECT count(*) FROM accounts_requestresult WHERE done",
        """SELECT a.number, NULL, format('request %s was carried out without the agreement to just this', request.id)
        FROM accounts_requestresult result
        JOIN accounts_request request ON request.id = result.request_id
        LEFT JOIN accounts_account a ON a.id = request.account_id
        LEFT JOIN accounts_requestruling ruling ON ruling.request_id = request.id
        WHERE result.done AND (ruling.verdict IS DISTINCT FROM 'agreed' OR ruling.ruled_at > result.at
            OR result.at >= request.expires_at
            OR ruling.content_hash <> sha256(convert_to(request.canonical, 'UTF8'))
            OR result.content_hash <> sha256(convert_to(request.canonical, 'UTF8')))""",
    ),
    Check(
        ID,
        "SELECT count(*) FROM reconciliation_decisionresult WHERE done",
        """SELECT a.number, NULL, format('decision %s was carried out without a second person', decision.id)
        FROM reconciliation_decisionresult result
        JOIN reconciliation_decision decision ON decision.id = result.decision_id
        JOIN accounts_account a ON a.id = decision.account_id
        LEFT JOIN reconciliation_ruling ruling ON ruling.decision_id = decision.id
        WHERE result.done AND decision.needs <> 'alone' AND (ruling.verdict IS DISTINCT FROM 'approved'
            OR ruling.ruled_at > result.at)""",
    ),
    Check(
        ID,
        "SELECT count(*) FROM transactions_entry WHERE kind IN ('adjustment', 'refund', 'reversal')",
        """SELECT a.number, e.seq, format('%s of %s fen, and no decision posted it', e.kind,
            e.book_change_fen + e.unclaimed_change_fen)
        FROM transactions_entry e
        LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE e.kind IN ('adjustment', 'refund', 'reversal')
            AND NOT EXISTS (
                SELECT FROM reconciliation_decision decision
                JOIN reconciliation_decisionresult result ON result.decision_id = decision.id AND result.done
                WHERE decision.account_id = e.account_id AND result.numbers -> 'entries' @> to_jsonb(e.seq))""",
    ),
    Check(
        ID,
        "SELECT count(*) FROM reconciliation_decisionresult WHERE done AND numbers ? 'entries'",
        """SELECT a.number, NULL, format('decision %s was about %s fen, %s fen were posted', decision.id,
            decision.amount_fen, posted.fen)
        FROM reconciliation_decisionresult result
        JOIN reconciliation_decision decision ON decision.id = result.decision_id
        JOIN accounts_account a ON a.id = decision.account_id
        CROSS JOIN LATERAL (
            SELECT coalesce(abs(sum(e.book_change_fen + e.unclaimed_change_fen)), 0) AS fen
            FROM jsonb_array_elements(result.numbers -> 'entries') AS posted (seq)
            JOIN transactions_entry e ON e.id = decision.account_id * 4294967296 + posted.seq::bigint
        ) AS posted
        WHERE result.done AND result.numbers ? 'entries' AND posted.fen <> decision.amount_fen""",
    ),
)


def broken(cursor: CursorWrapper) -> Iterator[tuple[int | None, int | None, str]]:
    """Decisions whose content is not the one that its hash was taken of."""
    cursor.execute(_DECISIONS)
    for number, row_id, content, digest in cursor.fetchall():
        if digest_of(json.loads(content)) != bytes(digest):
            yield number, None, f"the content of decision {row_id} was changed after it was hashed"
