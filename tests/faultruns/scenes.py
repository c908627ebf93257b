"""Every money service, set up to the moment before it is called under a key of its own: what the fault runs break.

A scene says by hand how the book must stand in the end; everything else it leaves (entries, mirror of the card,
register, audit, findings, notes) is compared with what the undisturbed service leaves.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from accounts.models import AuditEvent
from tests.campus import NOON, POLICY, Counter, Person, book, make_person
from tests.transactions.test_debit import BEFORE_THE_WRITE
from transactions.models import Answer, CardFinding, Entry, OutcomeNote, Reversal
from transactions.services.credit import Credit, credit_unclaimed
from transactions.services.debit import debit
from transactions.services.offline import post_sales
from transactions.services.orders import TapOrder
from transactions.services.outcomes import CardWrite, Report, report_outcomes
from transactions.services.taps import sighting
from transactions.services.void import void

Money = tuple[int, int, int]
"""Book, unclaimed, number of entries."""
_CARD = (
    "life", "spend_seq", "spend_total_fen", "offline_spent_fen", "stop_marked", "load_seq", "load_total_fen",
    "late_fen", "seen_terminal",
)  # fmt: skip
_ENTRY = (
    "seq", "kind", "book_change_fen", "unclaimed_change_fen", "book_after_fen", "unclaimed_after_fen", "contra",
    "purse_side", "purse_seq", "mode", "terminal_id",
)  # fmt: skip


@dataclass
class Scene:
    """One call of one service. ``done`` says for each person how the book stands when it was carried out."""

    act: Callable[[], object]
    done: dict[int, Money] = field(default_factory=dict)
    people: list[Person] = field(default_factory=list)
    keys: tuple[uuid.UUID, ...] = ()
    """Keys without an account, whose answers belong to the picture."""

    def money(self) -> list[Money]:
        """How the books stand now."""
        return [_money(person) for person in self.people]

    def wanted(self) -> list[Money]:
        """How they have to stand in the end."""
        return [self.done[person.account.id] for person in self.people]

    def half_done(self, before: list[Money]) -> list[str]:
        """Each account as before or done, and its entries saying the same as its book."""
        wrong = []
        for person, was, wanted in zip(self.people, before, self.wanted(), strict=True):
            account = person.fresh()
            rows = list(
                Entry.objects.filter(account=account).order_by("seq").values_list("seq", "book_change_fen")
            )
            now = _money(person)
            if now not in (was, wanted):
                wrong.append(f"half done: {now} is neither {was} nor {wanted}")
            if [seq for seq, _ in rows] != list(range(1, account.entry_seq + 1)):
                wrong.append("a gap in the entries")
            if sum(fen for _, fen in rows) != account.book_fen:
                wrong.append("the book is not what its entries say")
        return wrong

    def picture(self) -> list[Any]:
        """Everything the service left behind, without ids and times, so that two scenes can be compared."""
        return [_picture(person) for person in self.people] + [
            list(Answer.objects.filter(key__in=self.keys).values_list("op", "reply").order_by("op")),
            OutcomeNote.objects.filter(key__in=self.keys).count(),
        ]


def _money(person: Person) -> Money:
    account = person.fresh()
    return account.book_fen, account.unclaimed_fen, account.entry_seq


def _picture(person: Person) -> dict[str, Any]:
    account, card = person.fresh(), person.card_row
    entries = Entry.objects.filter(account=account).order_by("seq")
    audits = AuditEvent.objects.order_by("id").values_list("action", "before", "after")
    return {
        "account": (
            account.book_fen,
            account.unclaimed_fen,
            sorted(account.frozen_reasons),
            account.spent_fen,
        ),
        "card": {name: getattr(card, name) for name in _CARD} | {"legs": card.legs, "images": card.images},
        "entries": list(entries.values_list(*_ENTRY)),
        "corrections": [(entry.reverses is None, entry.corrects is None) for entry in entries],
        "reversals": Reversal.objects.filter(entry_id__in=entries.values("id")).count(),
        "answers": sorted(
            Answer.objects.filter(account_id=account.id).values_list("op", "entry_seq"), key=str
        ),
        "audits": [
            *audits.filter(object_kind="account", object_id=str(account.id)),
            *audits.filter(object_kind="card", object_id=str(card.id)),
        ],
        "findings": list(CardFinding.objects.filter(account_id=account.id).values_list("kind", "sighting")),
        "notes": OutcomeNote.objects.filter(account_id=account.id).count(),
    }


def scene(act: Callable[[], object], *ends: tuple[Person, Money], keys: tuple[uuid.UUID, ...] = ()) -> Scene:
    """Put a scene together from the act and each person's end."""
    return Scene(act, {who.account.id: money for who, money in ends}, [who for who, _ in ends], keys)


def read(till: Counter, person: Person):
    person.field.place(person.plastic)
    try:
        return till.read(person)[1]
    finally:
        person.field.lift()


def torn(till: Counter, person: Person, fen: int):
    """A purchase that stands in the book and not on the card."""
    return till.tap(person, fen, leave_after=BEFORE_THE_WRITE)


# ------------------------------------------------------------------------------------------------------- debit


def a_plain_debit() -> Scene:
    till, person = Counter(), make_person(20_00)
    order = till.order(read(till, person), 3_00)
    return scene(lambda: debit(order, book=book()), (person, (17_00, 0, 2)))


def a_plain_debit_that_settles_another_card() -> Scene:
    till, person, other = Counter(), make_person(20_00), make_person(20_00)
    till.tap(other, 1_00)
    order = till.order(read(till, person), 3_00)
    return scene(lambda: debit(order, book=book()), (person, (17_00, 0, 2)), (other, (19_00, 0, 2)))


def a_healing_debit() -> Scene:
    till, person = Counter(), make_person(20_00)
    torn(till, person, 2_00)
    till.pending.clear()
    order = till.order(read(till, person), 3_00)
    return scene(lambda: debit(order, book=book()), (person, (15_00, 0, 3)))


def a_debit_with_a_password() -> Scene:
    till, person = Counter(), make_person(90_00)
    order = till.order(read(till, person), 60_00, "408273")
    return scene(lambda: debit(order, book=book()), (person, (30_00, 0, 2)))


def a_debit_that_claims() -> Scene:
    till, person = Counter(), make_person(20_00)
    credit_unclaimed(Credit(uuid.uuid4(), person.account.id, 5_00), now=NOON)
    order = till.order(read(till, person), 3_00)
    return scene(lambda: debit(order, book=book()), (person, (22_00, 0, 4)))


def a_freezing_debit() -> Scene:
    till, person = Counter(), make_person(90_00, limit_fen=600_00)
    torn(till, person, 60_00)
    till.pending.clear()
    order = till.order(read(till, person), 3_00)
    return scene(lambda: debit(order, book=book()), (person, (30_00, 0, 2)))


def a_first_debit() -> Scene:
    till, person = Counter(), make_person(20_00, life="issued")
    order = till.order(read(till, person), 3_00)
    return scene(lambda: debit(order, book=book()), (person, (17_00, 0, 2)))


def a_refused_debit() -> Scene:
    till, person = Counter(), make_person(20_00)
    order = till.order(read(till, person), 20_01)
    return scene(lambda: debit(order, book=book()), (person, (20_00, 0, 1)))


def a_refused_debit_that_heals() -> Scene:
    till, person = Counter(), make_person(90_00)
    torn(till, person, 2_00)
    till.pending.clear()
    order = till.order(read(till, person), 60_00)
    return scene(lambda: debit(order, book=book()), (person, (88_00, 0, 2)))


def a_debit_with_a_strange_card() -> Scene:
    till, person = Counter(), make_person(20_00)
    raw = read(till, person)
    order = till.order(replace(raw, uid=b"\x00" + uuid.uuid4().bytes[:3]), 3_00)
    return scene(lambda: debit(order, book=book()), (person, (20_00, 0, 1)), keys=(order.key,))


# ---------------------------------------------------------------------------------------------- taking it back


def a_void() -> Scene:
    till, person = Counter(), make_person(20_00)
    sale = till.tap(person, 3_00)
    order = till.order(read(till, person), 0)
    return scene(lambda: void(order, of=sale.key, book=book()), (person, (20_00, 0, 3)))


def a_void_into_unclaimed_money() -> Scene:
    till, person = Counter(may_claim=False), make_person(20_00)
    sale = till.tap(person, 3_00)
    order = till.order(read(till, person), 0)
    return scene(lambda: void(order, of=sale.key, book=book()), (person, (17_00, 3_00, 3)))


def a_void_of_nothing() -> Scene:
    till, person = Counter(), make_person(20_00)
    order = till.order(read(till, person), 0)
    return scene(lambda: void(order, of=uuid.uuid4(), book=book()), (person, (20_00, 0, 1)))


def a_given_up_sale() -> Scene:
    till, person = Counter(), make_person(20_00)
    order = till.order(read(till, person), 3_00)
    debit(order, book=book())
    report = [Report(order.key, CardWrite.ABANDONED)]
    return scene(lambda: report_outcomes(report, till=till.till, now=NOON), (person, (20_00, 0, 3)))


def a_sale_given_up_before_it_came() -> Scene:
    till, person = Counter(), make_person(20_00)
    order = till.order(read(till, person), 3_00)

    def act():
        report_outcomes([Report(order.key, CardWrite.ABANDONED)], till=till.till, now=NOON)
        return debit(order, book=book())

    return scene(act, (person, (20_00, 0, 1)), keys=(order.key,))


# -------------------------------------------------------------------------------------------- outcomes, sightings


def reported_sales() -> Scene:
    till, first, second = Counter(), make_person(20_00), make_person(20_00)
    keys = [till.tap(person, 3_00, report=False).key for person in (first, second)]
    reports = [Report(key, CardWrite.WRITTEN) for key in keys] + [Report(uuid.uuid4(), CardWrite.UNKNOWN)]
    return scene(
        lambda: report_outcomes(reports, till=till.till, now=NOON),
        (first, (17_00, 0, 2)),
        (second, (17_00, 0, 2)),
        keys=(reports[-1].key,),
    )


def a_doubtful_outcome() -> Scene:
    till, person = Counter(), make_person(20_00)
    sale = torn(till, person, 3_00)
    report = [Report(sale.key, CardWrite.UNKNOWN)]
    return scene(lambda: report_outcomes(report, till=till.till, now=NOON), (person, (17_00, 0, 2)))


def look_at(till: Counter, person: Person, raw, end: Money) -> Scene:
    """A look under a till's own number: the same look twice says the same."""
    order = TapOrder(uuid.uuid4(), 0, b"", raw, 0, NOON, till.till)
    return scene(lambda: sighting(order, book=book()), (person, end))


def a_look() -> Scene:
    till, person = Counter(), make_person(20_00)
    till.sell_offline(person, 3_00)
    return look_at(till, person, read(till, person), (20_00, 0, 1))


def a_look_that_freezes() -> Scene:
    till, person = Counter(), make_person(90_00, limit_fen=600_00)
    torn(till, person, 60_00)
    return look_at(till, person, read(till, person), (30_00, 0, 2))


def a_look_at_a_restored_card() -> Scene:
    till, person = Counter(), make_person(20_00)
    dump = read(till, person)
    till.report(till.tap(person, 3_00), CardWrite.WRITTEN)
    return look_at(till, person, dump, (17_00, 0, 2))


# ---------------------------------------------------------------------------------------- credits and uploads


def a_credit() -> Scene:
    person = make_person(20_00)
    credit = Credit(uuid.uuid4(), person.account.id, 5_00)
    return scene(lambda: credit_unclaimed(credit, now=NOON), (person, (20_00, 5_00, 2)))


def upload(till: Counter, *sales, now=NOON):
    """What the terminal's interface does with the sales of one request."""
    return post_sales(sales, till=till.till, policy=POLICY, now=now)


def an_offline_sale() -> Scene:
    till, person = Counter(), make_person(20_00)
    sale = till.sell_offline(person, 3_00)
    return scene(lambda: upload(till, sale), (person, (17_00, 0, 2)))


def an_offline_sale_below_zero() -> Scene:
    till, offline, person = Counter(7), Counter(8), make_person(10_00)
    torn(till, person, 9_00)
    sale = offline.sell_offline(person, 1_01)
    return scene(lambda: upload(offline, sale), (person, (-1, 0, 3)))


def an_offline_sale_under_the_key_of_a_lost_answer() -> Scene:
    till, person = Counter(), make_person(20_00)
    order = till.order(read(till, person), 3_00)
    debit(order, book=book())
    sale = till.sell_offline(person, 3_00, key=order.key, journal_seq=order.journal_seq, asked=order.asked)
    return scene(lambda: upload(till, sale), (person, (17_00, 0, 2)))


def a_batch_of_offline_sales() -> Scene:
    """Three holders; one sale comes twice, one was torn from an online debit, one belongs to nobody."""
    till, online = Counter(7), Counter(8)
    first, second, third = (make_person(20_00) for _ in range(3))
    torn(online, second, 2_00)
    sales = [
        till.sell_offline(who, fen) for who, fen in ((first, 1_00), (second, 3_00), (third, 50), (first, 25))
    ]
    strange = replace(sales[0], key=uuid.uuid4(), uid=b"\x00" + uuid.uuid4().bytes[:3])
    return scene(
        lambda: upload(till, *sales, strange, sales[0]),
        (first, (18_75, 0, 3)),
        (second, (15_00, 0, 3)),
        (third, (19_50, 0, 2)),
    )


SCENES: list[Callable[[], Scene]] = [
    a_plain_debit,
    a_plain_debit_that_settles_another_card,
    a_healing_debit,
    a_debit_with_a_password,
    a_debit_that_claims,
    a_freezing_debit,
    a_first_debit,
    a_refused_debit,
    a_refused_debit_that_heals,
    a_debit_with_a_strange_card,
    a_void,
    a_void_into_unclaimed_money,
    a_void_of_nothing,
    a_given_up_sale,
    a_sale_given_up_before_it_came,
    reported_sales,
    a_doubtful_outcome,
    a_look,
    a_look_that_freezes,
    a_look_at_a_restored_card,
    a_credit,
    an_offline_sale,
    an_offline_sale_below_zero,
    an_offline_sale_under_the_key_of_a_lost_answer,
    a_batch_of_offline_sales,
]
"""Everything that tills do. What is done at the desk and by the nightly run: ``desk_scenes``."""
