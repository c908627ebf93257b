"""The people of a desk, the stories that they decide about, and a reader that has just seen a card."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from accounts.models import AuditEvent, Holder, Operator, OperatorRole
from accounts.services.operators import Hand
from purse.policy import Policy
from reconciliation.models import Case, CaseNote, Decision, DecisionAction, DecisionResult, Ruling
from reconciliation.services import decisions
from reconciliation.services.decisions import Wish
from reconciliation.services.remedies import Obstacle, Refused, Target, make
from terminals.models import CardJob, Terminal
from tests.reconciliation.books import NOW, Book, campus
from transactions.models import Entry

POLICY = Policy()
PROPOSALS = {
    "TORN": "write_card",
    "OFFLINE_GAP": "await_upload",
    "DOUBLE": "refund_late",
    "TORN_LOAD": "write_credit",
    "NEGATIVE": "collect",
    "EXCESS": "keep_card",
    "FORK": "void_card",
}


def operator(
    username: str, role: OperatorRole, at: str | None = "laoshan", holder: Holder | None = None
) -> Operator:
    """A member of staff of one campus, or of all."""
    place = campus(at) if at else None
    return Operator.objects.create(
        username=username, role=role, campus=place, holder=holder, display_name=username.title()
    )


def hand(person: Operator, *, age: timedelta = timedelta(0), now=NOW) -> Hand:
    """This person, whose one-time code was right a while ago."""
    return Hand(person.pk, "10.0.0.7", now - age)


def open_case(book: Book, mismatch: str, **fields) -> Case:
    """A case as the nightly run would open it; its evidence is renewed with the first decision."""
    found = {
        "at_risk_fen": 1_00,
        "evidence": {"book_fen": book.fresh().book_fen},
        "proposal": PROPOSALS[mismatch],
        "opened_at": NOW,
        "changed_at": NOW,
    } | fields
    return Case.objects.create(
        account=book.account, card=book.card, campus=book.account.campus, mismatch=mismatch, **found
    )


def desk_terminal(at: str = "laoshan") -> Terminal:
    """A desk with a reader."""
    return Terminal.objects.get_or_create(
        name_zh="1号柜台", kind="desk", campus=campus(at), epoch=1, enrolled_at=NOW - timedelta(days=1)
    )[0]


def read_on(desk: Terminal, book: Book, *, ago: timedelta = timedelta(seconds=5), now=NOW) -> CardJob:
    """The desk's reader has seen this card."""
    at, account, card = now - ago, book.fresh(), book.fresh_card()
    seen = {
        "account_id": account.pk,
        "number": account.number,
        "card_fen": card.card_fen,
        "book_fen": account.book_fen,
        "difference_fen": card.card_fen - account.book_fen,
        "finding": None,
    }
    return CardJob.objects.create(
        id=uuid.uuid4(),
        kind="read",
        desk=desk,
        account=book.account,
        ordered_by="operator:1",
        ordered_role="clerk",
        ordered_channel="counter",
        ordered_at=at,
        expires_at=at + timedelta(minutes=3),
        state="done",
        uid=book.card.uid.lower(),
        result=seen,
        ended_at=at,
    )


# ------------------------------------------------------------------------------------------------ stories


def gap(fen: int = 10_00, *, held: int = 50_00) -> tuple[Book, Case]:
    """卡 40，库 50: spent offline, the record is still in its till."""
    book = a_week_ago(held)
    book.pay_offline(fen)
    return book, open_case(book, "OFFLINE_GAP")


def a_week_ago(held: int) -> Book:
    """A card that was loaded and used before its till went silent."""
    book = Book.open()
    book.top_up(held, at=NOW - timedelta(days=9))
    book.pay(1_00, at=NOW - timedelta(days=8))
    return book


def torn(fen: int = 1_30, *, held: int = 2_40) -> tuple[Book, Case]:
    """指南 L101: 卡、库 2.40，消费 1.30，拿卡过快: 库 1.10，卡仍 2.40."""
    book = Book.open(held)
    book.pay(fen, torn=True)
    return book, open_case(book, "TORN")


def doubled(*amounts: int, held: int = 50_00, frozen: bool = True) -> tuple[Book, Case]:
    """指南 L109: levelled, then the records came after all and were deducted again."""
    amounts = amounts or (10_00,)
    book = a_week_ago(held)
    for fen in amounts:
        book.pay_offline(fen)
    seq = book.fresh_card().spend_seq
    book._post("levelling", -sum(amounts), side="spend", purse_seq=seq, at=NOW - timedelta(days=1))
    book.change_card(levelled_seq=seq)
    for place, fen in enumerate(amounts):
        at = NOW - timedelta(days=7, hours=-4 * place)
        book._post("offline_sale", -fen, side="spend", purse_seq=seq - len(amounts) + 1 + place, at=at)
    book.change_card(late_fen=sum(amounts))
    if frozen:
        freeze(book, "late_upload")
    return book, open_case(book, "DOUBLE")


def freeze(book: Book, *reasons: str) -> None:
    account = book.fresh()
    account.frozen_reasons, account.frozen_at = list(reasons), NOW - timedelta(hours=1)
    account.version += 1
    account.save(update_fields=["frozen_reasons", "frozen_at", "version"])


# ---------------------------------------------------------------------------------------------- deciding


@dataclass
class Form:
    """What a page sends: the key it made, and the digest of the preview it showed."""

    case: Case
    action: str
    reason: str = "按流水核对"
    entry_seq: int | None = None
    desk: Terminal | None = None
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    digest: bytes | None = None

    def send(self, person: Operator, *, now=NOW, policy: Policy = POLICY, age=timedelta(0)) -> Decision:
        if self.digest is None:
            plan = make(DecisionAction(self.action), Target(self.case.account_id, self.entry_seq))
            self.digest = plan.digest
        wish = Wish(
            self.key,
            self.case.pk,
            DecisionAction(self.action),
            self.digest,
            self.reason,
            self.entry_seq,
            self.desk.pk if self.desk else None,
        )
        return decisions.decide(wish, hand=hand(person, age=age, now=now), now=now, policy=policy)


def approve(decision: Decision, person: Operator, *, desk: Terminal | None = None, now=NOW, policy=POLICY):
    """The second person agrees to what is shown."""
    return decisions.approve(
        decision.pk,
        bytes(decision.content_hash),
        hand=hand(person, now=now),
        now=now,
        policy=policy,
        desk_id=desk.pk if desk else None,
    )


def refused(call) -> Obstacle:
    """Why it was not done; nothing at all was written."""
    before = counted()
    with pytest.raises(Refused) as caught:
        call()
    assert counted() == before
    return caught.value.obstacle


def counted() -> tuple[int, ...]:
    tables = (Entry, Decision, Ruling, DecisionResult, CaseNote, AuditEvent, CardJob)
    return tuple(table.objects.count() for table in tables)


def entries(book: Book) -> list[tuple[str, int]]:
    rows = Entry.objects.filter(account=book.account).order_by("id")
    return [(entry.kind, entry.book_change_fen) for entry in rows]
