"""What people may do about a difference: each remedy with its refusals, and both sides of every bound."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import OperatorRole
from reconciliation.models import Case
from reconciliation.services.remedies import Obstacle
from terminals.models import CardJob
from tests.reconciliation.books import NOW, Book
from tests.reconciliation.desk import (
    Form,
    approve,
    desk_terminal,
    doubled,
    entries,
    freeze,
    gap,
    open_case,
    operator,
    read_on,
    refused,
    torn,
)

CLERK, SUPERVISOR = OperatorRole.CLERK, OperatorRole.SUPERVISOR


@pytest.fixture
def li(db):
    return operator("li", SUPERVISOR)


@pytest.fixture
def wu(db):
    return operator("wu", SUPERVISOR)


@pytest.fixture
def chief(db):
    return operator("chief", SUPERVISOR, at=None)


@pytest.fixture
def clerk(db):
    return operator("clerk", CLERK)


class TestSetToCard:
    """按卡修正: the book is lowered by exactly what only offline use explains."""

    def test_book_and_card_are_one_and_the_case_closes_itself(self, li):
        book, case = gap(10_00)

        decision = Form(case, "set_to_card").send(li)

        case.refresh_from_db()
        assert book.fresh().book_fen == 39_00 == book.fresh_card().card_fen
        assert entries(book)[-1] == ("adjustment", -10_00)
        assert decision.result.done
        assert decision.result.numbers == {"entries": [3], "book_fen": 39_00}
        assert case.state == "closed"
        assert book.fresh_card().levelled_seq == book.fresh_card().spend_seq

    def test_a_torn_surplus_is_not_given_away(self, li):
        """reliability.md finding 6: literal "book := card" pays torn debits out."""
        book, case = gap(10_00)
        book.trace(10_00)  # the tap that was torn has read the card, and its ring
        book.pay(3_00, torn=True)

        Form(case, "set_to_card").send(li)

        assert book.fresh().book_fen == 50_00 - 1_00 - 3_00 - 10_00
        assert book.fresh_card().card_fen - book.fresh().book_fen == 3_00

    def test_a_card_above_its_book_is_never_followed(self, li):
        _, case = torn()

        assert refused(lambda: Form(case, "set_to_card").send(li)) is Obstacle.CARD_ABOVE_BOOK

    def test_nothing_to_do_when_both_are_one(self, li):
        book = Book.open(5_00)
        case = open_case(book, "OFFLINE_GAP")

        assert refused(lambda: Form(case, "set_to_card").send(li)) is Obstacle.NOTHING_TO_DO

    def test_not_with_a_card_that_shows_what_no_record_explains(self, li):
        book, case = gap()
        book.find("fork")

        assert refused(lambda: Form(case, "set_to_card").send(li)) is Obstacle.CARD_SUSPECT


class TestRefund:
    """退还: exactly the records that were deducted twice, each once for ever (guide L111)."""

    def test_gives_back_what_was_taken_twice(self, li):
        book, case = doubled(10_00, 3_40)

        decision = Form(case, "refund").send(li)

        case.refresh_from_db()
        assert decision.amount_fen == 13_40
        assert [line for line in entries(book) if line[0] == "refund"] == [
            ("refund", 10_00),
            ("refund", 3_40),
        ]
        assert book.fresh().book_fen == book.fresh_card().card_fen
        assert book.fresh_card().late_fen == 0
        assert case.state == "closed"
        assert book.fresh().frozen_reasons == ["late_upload"]

    def test_never_twice(self, li):
        _, case = doubled(10_00)
        Form(case, "refund").send(li)
        Case.objects.filter(pk=case.pk).update(state="open", closed_at=None)

        assert refused(lambda: Form(case, "refund").send(li)) is Obstacle.NOTHING_LATE

    def test_nothing_late_nothing_back(self, li):
        _, case = gap()

        assert refused(lambda: Form(case, "refund").send(li)) is Obstacle.NOTHING_LATE


class TestReverse:
    """冲正: a sale for which nothing was handed over."""

    def test_a_torn_sale_waits_as_money_to_be_claimed(self, li):
        """Where a card may still take the sale the money waits; the holder gets it all the same."""
        book, case = torn(1_30)
        seq = book.fresh().entry_seq

        decision = Form(case, "reverse", entry_seq=seq).send(li)

        assert decision.result.done
        assert entries(book)[-1][0] == "reversal"
        back = book.fresh().book_fen + book.fresh().unclaimed_fen
        assert back == 2_40
        assert decision.content["unclaimed_change_fen"] == book.fresh().unclaimed_fen

    def test_once(self, li):
        book, case = torn(1_30)
        seq = book.fresh().entry_seq
        Form(case, "reverse", entry_seq=seq).send(li)
        Case.objects.filter(pk=case.pk).update(state="open", closed_at=None)

        assert refused(lambda: Form(case, "reverse", entry_seq=seq).send(li)) is Obstacle.REVERSED

    @pytest.mark.parametrize("entry_seq", [None, 1, 99, 2**31])
    def test_only_a_sale_of_this_account(self, li, entry_seq):
        _, case = torn()

        assert refused(lambda: Form(case, "reverse", entry_seq=entry_seq).send(li)) is Obstacle.NOT_REVERSIBLE


class TestSetToBook:
    """按库修正: the desk writes on the card what it lacks."""

    def test_orders_a_job_at_the_desk(self, li):
        book, case = torn(1_30)
        desk = desk_terminal()

        decision = Form(case, "set_to_book", desk=desk).send(li)

        job = CardJob.objects.get(pk=decision.result.numbers["job"])
        assert (job.kind, job.desk_id, job.account_id) == ("set", desk.pk, book.account.pk)
        assert decision.amount_fen == 1_30
        assert book.fresh().book_fen == 1_10

    def test_not_below_zero_and_not_what_was_spent_offline(self, li):
        """screens.md 6.5: disabled if book < 0."""
        offline_book, offline = gap()
        negative = Book.open(1_00)
        negative.upload(2_00)
        below = open_case(negative, "NEGATIVE")

        assert refused(lambda: Form(offline, "set_to_book").send(li)) is Obstacle.OFFLINE_OPEN
        assert refused(lambda: Form(below, "set_to_book").send(li)) is Obstacle.BOOK_NEGATIVE
        assert offline_book.fresh().book_fen == 49_00

    def test_needs_a_desk(self, li):
        _, case = torn()

        assert refused(lambda: Form(case, "set_to_book").send(li)) is Obstacle.CARD_NOT_HERE

    def test_a_suspect_card_is_never_one_person_s_decision(self, li):
        book, case = torn(1_30)
        book.find("excess", card_fen=9_00)

        decision = Form(case, "set_to_book", desk=desk_terminal()).send(li)

        assert decision.needs == "second"
        assert not CardJob.objects.exists()


class TestUnfreeze:
    """解冻: card and book one, nothing open, the card on the reader just now."""

    @pytest.fixture
    def level(self, db):
        book = Book.open(20_00)
        freeze(book, "card_above_book")
        return book, open_case(book, "TORN", state="closed", closed_at=NOW)

    @pytest.mark.parametrize(("seconds", "obstacle"), [(119, None), (121, Obstacle.CARD_NOT_HERE)])
    def test_the_card_was_read_just_now(self, li, level, seconds, obstacle):
        book, case = level
        desk = desk_terminal()
        read_on(desk, book, ago=timedelta(seconds=seconds))
        form = Form(case, "unfreeze", desk=desk)

        if obstacle is None:
            form.send(li)
            assert book.fresh().frozen_reasons == []
        else:
            assert refused(lambda: form.send(li)) is obstacle
            assert book.fresh().frozen_reasons == ["card_above_book"]

    def test_another_card_on_the_reader_does_not_do(self, li, level):
        _, case = level
        desk = desk_terminal()
        read_on(desk, Book.open(20_00))

        assert refused(lambda: Form(case, "unfreeze", desk=desk).send(li)) is Obstacle.CARD_NOT_HERE

    @pytest.mark.parametrize("story", [torn, gap, doubled])
    def test_not_while_anything_is_open(self, li, story):
        book, case = story()
        freeze(book, "by_hand")
        desk = desk_terminal()
        read_on(desk, book)

        assert refused(lambda: Form(case, "unfreeze", desk=desk).send(li)) is Obstacle.NOT_EQUAL

    def test_not_with_a_book_below_zero(self, li):
        book = Book.open(1_00)
        book.upload(1_01)
        freeze(book, "book_negative")
        case = open_case(book, "NEGATIVE")

        assert refused(lambda: Form(case, "unfreeze").send(li)) is Obstacle.BOOK_NEGATIVE

    def test_not_what_is_not_frozen(self, li):
        case = open_case(Book.open(1_00), "TORN")

        assert refused(lambda: Form(case, "unfreeze").send(li)) is Obstacle.NOT_FROZEN

    def test_a_loss_stays_a_loss(self, li, level):
        book, case = level
        book.change_card(lost=True, lost_at=NOW)
        desk = desk_terminal()
        read_on(desk, book)

        Form(case, "unfreeze", desk=desk).send(li)

        assert book.fresh_card().lost

    def test_the_guide_s_story_to_its_end(self, li):
        """指南 L109-111: levelled, uploaded late, frozen, refunded, unfrozen."""
        book, case = doubled(10_00)
        desk = desk_terminal()

        Form(case, "refund").send(li)
        read_on(desk, book)
        Form(case, "unfreeze", desk=desk).send(li)

        assert book.fresh().book_fen == book.fresh_card().card_fen == 39_00
        assert book.fresh().frozen_reasons == []


class TestBounds:
    """Above an amount a second person agrees, far above it one who answers for all campuses."""

    @pytest.mark.parametrize(
        ("fen", "needs"),
        [(50_00, "alone"), (50_01, "second"), (200_00, "second"), (200_01, "chief")],
    )
    def test_by_amount(self, li, fen, needs):
        book, case = gap(fen, held=300_00)

        decision = Form(case, "set_to_card").send(li)

        assert decision.needs == needs
        assert hasattr(decision, "result") is (needs == "alone")
        assert book.fresh().book_fen == (299_00 - fen if needs == "alone" else 299_00)

    def test_a_clerk_proposes(self, clerk, li):
        book, case = gap(1)

        decision = Form(case, "set_to_card").send(clerk)
        assert decision.needs == "second"
        assert book.fresh().book_fen == 49_00
        approve(decision, li)

        assert book.fresh().book_fen == 48_99

    def test_a_bound_cannot_be_cut_into_slices(self, li):
        book, case = gap(30_00, held=100_00)
        Form(case, "set_to_card").send(li)
        book.pay_offline(20_01)
        again = open_case(book, "OFFLINE_GAP")

        assert Form(again, "set_to_card").send(li).needs == "second"

    def test_the_next_day_the_bound_is_whole_again(self, li):
        book, case = gap(30_00, held=100_00)
        Form(case, "set_to_card").send(li)
        book.pay_offline(20_01)
        again = open_case(book, "OFFLINE_GAP")

        assert Form(again, "set_to_card").send(li, now=NOW + timedelta(hours=24)).needs == "alone"

    def test_who_put_much_right_does_not_unfreeze_alone(self, li, wu):
        book, case = doubled(60_00, held=100_00)
        approve(Form(case, "refund").send(li), wu)
        desk = desk_terminal()
        read_on(desk, book)

        decision = Form(case, "unfreeze", desk=desk).send(li)
        assert decision.needs == "second"
        assert book.fresh().frozen_reasons == ["late_upload"]
        approve(decision, wu, desk=desk)

        assert book.fresh().frozen_reasons == []

    def test_only_one_for_all_campuses_agrees_far_above(self, li, wu, chief):
        book, case = gap(200_01, held=300_00)
        decision = Form(case, "set_to_card").send(li)

        assert refused(lambda: approve(decision, wu)) is Obstacle.NOT_CHIEF
        approve(decision, chief)

        assert book.fresh().book_fen == 299_00 - 200_01

    @pytest.mark.parametrize(
        ("minutes", "seconds", "obstacle"), [(5, 0, None), (5, 1, Obstacle.CODE_TOO_OLD)]
    )
    def test_the_one_time_code_is_fresh(self, li, minutes, seconds, obstacle):
        """reliability.md section 3: step-up, at most five minutes old."""
        _, case = gap()
        age = timedelta(minutes=minutes, seconds=seconds)

        if obstacle is None:
            Form(case, "set_to_card").send(li, age=age)
        else:
            assert refused(lambda: Form(case, "set_to_card").send(li, age=age)) is obstacle

    def test_a_code_of_the_future_is_none(self, li):
        _, case = gap()

        obstacle = refused(lambda: Form(case, "set_to_card").send(li, age=-timedelta(seconds=1)))

        assert obstacle is Obstacle.CODE_TOO_OLD

    def test_says_why(self, li):
        _, case = gap()

        assert refused(lambda: Form(case, "set_to_card", reason=" ").send(li)) is Obstacle.NO_REASON
