"""The till and its slips: what is typed wrong is said and moves nothing; what is sent twice is done once."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Operator, OperatorRole
from accounts.services.operators import officer_of
from terminals.models import CardJob
from tests import faults
from tests.counter.cash_till import Till
from tests.counter.pages import browser_of, plain, text_of
from tests.reconciliation.books import Book, campus
from tests.reconciliation.desk import operator, read_on
from tests.transactions.cash_desk import by
from transactions.models import Entry, Receipt, TopUpSlip
from transactions.services import shifts

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(db) -> Till:
    return Till()


@pytest.fixture
def book(db) -> Book:
    return Book.open(50_00)


def counted() -> tuple[int, ...]:
    return Entry.objects.count(), Receipt.objects.count(), CardJob.objects.count(), TopUpSlip.objects.count()


def test_without_a_shift_the_till_leads_to_opening_one(db):
    web = browser_of(operator("wang", OperatorRole.CASHIER))

    answer = web.get("/counter/", follow=True)

    assert answer.redirect_chain[-1][0] == "/counter/cash/open/"
    assert "本校区还没有钱箱" in plain(answer)


def test_the_idle_till_says_shift_count_and_sum(till, book):
    till.receipt(book)

    said = plain(till.web.get("/counter/cash/"))

    assert f"{till.shift.drawer.code} · 1" in said
    assert "笔数 1" in said
    assert "应有现金 ¥220.00" in said
    assert "请读卡" in said


def test_the_card_on_the_reader_becomes_a_masked_person(till, book):
    till.read(book)

    said = plain(till.web.get("/counter/cash/"))

    assert f"{book.account.number:05d}" in said
    assert book.account.holder.name not in said
    assert "充值金额（元）" in said


def test_another_job_since_takes_the_person_away(till, book):
    """No amount may meet the person who stood there before."""
    till.read(book)
    other = Book.open(10_00)
    read_on(till.desk, other, ago=timedelta(seconds=1), now=timezone.now())

    assert "充值金额（元）" not in plain(till.web.get("/counter/cash/"))
    answer = till.key(book, "50")
    assert answer.status_code == 409
    assert "请先读卡" in plain(answer)


def test_a_reading_of_two_minutes_ago_speaks_for_nobody(till, book):
    job = read_on(till.desk, book, ago=timedelta(seconds=121), now=timezone.now())
    assert job.pk

    assert till.key(book, "50").status_code == 409


BAD_AMOUNTS = {
    "": "请输入金额",
    "   ": "请输入金额",
    "0": "金额必须大于 0",
    "0.00": "金额必须大于 0",
    "-5": "金额格式不正确",
    "-0": "金额格式不正确",
    "0.001": "最多两位小数",
    "1.005": "最多两位小数",
    "1e2": "金额格式不正确",
    "1_0": "金额格式不正确",
    "+5": "金额格式不正确",
    "0x10": "金额格式不正确",
    "NaN": "金额格式不正确",
    "Infinity": "金额格式不正确",
    "sNaN": "金额格式不正确",
    "1,000": "金额格式不正确",
    "٣": "金额格式不正确",
    "०५": "金额格式不正确",
    "²": "金额格式不正确",
    "½": "金额格式不正确",
    "1" + "0" * 400: "金额过长",
    "9" * 5000: "金额过长",
    "0.99": "金额低于单笔下限",
    "500.01": "金额超过单笔上限",
    "501": "金额超过单笔上限",
    "5\x00": "",
    "5\n6": "金额格式不正确",
}


@pytest.mark.parametrize("typed", list(BAD_AMOUNTS), ids=lambda text: repr(text)[:16])
def test_bad_amounts_are_said_and_move_nothing(till, book, typed):
    """reliability.md section 7, amounts 1-20."""
    till.read(book)
    before = counted()

    answer = till.key(book, typed)

    assert answer.status_code in (400, 409), typed
    assert BAD_AMOUNTS[typed] in plain(answer)
    assert counted() == before


@pytest.mark.parametrize("typed", ["50", "50.00", "５０", " 50 ", "1", "500"])
def test_amounts_that_people_really_type(till, book, typed):
    till.read(book)

    assert till.slip(book, typed).fen in (50_00, 1_00, 500_00)


def test_more_than_the_purse_may_hold_says_what_to_do(till):
    book = Book.open(950_01)
    till.read(book)

    answer = till.key(book, "50")

    assert answer.status_code == 409
    assert "充值后超过余额上限" in plain(answer)
    assert "请减少金额" in plain(answer)


@pytest.mark.parametrize(
    "fields",
    [{"key": "x"}, {"key": ""}, {"account": "0"}, {"account": "９"}, {"account": "1" * 300}, {"account": ""}],
)
def test_broken_forms_move_nothing(till, book, fields):
    till.read(book)
    before = counted()

    assert till.key(book, "50", **fields).status_code in (400, 409)
    assert counted() == before


def test_the_own_account_is_a_colleagues_work(till, book):
    Operator.objects.filter(pk=till.person.pk).update(holder=book.account.holder)
    till.read(book)

    answer = till.key(book, "50")

    assert answer.status_code == 409
    assert "请由同事办理" in plain(answer)


# ------------------------------------------------------------------------------------------------------ the slip


def test_the_display_shows_the_amount_before_the_cash_can_be_confirmed(till, book):
    """R013: 持卡人注意确认充值机显示屏上显示的充值金额 (guide L39)."""
    till.read(book)
    slip = till.slip(book)
    early = till.confirm(slip)

    face = till.display().json()
    answer = till.confirm(slip)

    assert (early.status_code, "顾客屏还没有显示金额" in plain(early)) == (409, True)
    assert (face["state"], face["amount"], face["capitals"]) == ("amount", "¥50.00", "伍拾元整")
    assert answer.status_code == 302
    slip.refresh_from_db()
    job = CardJob.objects.get(pk=slip.pk)
    assert slip.announced_at <= slip.shown_at <= slip.confirmed_at <= job.ordered_at + timedelta(seconds=1)
    assert job.params["contra_ref"] == till.shift.pk


def test_the_display_needs_no_script_and_no_sign_in(till, book, client):
    till.read(book)
    till.slip(book)

    page = client.get(f"/counter/cash/display/{till.shift.display_key}/")

    assert "¥50.00" in plain(page)
    assert '<noscript><meta http-equiv="refresh" content="1"></noscript>' in text_of(page)
    assert str(book.account.number) not in plain(page)
    assert TopUpSlip.objects.get().shown_on == "display"


def test_the_display_keeps_nobody_signed_in(till, client):
    """A screen that asks twice a second must not keep the cashier's session alive."""
    session = till.web.session["staff_seen"]
    till.display()

    assert till.web.session["staff_seen"] == session
    assert client.get(f"/counter/cash/display/{uuid.uuid4()}/state/").status_code == 404


def test_a_closed_shift_has_no_display(till, client):
    shifts.close_shift(
        till.shift.pk, shifts.Closing({100_00: 2}, ""), officer=officer_of(till.person), by=by(till.person)
    )

    assert client.get(f"/counter/cash/display/{till.shift.display_key}/state/").status_code == 404


def test_without_a_display_the_customer_reads_this_screen(till, book):
    till.read(book)
    slip = till.slip(book)

    page = till.web.get(f"/counter/cash/slips/{slip.pk}/")
    answer = till.confirm(slip, read_here="1")

    assert "持卡人已在本屏核对金额" in plain(page)
    assert answer.status_code == 302
    assert TopUpSlip.objects.get().shown_on == "counter"


def test_confirmed_twice_in_two_windows_and_resent_is_one_job(till, book):
    till.read(book)
    slip = till.slip(book)
    till.display()

    answers = [till.confirm(slip) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {302}
    assert CardJob.objects.filter(kind="load").count() == 1
    faults.report("cash_resend", 3, CardJob.objects.filter(kind="load").count() - 1)


def test_the_amount_sent_twice_is_one_slip(till, book):
    till.read(book)
    key = str(uuid.uuid4())

    first, again = till.key(book, "50", key=key), till.key(book, "50", key=key)
    other = till.key(book, "60", key=key)

    assert first.url == again.url
    assert (other.status_code, TopUpSlip.objects.count()) == (409, 1)
    assert "页面已用过" in plain(other)


def test_a_dropped_slip_is_not_confirmed(till, book):
    till.read(book)
    slip = till.slip(book)
    assert till.web.post(f"/counter/cash/slips/{slip.pk}/drop/").url == "/counter/cash/"

    answer = till.confirm(slip, read_here="1")

    assert answer.status_code == 409
    assert "这一笔已放弃" in plain(answer)


def test_a_slip_of_another_cashier_is_not_there(till, book):
    till.read(book)
    slip = till.slip(book)
    other = Till("zhao")

    for path, method in (("", "get"), ("confirm/", "post"), ("drop/", "post")):
        assert getattr(other.web, method)(f"/counter/cash/slips/{slip.pk}/{path}").status_code == 404


def test_a_slip_that_waits_is_offered_again(till, book):
    till.read(book)
    slip = till.slip(book)

    page = till.web.get("/counter/cash/")

    assert f"/counter/cash/slips/{slip.pk}/" in text_of(page)


def test_a_busy_desk_takes_no_cash(till, book):
    till.read(book)
    slip = till.slip(book)
    till.display()
    till.web.post("/counter/jobs/read/", {"key": str(uuid.uuid4())})

    answer = till.confirm(slip)

    assert answer.status_code == 409
    assert "还有一项读卡任务没有结束" in plain(answer)
    slip.refresh_from_db()
    assert slip.confirmed_at is None


# ------------------------------------------------------------------------------------------------ who cannot close


def test_who_was_moved_to_another_campus_still_closes_his_shift_where_it_was(till):
    Operator.objects.filter(pk=till.person.pk).update(campus=campus("yushan"))

    path = f"/counter/shifts/{till.shift.pk}/close/"
    assert till.web.get(path).status_code == 200
    assert till.web.post(path, {"n10000": "2"}).status_code == 302


def test_a_supervisor_counts_in_place_of_a_cashier_who_was_let_out(till):
    boss = browser_of(operator("li", OperatorRole.SUPERVISOR))
    path = f"/counter/shifts/{till.shift.pk}/"
    assert "代为交班" not in plain(boss.get(path))
    assert boss.get(f"{path}close/").status_code == 404
    Operator.objects.filter(pk=till.person.pk).update(is_active=False)

    assert "代为交班" in plain(boss.get(path))
    assert "由您代为清点" in plain(boss.get(f"{path}close/"))
    nameless = boss.post(f"{path}close/", {"n10000": "2"})
    assert (nameless.status_code, "请写明原因" in plain(nameless)) == (400, True)
    assert boss.post(f"{path}close/", {"n10000": "2", "reason": "已离职"}).status_code == 302
    assert "Li 代为清点" in plain(boss.get(path))
    assert "核对无误，接收" not in plain(boss.get(path))
