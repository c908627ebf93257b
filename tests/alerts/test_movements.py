"""Looking through the ledger: each movement once, however late it is committed, and only for those who asked."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.kinds import NoticeKind
from accounts.models import Account, AlertChoice, Notice
from accounts.services.errors import NotAllowed
from accounts.services.notices import Message, tell_once
from tests.alerts.world import DAYTIME, Bag, close, move, told, wish, work
from tests.campus import make_person
from transactions.models import EntryKind
from transactions.services import alerts
from transactions.services.alerts import tell_of_movements

pytestmark = pytest.mark.django_db
LOW, SPEND, WAITING = NoticeKind.LOW_BOOK, NoticeKind.LARGE_SPEND, NoticeKind.MONEY_WAITING


@pytest.fixture
def account() -> Account:
    return make_person(100_00).account


def test_a_purchase_that_leaves_the_book_low_is_told_with_both_amounts(account):
    """用例 H23: low-balance alert."""
    wish(account, low_fen=50_00)
    seq = move(account, -50_01)

    assert tell_of_movements(now=DAYTIME) == 1

    notice = Notice.objects.get(account=account)
    assert (notice.kind, notice.about) == (LOW, f"entry:{seq}")
    assert notice.facts == {"fen": 49_99, "below_fen": 50_00}


@pytest.mark.parametrize(("price", "expected"), [(49_99, []), (50_00, []), (50_01, [SPEND])])
def test_a_large_purchase_is_told_with_place_and_time(account, price, expected):
    """用例 H23: large-transaction alert."""
    wish(account, spend_fen=50_00)
    move(account, -price)

    tell_of_movements(now=DAYTIME)

    assert [kind for kind, _ in told(account)] == expected
    for notice in Notice.objects.filter(account=account):
        assert notice.facts["place_zh"] == "示范一餐厅"
        assert notice.facts["at"] == DAYTIME.isoformat()


def test_money_that_waits_is_told(account):
    wish(account, waiting=True)
    seq = move(account, 0, EntryKind.SUBSIDY, unclaimed_fen=200_00)

    tell_of_movements(now=DAYTIME)

    assert told(account) == [(WAITING, f"entry:{seq}")]


def test_the_same_run_again_tells_nothing_new(account):
    wish(account, low_fen=50_00, spend_fen=1_00)
    move(account, -60_00)

    assert tell_of_movements(now=DAYTIME) == 2
    assert tell_of_movements(now=DAYTIME) == 0
    assert len(told(account)) == 2


def test_one_cause_is_told_once_for_ever_even_if_the_mark_were_put_back(account):
    wish(account, spend_fen=1_00)
    seq = move(account, -60_00)
    mark = AlertChoice.objects.get(pk=account.pk).seen_seq
    tell_of_movements(now=DAYTIME)

    AlertChoice.objects.filter(pk=account.pk).update(seen_seq=mark)
    tell_of_movements(now=DAYTIME)

    assert told(account) == [(SPEND, f"entry:{seq}")]


def test_the_database_keeps_one_message_of_one_cause(account):
    message = Message(SPEND, "entry:7")
    tell_once([(account.pk, message, DAYTIME), (account.pk, message, DAYTIME)])
    tell_once([(account.pk, message, DAYTIME)])

    assert told(account) == [(SPEND, "entry:7")]


def test_what_happened_before_it_was_chosen_is_not_told(account):
    move(account, -60_00)
    wish(account, spend_fen=1_00, low_fen=50_00)

    tell_of_movements(now=DAYTIME)

    assert told(account) == []


def test_a_book_that_is_low_when_it_is_chosen_counts_as_told(account):
    wish(account, low_fen=200_00)
    move(account, -1_00)
    tell_of_movements(now=DAYTIME)
    assert told(account) == []

    move(account, 150_00, EntryKind.TOP_UP)
    seq = move(account, -60_00)
    tell_of_movements(now=DAYTIME)

    assert told(account) == [(LOW, f"entry:{seq}")]


def test_low_is_told_once_over_many_runs(account):
    wish(account, low_fen=50_00)
    for _ in range(3):
        move(account, -20_00)
        tell_of_movements(now=DAYTIME)

    assert [kind for kind, _ in told(account)] == [LOW]


def test_what_was_bought_just_before_a_change_of_the_page_is_still_looked_at(account):
    wish(account, spend_fen=50_00)
    seq = move(account, -60_00)
    wish(account, spend_fen=50_00, waiting=True)

    tell_of_movements(now=DAYTIME)

    assert told(account) == [(SPEND, f"entry:{seq}")]


def test_who_chose_nothing_or_took_it_back_hears_nothing(account):
    other = make_person(100_00).account
    wish(account, spend_fen=1_00)
    wish(account, spend_fen=None)
    move(account, -60_00)
    move(other, -60_00)

    assert tell_of_movements(now=DAYTIME) == 0


def test_what_moved_while_it_was_off_is_not_told_later(account):
    wish(account, spend_fen=1_00)
    wish(account, spend_fen=None)
    move(account, -60_00)
    wish(account, spend_fen=1_00)
    seq = move(account, -2_00)

    tell_of_movements(now=DAYTIME)

    assert told(account) == [(SPEND, f"entry:{seq}")]


@pytest.mark.parametrize("life", ["closing", "closed"])
def test_an_account_that_ends_is_left_in_peace(account, life):
    wish(account, low_fen=200_00, spend_fen=1_00)
    AlertChoice.objects.update(low_told=False)
    move(account, -100_00)
    Account.objects.filter(pk=account.pk).update(life="closing")
    if life == "closed":
        close(account)

    tell_of_movements(now=DAYTIME)

    assert told(account) == []


def test_a_closed_account_chooses_nothing_any_more(account):
    close(account)

    with pytest.raises(NotAllowed):
        wish(account, spend_fen=1_00)


def test_a_long_absence_is_made_up_for_in_pieces(account, monkeypatch):
    monkeypatch.setattr(alerts, "LINES", 2)
    wish(account, spend_fen=10)
    for _ in range(5):
        move(account, -1_00)

    assert [tell_of_movements(now=DAYTIME) for _ in range(4)] == [2, 2, 1, 0]
    assert len(set(told(account))) == 5


def test_movements_of_months_ago_are_found_too(account, monkeypatch):
    """The first look is at the last two days only; what is not there is looked for everywhere."""
    monkeypatch.setattr(alerts, "LATELY", -alerts.LATELY)
    wish(account, spend_fen=1_00)
    move(account, -60_00)

    assert tell_of_movements(now=DAYTIME) == 1


def test_a_run_asks_the_same_number_of_statements_however_many_holders_there_are(account):
    people = [account, *(make_person(100_00).account for _ in range(6))]
    for each in people:
        wish(each, spend_fen=1_00, low_fen=50_00)
    counts = []
    for some in (people[:1], people[1:]):
        for each in some:
            move(each, -60_00)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            tell_of_movements(now=DAYTIME)
        counts.append(len(asked))

    assert counts[0] == counts[1] <= 10


@pytest.mark.django_db(transaction=True)
def test_a_sale_that_commits_late_is_not_missed():
    """It got its number and its time before the sale of somebody else that was told of long ago."""
    slow, quick = make_person(100_00).account, make_person(100_00).account
    for each in (slow, quick):
        wish(each, spend_fen=50_00)
    posted, may_commit, failures = threading.Event(), threading.Event(), []

    def sell_slowly():
        from django.db import connections, transaction

        try:
            with transaction.atomic():
                move(slow, -60_00)
                posted.set()
                assert may_commit.wait(20)
        except BaseException as problem:  # noqa: BLE001
            failures.append(problem)
            posted.set()
        finally:
            connections.close_all()

    worker = threading.Thread(target=sell_slowly)
    worker.start()
    assert posted.wait(20)
    late = move(quick, -60_00)
    work(Bag())
    assert told(quick) == [(SPEND, f"entry:{late}")]
    assert told(slow) == []

    may_commit.set()
    worker.join()
    assert failures == []
    work(Bag())

    assert [kind for kind, _ in told(slow)] == [SPEND]
    assert len(told(quick)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_sale_does_not_wait_for_a_run_nor_a_run_for_a_sale():
    """No row that a sale writes is locked by the job, and none that the job writes by a sale."""
    account = make_person(100_00).account
    wish(account, spend_fen=50_00)
    move(account, -60_00)
    with closing(psycopg.connect(**connection.get_connection_params())) as other:
        other.execute("SET lock_timeout = '200ms'")
        other.execute("SELECT 1 FROM accounts_account WHERE id = %s FOR NO KEY UPDATE", [account.pk])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")

        assert tell_of_movements(now=DAYTIME) == 1

    with closing(psycopg.connect(**connection.get_connection_params())) as other:
        other.execute("SELECT 1 FROM accounts_alertchoice WHERE account_id = %s FOR UPDATE", [account.pk])
        move(account, -1_00)
