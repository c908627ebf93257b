"""Receipts, shifts and voids on the cashier's pages, and what a cashier does not reach (K08)."""

from __future__ import annotations

import re
import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, OperatorRole
from accounts.services import approvals
from accounts.services.operators import Hand
from purse.policy import Policy
from terminals.models import CardJob
from tests import faults
from tests.counter.cash_till import Till
from tests.counter.pages import browser_of, hidden, plain, text_of
from tests.reconciliation.books import Book
from tests.reconciliation.desk import operator
from tests.transactions.cash_desk import by
from transactions.models import Entry, Receipt, ReceiptCopy, Shift
from transactions.services import receipts, shifts

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(db) -> Till:
    return Till()


@pytest.fixture
def book(db) -> Book:
    return Book.open(50_00)


def test_a_receipt_says_all_that_it_must(till, book):
    """screens.md 6.4: school, point, shift, number, five digits, masked name, figures and 大写, before/after, code."""
    receipt = till.receipt(book)

    said = plain(till.web.get(f"/counter/cash/receipts/{receipt.pk}/"))

    for word in (
        "校园智能卡管理中心", "一餐厅充值点", f"{till.shift.drawer.code}/1", receipt.number, "请核对并妥善保管",
        "校验码", f"{receipt.account_number:05d}", receipt.holder_masked, "¥20.00", "贰拾元整",
        "¥50.00 → ¥50.00", "Wang",
    ):  # fmt: skip
        assert word in said
    assert re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}", said)
    assert book.account.holder.name not in said


def test_printed_again_it_is_a_copy(till, book):
    receipt = till.receipt(book)
    pages = [till.web.post(f"/counter/cash/receipts/{receipt.pk}/print/", follow=True) for _ in range(3)]

    assert "副本" not in plain(pages[0])
    assert "副本 COPY 第 1 次补打" in plain(pages[1])
    assert "副本 COPY 第 2 次补打" in plain(pages[2])
    assert AuditEvent.objects.filter(action="receipt.print").count() == 3
    address = f"/counter/cash/receipts/{receipt.pk}/paper"
    assert [till.web.get(f"{address}/{no}/").status_code for no in range(4)] == [404, 404, 200, 404]


def test_the_printers_bytes_say_the_same_and_count_as_a_print(till, book):
    receipt = till.receipt(book)

    first = till.web.post(f"/counter/cash/receipts/{receipt.pk}/bytes/", {"width": "58"})
    second = till.web.post(f"/counter/cash/receipts/{receipt.pk}/bytes/", {"width": "80"})

    said = first.content.decode("gb18030", "replace")
    for word in (receipt.number, "贰拾元整", f"{receipt.account_number:05d}", "补卡工本费", "校验码"):
        assert word in said
    assert "副本" not in said
    assert "副本 COPY" in second.content.decode("gb18030", "replace")
    assert first["Content-Type"] == "application/octet-stream"
    assert ReceiptCopy.objects.filter(receipt=receipt).count() == 2


def test_receipts_of_another_campus_are_not_there(till, book):
    receipt = till.receipt(book)
    other = browser_of(operator("elsewhere", OperatorRole.CASHIER, "yushan"))

    for path, method in (("", "get"), ("print/", "post"), ("bytes/", "post"), ("void/", "get")):
        assert getattr(other, method)(f"/counter/cash/receipts/{receipt.pk}/{path}").status_code == 404


# ------------------------------------------------------------------------------------------------------ shifts


def test_opening_by_count_or_by_sum(db):
    person = operator("wang", OperatorRole.CASHIER)
    web = browser_of(person)
    drawer = shifts.add_drawer(person.campus_id, "LS01", name_zh="充值点", name_en="", by=by(person))

    both = web.post("/counter/cash/open/", {"drawer": drawer.pk, "n10000": "2", "total": "100"})
    mad = web.post("/counter/cash/open/", {"drawer": drawer.pk, "n10000": "-2"})
    right = web.post("/counter/cash/open/", {"drawer": drawer.pk, "n10000": "2", "n50": "1"})

    assert (both.status_code, "合计与清点的张数不一致" in plain(both)) == (400, True)
    assert (mad.status_code, "张数须为" in plain(mad)) == (400, True)
    assert right.status_code == 302
    assert Shift.objects.get().float_fen == 200_50
    again = web.post("/counter/cash/open/", {"drawer": drawer.pk, "total": "1"})
    assert (again.status_code, Shift.objects.count()) == (302, 1)


def test_opening_by_the_sum_alone_with_every_field_of_the_count_empty(db):
    person = operator("wang", OperatorRole.CASHIER)
    drawer = shifts.add_drawer(person.campus_id, "LS01", name_zh="充值点", name_en="", by=by(person))
    empty = {f"n{piece_fen}": "" for piece_fen in shifts.DENOMINATIONS}

    answer = browser_of(person).post("/counter/cash/open/", {"drawer": drawer.pk, "total": "200", **empty})

    assert answer.status_code == 302
    assert Shift.objects.get().float_fen == 200_00


def test_a_drawer_that_somebody_has_says_so(till):
    web = browser_of(operator("zhao", OperatorRole.CASHIER))

    answer = web.post("/counter/cash/open/", {"drawer": till.shift.drawer_id, "total": "0"})

    assert answer.status_code == 400
    assert "还有别人的班次没有交班" in plain(answer)


def test_closing_asks_for_the_reason_and_keeps_what_was_typed(till, book):
    till.receipt(book)
    page = f"/counter/shifts/{till.shift.pk}/close/"

    short = till.web.post(page, {"n10000": "2", "n1000": "1", "n500": "1"})
    closed = till.web.post(page, {"n10000": "2", "n1000": "1", "n500": "1", "reason": "少收 5 元"})

    assert short.status_code == 400
    assert "请写明原因" in plain(short)
    assert "-¥5.00" in plain(short)
    assert hidden_value(short, "id_n10000") == "2"
    assert closed.status_code == 302
    shift = Shift.objects.get()
    assert (shift.expected_fen, shift.counted_fen, shift.difference_fen) == (220_00, 215_00, -5_00)


def hidden_value(answer, field: str) -> str:
    return re.search(rf'id="{field}" value="([^"]*)"', text_of(answer))[1]


def test_after_closing_the_till_is_shut_and_the_slips_print(till, book):
    till.receipt(book)
    till.web.post(f"/counter/shifts/{till.shift.pk}/close/", {"n10000": "2", "n2000": "1"})

    handover = plain(till.web.get(f"/counter/shifts/{till.shift.pk}/hand-over/"))
    deposit = plain(till.web.get(f"/counter/shifts/{till.shift.pk}/deposit/"))

    assert till.web.get("/counter/cash/").url == "/counter/cash/open/"
    assert "贰佰贰拾元整" in handover
    assert "¥100.00 × 2" in handover
    assert "其中备用金" in deposit
    assert till.web.post(f"/counter/shifts/{till.shift.pk}/close/", {"n10000": "9"}).status_code == 302
    assert Shift.objects.get().counted_fen == 220_00


def test_two_signatures(till, book):
    """K07: the supervisor of the campus accepts; one of another campus does not even see it."""
    page = f"/counter/shifts/{till.shift.pk}/"
    boss, far = (
        browser_of(operator(name, OperatorRole.SUPERVISOR, at))
        for name, at in (("li", "laoshan"), ("wu", "yushan"))
    )
    assert "核对无误，接收" not in plain(boss.get(page))
    till.web.post(f"{page}close/", {"n10000": "2"})

    assert "等待接收" in plain(boss.get("/counter/shifts/"))
    assert "核对无误，接收" in plain(boss.get(page))
    assert far.post(f"{page}accept/").status_code == 404
    assert boss.post(f"{page}accept/", follow=True).status_code == 200
    assert "已接收" in plain(boss.get(page))
    assert Shift.objects.get().accepted_by.username == "li"


def test_a_supervisor_puts_a_drawer_into_service(till):
    boss = browser_of(operator("li", OperatorRole.SUPERVISOR))

    bad = boss.post("/counter/cash/drawers/", {"code": "1", "name_zh": ""})
    good = boss.post("/counter/cash/drawers/", {"code": "ls77", "name_zh": "二餐厅"})
    twice = boss.post("/counter/cash/drawers/", {"code": "LS77", "name_zh": "三餐厅"})

    assert (bad.status_code, good.status_code, twice.status_code) == (400, 302, 400)
    assert "没有用过" in plain(twice)
    assert "LS77" in plain(boss.get("/counter/cash/drawers/"))


# ------------------------------------------------------------------------------------------------------ voids


def test_only_top_ups_are_taken_back_and_the_page_says_why(till, book):
    receipt = till.receipt(book)
    page = f"/counter/cash/receipts/{receipt.pk}/void/"

    assert "只有现金充值可以撤销" in plain(till.web.get(page))
    answer = till.web.post(page, {"key": str(uuid.uuid4()), "reason": "x"})
    assert answer.status_code == 400
    assert not approvals.Request.objects.exists()


def top_up_receipt(till: Till, book: Book, fen: int = 30_00) -> Receipt:
    """A cash top-up that reached book and card, without the reader."""
    book.top_up(fen)
    entry = Entry.objects.filter(account=book.account, kind="top_up").order_by("-seq").first()
    new = receipts.NewReceipt(
        kind="top_up", operation=uuid.uuid4(), account_id=book.account.pk, fen=fen, book_before_fen=50_00,
        book_after_fen=50_00 + fen, entry_id=entry.pk, officer_id=till.person.pk, shift_id=till.shift.pk,
    )  # fmt: skip
    return receipts.issue(new, now=timezone.now())


def test_a_void_is_proposed_seen_by_the_supervisor_and_waits_for_the_card(till, book):
    receipt = top_up_receipt(till, book)
    page = f"/counter/cash/receipts/{receipt.pk}/"
    form = text_of(till.web.get(f"{page}void/"))

    fields = {"key": hidden(form, "key"), "reason": "顾客放弃充值"}
    answers = [till.web.post(f"{page}void/", fields) for _ in range(2)]

    assert {answer.status_code for answer in answers} == {302}
    (request,) = approvals.Request.objects.all()
    assert "等待主管复核" in plain(till.web.get(page))
    assert "放卡撤销" not in plain(till.web.get(page))
    boss = operator("li", OperatorRole.SUPERVISOR)
    told = plain(browser_of(boss).get("/counter/decisions/"))
    assert "撤销充值" in told
    hand = Hand(boss.pk, "", timezone.now())
    approvals.agree(request.pk, bytes(request.content_hash), hand=hand, now=timezone.now(), policy=Policy())
    ready = till.web.get(page)
    assert "放卡撤销 ¥30.00" in plain(ready)
    key = re.search(r'unload/">.*?name="key" value="([^"]+)"', text_of(ready), re.DOTALL)[1]
    for _ in range(2):
        assert till.web.post(f"{page}unload/", {"key": key}).status_code == 302
    assert CardJob.objects.filter(kind="unload").count() == 1


def test_a_reason_is_asked_for(till, book):
    receipt = top_up_receipt(till, book)

    answer = till.web.post(
        f"/counter/cash/receipts/{receipt.pk}/void/", {"key": str(uuid.uuid4()), "reason": " "}
    )

    assert answer.status_code == 400
    assert not approvals.Request.objects.exists()


# ------------------------------------------------------------------------------------------------------ K08


def test_a_cashier_reaches_no_password_dispute_or_freeze(till, book):
    """K08: no access to passwords, disputes or freezing, nor to an account's page or its movements."""
    cases = wrong = 0
    for name in (
        "counter:cases",
        "counter:accounts",
        "counter:disputes",
        "counter:audit",
        "counter:found_cards",
    ):
        cases += 1
        wrong += till.web.get(reverse(name)).status_code != 403
    for deed in ("", "statement/", "passwords/", "freeze/", "limit/", "loss/", "close/"):
        cases += 1
        wrong += till.web.get(f"/counter/accounts/{book.account.pk}/{deed}").status_code not in (403, 404)
    faults.report("K08", cases, wrong)
    assert wrong == 0


def test_a_clerk_holds_a_shift_but_tops_nothing_up(book):
    clerk = Till("chen", OperatorRole.CLERK)
    clerk.read(book)

    assert clerk.key(book, "50").status_code == 403
    assert "现金充值由收银员办理" in plain(clerk.web.get("/counter/cash/"))
