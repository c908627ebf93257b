"""Posting what a till sold without the network. Each record moves money once, whatever its order, age or repetition.

A record is evidence twice over: that the sale was made, and of what the card showed after it. The book may go below
zero here; that is what freezing is for.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from django.db import IntegrityError, OperationalError, transaction

from purse.policy import Policy
from transactions.services.offline_sale import OfflineSale, Posted, Posting
from transactions.services.orders import Busy, Till
from transactions.services.running import DATABASE_RETRIES, RETRYABLE, UNIQUE_VIOLATION, sqlstate
from transactions.services.upload import post_batch

__all__ = ["OfflineSale", "Posted", "Posting", "exactly_once", "post_offline", "post_sales"]

T = TypeVar("T")
BATCH: Final = 1_000
"""How many records are posted at most while their accounts are locked: a tap waits for less than 0.2 s then."""


def post_sales(
    sales: Sequence[OfflineSale], *, till: Till, policy: Policy, now: datetime
) -> tuple[Posted, ...]:
    """Post offline sales of one till, each exactly once by its key; one answer each, in their order.

    Safe to repeat with any of them, in any order. The till must have been verified, and the records kept raw, before.
    Raises ``Busy``: nothing of the current batch was written.
    """
    answers: list[Posted] = []
    for start in range(0, len(sales), BATCH):
        batch = sales[start : start + BATCH]
        answers += exactly_once(partial(post_batch, batch, till=till, policy=policy, now=now))
    return tuple(answers)


def post_offline(sale: OfflineSale, *, till: Till, policy: Policy, now: datetime) -> Posting:
    """The same for one sale."""
    return post_sales([sale], till=till, policy=policy, now=now)[0].posting


def exactly_once(work: Callable[[], T]) -> T:
    """Do work that posts batches in one transaction; again where PostgreSQL asks for it, or a key was just answered.

    Raises ``Busy``; nothing was written then.
    """
    for attempt in range(DATABASE_RETRIES + 1):
        try:
            with transaction.atomic():
                return work()
        except (OperationalError, IntegrityError) as error:
            state = sqlstate(error)
            if isinstance(error, IntegrityError) and state != UNIQUE_VIOLATION:
                raise
            if state not in RETRYABLE | {UNIQUE_VIOLATION} or attempt == DATABASE_RETRIES:
                raise Busy(state or "connection") from error
            time.sleep(random.uniform(0.002, 0.02) * (attempt + 1))  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")
