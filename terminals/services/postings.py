"""Between an uploaded record and the book: a record becomes an offline sale, what became of it a word of the wire.

Nothing is decided here. A record that no sale stands in, or whose sale was certainly not written, moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from purse.policy import Policy
from purse.procedures import Outcome
from terminals.messages.records import Record, Result, Sale
from terminals.messages.wire import OperationKey, content_hash
from terminals.services.registry import Machine
from terminals.services.taps import moment
from transactions.services.offline_sale import OfflineSale, Posting
from transactions.services.orders import Till
from transactions.services.upload import post_batch

AGE_MAX: Final = timedelta(days=400)
"""A record older than this tells of a wrong clock rather than of a late upload."""

Judged = tuple[Result, str]
"""What became of a record, and why: words of the wire, separated by spaces."""

_RESULTS: Final = {
    Posting.POSTED: Result.POSTED,
    Posting.DUPLICATE: Result.DUPLICATE,
    Posting.NOT_WRITTEN: Result.POSTED,
    Posting.SUSPECT: Result.SUSPECT,
}


@dataclass(frozen=True, slots=True)
class Poster:
    """Posts records of one terminal to the book, inside the caller's transaction."""

    machine: Machine
    policy: Policy
    now: datetime

    def __call__(self, records: Sequence[Record], *, charge: bool = False) -> list[Judged]:
        """One answer a record, in their order. ``charge``: a person decided that they are to be charged."""
        sales = {place: record.sale for place, record in enumerate(records) if _written(record)}
        found = post_batch(
            [self._order(records[place], sale, charge=charge) for place, sale in sales.items() if sale],
            till=till_of(self.machine),
            policy=self.policy,
            now=self.now,
        )
        answers: list[Judged] = [(Result.POSTED, "not_written" if record.sale else "") for record in records]
        for place, posted in zip(sales, found, strict=True):
            remarks = " ".join(self._remarks(records[place]))
            answers[place] = _RESULTS[posted.posting], f"{posted.why} {remarks}".strip()
        return answers

    def _order(self, record: Record, sale: Sale, *, charge: bool) -> OfflineSale:
        asked = {"journal": record.journal, "seq": sale.key_seq, "fen": sale.fen, "card": {"uid": sale.uid}}
        return OfflineSale(
            key=OperationKey(record.terminal, record.journal, sale.key_seq).as_uuid(),
            journal_seq=sale.key_seq,
            asked=content_hash(asked),
            uid=bytes.fromhex(sale.uid),
            fen=sale.fen,
            occurred_at=moment(record.clocks.at_ms),
            card_seq_after=sale.card_seq_after,
            spend_total_after_fen=sale.spend_total_after,
            offline_spent_after_fen=sale.offline_spent_after,
            certain=sale.outcome is Outcome.CONFIRMED,
            account_no=sale.account,
            charge=charge,
        )

    def _remarks(self, record: Record) -> Iterator[str]:
        """What keeps no sale from being posted, but should be seen (reliability.md section 7, items 105 and 107)."""
        sale = record.sale
        if sale is None:
            return
        if sale.fen > self.policy.offline_sale_max_fen:
            yield "over_cap"
        age = self.now - moment(record.clocks.at_ms)
        if age < -self.policy.clock_skew or age > AGE_MAX:
            yield "clock"
        if not self.machine.may_sell_offline:
            yield "not_an_offline_till"
        if sale.spend_total_after - sale.spend_total_before != sale.fen:
            yield "totals"


def till_of(machine: Machine) -> Till:
    """The machine as the book sees it when it hands in a journal."""
    return Till(id=machine.id, merchant_id=machine.merchant_id, place=machine.place or machine.name_zh)


def _written(record: Record) -> bool:
    return record.sale is not None and record.sale.outcome is not Outcome.NOT_WRITTEN
