"""Closing the accounts of many who leave: chosen, looked at, begun in slices; who cannot be closed stays, with why."""

from __future__ import annotations

import uuid

import pytest
from django.utils import timezone

from accounts.actors import Actor, Channel
from accounts.models import (
    Account,
    AuditEvent,
    ClosingBatch,
    ClosingItem,
    OperatorRole,
    RosterFile,
    RosterMember,
)
from accounts.options import Options
from accounts.services.operators import officer_of
from accounts.services.rows import By
from reconciliation import graduation as reading
from reconciliation.services import graduation
from reconciliation.services.graduation import Leaving, NobodyChosen
from tests import faults
from tests.accounts.test_roster import _killed_at
from tests.reconciliation.books import Book, campus
from tests.reconciliation.desk import freeze, open_case, operator

pytestmark = pytest.mark.django_db
NOW = timezone.now()
OPTIONS = Options()


@pytest.fixture
def li(db):
    return operator("li", OperatorRole.SUPERVISOR)


def by(person) -> By:
    return By(Actor.operator(person.pk, role=person.role, channel=Channel.COUNTER), timezone.now())


def on_roster(book: Book, *, year: int = 2026, left: bool = False) -> Book:
    file, _ = RosterFile.objects.get_or_create(
        digest=bytes(32), scope="additions",
        defaults={
            "id": uuid.uuid4(), "name": "a.csv", "state": "discarded", "uploaded_at": NOW, "ended_at": NOW,
            "uploaded_by": operator(f"office{book.account.pk}", OperatorRole.CLERK),
        },
    )  # fmt: skip
    RosterMember.objects.create(
        holder=book.account.holder, year=year, file=file, listed_at=NOW, left_at=NOW if left else None
    )
    return book


def lay_out(person, *, key=None, **leaving) -> ClosingBatch:
    return graduation.lay_out(
        key or uuid.uuid4(), "毕业生", Leaving(**leaving), officer=officer_of(person), by=by(person)
    )


def run(person, batch) -> None:
    graduation.start(batch.pk, by=by(person))
    while not graduation.advance(batch.pk, by=by(person), options=OPTIONS):
        pass


def lives(*books: Book) -> list[str]:
    return [book.fresh().life for book in books]


def test_everybody_of_a_year_is_listed_and_nothing_is_done_to_them(li):
    this, other, gone = (
        on_roster(Book.open(5_00)),
        on_roster(Book.open(3_00), year=2027),
        on_roster(Book.open(), left=True),
    )

    batch = lay_out(li, year=2026)

    assert set(batch.items.values_list("account_id", flat=True)) == {this.account.pk, gone.account.pk}
    facts = reading.batch_facts(batch.pk)
    assert (facts.total, facts.money_fen, facts.hindered, facts.state) == (2, 5_00, 0, "ready")
    assert lives(this, other, gone) == ["open"] * 3
    assert list(lay_out(li, left_roster=True).items.values_list("account_id", flat=True)) == [gone.account.pk]


def test_a_list_of_numbers_names_those_that_nobody_has(li):
    book = Book.open()

    batch = lay_out(li, numbers=(book.account.holder.school_no, "20190000001"))

    assert batch.items.count() == 1
    assert reading.batch_facts(batch.pk).unknown == ("20190000001",)


def test_what_stands_against_each_is_shown_before_and_after(li):
    """Requirements 3.3: a frozen account must be put right first; debts and open cases too."""
    fine, debt, case, frozen = (on_roster(Book.open(fen)) for fen in (5_00, 5_00, 5_00, 60_00))
    debt.upload(6_00)
    open_case(case, "TORN")
    freeze(frozen, "card_above_book")
    batch = lay_out(li, year=2026)

    def told():
        rows = reading.items(batch.pk, hindered=True)
        return {row.account_id: row.against.value for row in rows}

    expected = {debt.account.pk: "debt", case.account.pk: "open_case", frozen.account.pk: "frozen"}
    before = told()
    run(li, batch)

    assert before | {debt.account.pk: "debt"} == expected
    assert told().keys() == expected.keys()
    assert lives(fine, debt, case, frozen) == ["closing", "open", "open", "open"]
    facts = reading.batch_facts(batch.pk)
    assert (facts.state, facts.started, facts.refused) == ("done", 1, 3)
    assert AuditEvent.objects.filter(action="account.begin_closing").count() == 1


def test_what_came_up_after_the_list_was_made_counts_too(li):
    book = on_roster(Book.open(5_00))
    batch = lay_out(li, year=2026)
    open_case(book, "TORN")

    run(li, batch)

    assert lives(book) == ["open"]
    assert ClosingItem.objects.get().reason == "open_case"


def test_nobody_closes_his_own_account_and_a_campus_only_its_own(li):
    own, colleague, elsewhere = (
        on_roster(Book.open()),
        on_roster(Book.open()),
        on_roster(Book.open(at="yushan")),
    )
    li.holder = own.account.holder
    li.save()

    batch = lay_out(li, year=2026, campus_id=campus("laoshan").pk)

    assert list(batch.items.values_list("account_id", flat=True)) == [colleague.account.pk]
    assert lives(elsewhere) == ["open"]


def test_the_same_click_twice_is_one_list_and_nobody_chosen_is_none(li):
    on_roster(Book.open())
    key = uuid.uuid4()

    assert lay_out(li, key=key, year=2026).pk == lay_out(li, key=key, year=2026).pk
    with pytest.raises(NobodyChosen):
        lay_out(li, year=1999)
    assert ClosingBatch.objects.count() == 1


def test_a_list_put_away_is_never_begun_and_one_begun_never_put_away(li):
    book = on_roster(Book.open())
    away, begun = lay_out(li, year=2026), lay_out(li, year=2026)

    assert graduation.discard(away.pk, by=by(li))
    assert not graduation.start(away.pk, by=by(li))
    assert graduation.start(begun.pk, by=by(li))
    assert not graduation.discard(begun.pk, by=by(li))
    assert lives(book) == ["open"]


@pytest.mark.django_db(transaction=True)
def test_killed_before_any_statement_every_closing_is_begun_once():
    li = operator("li", OperatorRole.SUPERVISOR)
    cases = wrong = 0
    killed = True
    while killed:
        books = [on_roster(Book.open()) for _ in range(2)]
        batch = lay_out(li, numbers=tuple(book.account.holder.school_no for book in books))
        killed = _killed_at(cases, lambda: run(li, batch))  # noqa: B023 - called at once
        begun = AuditEvent.objects.filter(
            action="account.begin_closing", object_id__in=[str(book.account.pk) for book in books]
        )
        wrong += (
            begun.count()
            != Account.objects.filter(pk__in=[b.account.pk for b in books], life="closing").count()
        )
        run(li, batch)
        wrong += lives(*books) != ["closing"] * 2 or begun.count() != 2
        cases += killed

    faults.report("GRADUATION-KILL", cases, wrong)
    assert cases > 10
    assert wrong == 0
