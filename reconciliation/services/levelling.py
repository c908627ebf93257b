"""Which gaps the nightly run levels, and doing it: one account, one transaction, everything looked at again (L109)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from accounts.actors import Actor
from purse.policy import Policy
from reconciliation import gaps
from reconciliation.gaps import Gap
from reconciliation.mismatch import Compared
from transactions.services.correcting import Corrected
from transactions.services.levelling import LevelOrder, level, why_wait


def due(compared: Iterable[Compared], *, now: datetime, policy: Policy) -> dict[int, Gap]:
    """The gaps that are due, by account.

    Never on a card that a tap found suspect: what such a card shows explains nothing, a person looks at it first.
    """
    trusted = [found for found in compared if not found.findings]
    return {
        account_id: gap
        for account_id, gap in gaps.read(trusted).items()
        if is_due(gap, now=now, policy=policy)
    }


def is_due(gap: Gap, *, now: datetime, policy: Policy) -> bool:
    """5 × 24 h since the gap was first seen, and since the last contact of every terminal that can hold its records."""
    if gap.since is None or gap.card_unseen:
        return False
    return why_wait(gap.holders, gap_since=gap.since, now=now, policy=policy) is None


def carry_out(gap: Gap, *, actor: Actor, now: datetime, policy: Policy) -> Corrected:
    """Level one gap as it was read under the account's lock. Part of a larger transaction."""
    if gap.since is None or gap.card_unseen:
        raise LookupError("nobody noted this gap yet")
    order = LevelOrder(
        key=LevelOrder.make_key(gap.card_id, gap.spend_seq, gap.entry_seq),
        account_id=gap.account_id,
        card_id=gap.card_id,
        spend_seq=gap.spend_seq,
        fen=gap.fen,
        gap_since=gap.since,
        holders=gap.holders,
    )
    return level(order, actor=actor, now=now, policy=policy)
