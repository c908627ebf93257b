"""指南 L45, L47: 银行卡与校园卡一一对应; only a confirmed binding counts (R019, R022, C06)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.actors import Actor, AtCounter, Channel, WrongDoor
from accounts.checks import Rejected
from accounts.models import Account, AuditEvent, CounterDeed
from accounts.papers import PaperKind
from accounts.services import deeds
from accounts.wiring import secrets
from banking.models import Binding
from banking.numbers import masked, parse_bank_card, passes_luhn
from banking.selectors import binding_of, bindings_of
from banking.services import bindings
from banking.services.bindings import BankCard
from banking.services.errors import NotBound, Problem
from tests.reconciliation.books import Book

pytestmark = pytest.mark.django_db(transaction=True)
CLERK = Actor.operator(4, role="clerk", channel=Channel.COUNTER)
DOOR = AtCounter(CLERK, PaperKind.RESIDENT, document_note="agrees")
BINS = ["999999", "6217"]


def number(serial: int) -> str:
    """A savings card of the demo's bank with a right check digit."""
    head = f"999999{serial:012d}"
    return next(f"{head}{digit}" for digit in range(10) if passes_luhn(f"{head}{digit}"))


def bind(
    account: Account, serial: int, *, key: uuid.UUID | None = None, door: AtCounter = DOOR
) -> CounterDeed:
    card = BankCard(number(serial), "崂山1号柜", "Laoshan desk 1")
    return bindings.bind(
        account.pk, card, key=key or uuid.uuid4(), door=door, now=timezone.now(), secrets=secrets()
    )


def unbind(account: Account) -> CounterDeed:
    return bindings.unbind(account.pk, key=uuid.uuid4(), door=DOOR, now=timezone.now())


class TestNumber:
    def test_as_it_stands_on_the_card(self):
        good = next(f"621700001000000{n:03d}" for n in range(1000) if passes_luhn(f"621700001000000{n:03d}"))
        spaced = " ".join(good[place : place + 4] for place in range(0, len(good), 4))

        assert parse_bank_card(good, savings_bins=BINS) == parse_bank_card(spaced, savings_bins=BINS) == good

    @pytest.mark.parametrize(
        "typed",
        ["", "1234", "62170000100000000１7", "6217000010000000018x", "6217\x000000", "6" * 5000, "-6217000010000000",
         "6217  0000 1000 0000 017"],
    )  # fmt: skip
    def test_nothing_that_is_not_one(self, typed):
        with pytest.raises(Rejected):
            parse_bank_card(typed, savings_bins=BINS)

    def test_every_single_wrong_digit_is_found(self):
        good = number(17)
        for place in range(len(good)):
            for digit in set("0123456789") - {good[place]}:
                assert not passes_luhn(good[:place] + digit + good[place + 1 :])

    def test_another_bank_is_refused(self):
        with pytest.raises(Rejected, match="储蓄卡"):
            parse_bank_card(number(1), savings_bins=["6217"])

    def test_the_mask(self):
        assert masked("6217", "0017") == "6217 **** **** 0017"


class TestBinding:
    def test_bound_with_a_receipt_and_sealed(self):
        account = Book.open().account

        deed = bind(account, 1)

        row, shown = Binding.objects.get(), binding_of(account.pk)
        assert shown is not None
        assert (shown.confirmed, shown.masked, shown.name_zh) == (
            True,
            masked("9999", number(1)[-4:]),
            "崂山1号柜",
        )
        assert deed.facts["bank_card"] == shown.masked
        assert number(1).encode() not in bytes(row.number_sealed) + bytes(row.number_index)
        assert bindings.bank_card_of(row, secrets()) == number(1)
        assert number(1) not in str(list(AuditEvent.objects.values_list("before", "after")))

    def test_one_bank_card_for_one_account_and_the_other_way_round(self):
        """指南 L45: 一一对应."""
        first, second = Book.open().account, Book.open().account
        bind(first, 1)

        with pytest.raises(NotBound) as taken:
            bind(second, 1)
        bind(first, 2)  # a change: the first card is free again
        bind(second, 1)

        assert taken.value.problem is Problem.BANK_CARD_TAKEN
        assert [row.state for row in bindings_of(first.pk)] == ["confirmed", "ended"]
        assert Binding.objects.exclude(state="ended").count() == 2

    def test_the_same_card_again_is_said(self):
        account = Book.open().account
        bind(account, 1)

        with pytest.raises(NotBound) as refused:
            bind(account, 1)

        assert refused.value.problem is Problem.HAS_BINDING
        assert Binding.objects.count() == 1

    def test_the_same_key_is_the_same_deed(self):
        account, key = Book.open().account, uuid.uuid4()

        assert bind(account, 1, key=key).pk == bind(account, 1, key=key).pk == key
        with pytest.raises(deeds.KeyReused):
            bind(account, 2, key=key)

        assert Binding.objects.count() == 1

    def test_ended_and_bound_anew(self):
        account = Book.open().account
        bind(account, 1)

        unbind(account)

        assert binding_of(account.pk) is None
        with pytest.raises(NotBound) as nothing:
            unbind(account)
        assert nothing.value.problem is Problem.NOT_BOUND
        bind(account, 1)
        assert binding_of(account.pk) is not None

    def test_a_pending_one_counts_only_after_a_center_saw_the_card(self):
        """指南 L47: 未确认的请到管理中心确认."""
        account, moment = Book.open().account, timezone.now()
        card = BankCard(number(5))
        bindings.propose(account.pk, card, actor=Actor.system("bank"), now=moment, secrets=secrets())
        before = binding_of(account.pk)

        def confirm(serial: int) -> CounterDeed:
            shown = BankCard(number(serial))
            return bindings.confirm(
                account.pk, shown, key=uuid.uuid4(), door=DOOR, now=moment, secrets=secrets()
            )

        with pytest.raises(NotBound) as other:
            confirm(6)
        confirm(5)
        after = binding_of(account.pk)

        assert (before.confirmed, after.confirmed) == (False, True)
        assert other.value.problem is Problem.OTHER_CARD
        with pytest.raises(NotBound):
            confirm(5)

    @pytest.mark.parametrize("life", ["closing"])
    def test_not_for_an_account_that_ends(self, life):
        account = Book.open().account
        Account.objects.filter(pk=account.pk).update(life=life)

        with pytest.raises(NotBound) as refused:
            bind(account, 1)

        assert refused.value.problem is Problem.ACCOUNT_ENDED

    def test_nobody_binds_his_own(self):
        account = Book.open().account
        own = AtCounter(CLERK, PaperKind.RESIDENT, own_holder_id=account.holder_id)

        with pytest.raises(WrongDoor):
            bind(account, 1, door=own)

        assert not Binding.objects.exists()

    def test_two_accounts_at_the_same_moment_one_gets_it(self):
        accounts = [Book.open().account for _ in range(6)]

        def race(account: Account) -> bool:
            try:
                bind(account, 9)
            except NotBound:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(6) as pool:
            won = list(pool.map(race, accounts))

        assert sum(won) == 1
        assert Binding.objects.count() == 1


class TestGuards:
    """The database holds it too, whatever a program does."""

    @pytest.fixture
    def row(self):
        bind(Book.open().account, 1)
        return Binding.objects.get()

    @pytest.mark.parametrize(
        "change",
        ["state = 'pending', confirmed_at = NULL", "account_id = account_id + 1", "last_four = '0000'",
         "ended_at = now()", "state = 'ended'"],
    )  # fmt: skip
    def test_no_way_back_and_no_other_content(self, row, change):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE banking_binding SET {change} WHERE id = %s", [row.pk])

    def test_nothing_is_deleted(self, row):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM banking_binding")

    def test_an_ended_one_never_comes_back(self, row):
        unbind(row.account)

        with pytest.raises(DatabaseError), transaction.atomic():
            Binding.objects.filter(pk=row.pk).update(state="confirmed", ended_at=None)

    def test_two_active_ones_are_refused_both_ways(self, row):
        other = Book.open().account
        for account_id, index in ((row.account_id, b"x" * 32), (other.pk, bytes(row.number_index))):
            with pytest.raises(IntegrityError), transaction.atomic():
                Binding.objects.create(
                    account_id=account_id, number_sealed=b"x", number_index=index, first_four="9999",
                    last_four="0001", state="confirmed", bound_at=timezone.now(), bound_by="x",
                    confirmed_at=timezone.now(),
                )  # fmt: skip
