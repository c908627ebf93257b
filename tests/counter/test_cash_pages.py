"""The cashier's pages: what is typed wrong is said and moves nothing; what is sent twice is done once."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, Operator, OperatorRole
from accounts.services import approvals
from accounts.services.operators import Hand, officer_of
from purse.policy import Policy
from terminals.models import CardJob, TerminalContact
from tests import faults
from tests.counter.pages import browser_of, hidden, plain, text_of
from tests.reconciliation.books import Book
from tests.reconciliation.desk import desk_terminal, operator, read_on
from tests.transactions.cash_desk import by
from transactions.models import Entry, Receipt, ReceiptCopy, Shift, TopUpSlip
from transactions.services import cash, receipts, shifts
from transactions.services.cash import Fee
from transactions.services.shifts import Opening

pytestmark = pytest.mark.django_db


class Till:
    """A cashier signed in at a desk with a reader, his shift open, a holder's card just read."""

    def __init__(self, name: str = "wang", role: OperatorRole = OperatorRole.CASHIER) -> None:
        self.person: Operator = operator(name, role)
        self.web = browser_of(self.person)
        self.desk = desk_terminal()
        now = timezone.now()
        TerminalContact.objects.update_or_create(terminal=self.desk, defaults={"last_contact_at": now})
        drawer = shifts.add_drawer(
            self.person.campus_id, f"LS{self.person.pk % 90 + 10}", name_zh="一餐厅充值点", name_en="Canteen 1",
            by=by(self.person, now),
        )  # fmt: skip
        self.shift = shifts.open_shift(
            Opening(drawer.pk, 200_00, {}), officer=officer_of(self.person), by=by(self.person, now)
        )
        self.web.post("/counter/desk/", {"desk": self.desk.pk})

    def read(self, book: Book) -> None:
        """This card lies on the reader, and the panel shows the reading."""
        job = read_on(self.desk, book, ago=timedelta(seconds=2), now=timezone.now())
        session = self.web.session
        session["desk_job"] = str(job.pk)
        session.save()

    def key(self, book: Book, fen: str, **fields: str):
        form = {"key": str(uuid.uuid4()), "account": str(book.account.pk), "amount": fen}
        return self.web.post("/counter/cash/top-up/", form | fields)

    def slip(self, book: Book, fen: str = "50") -> TopUpSlip:
        answer = self.key(book, fen)
        assert answer.status_code == 302, plain(answer)
        return TopUpSlip.objects.get(pk=answer.url.rstrip("/").rpartition("/")[2])

    def display(self, *, state: bool = True):
        return self.web.get(f"/counter/cash/display/{self.shift.display_key}/{'state/' if state else ''}")

    def confirm(self, slip: TopUpSlip, **fields: str):
        return self.web.post(f"/counter/cash/slips/{slip.pk}/confirm/", fields)

    def receipt(self, book: Book, fen: int = 20_00) -> Receipt:
        fee = Fee(uuid.uuid4(), book.account.pk, fen, "补卡工本费", self.person.pk, shift_id=self.shift.pk)
        return cash.take_fee(fee, actor=by(self.person).actor, policy=Policy(), now=timezone.now()).receipt


@pytest.fixture
def till(db) -> Till:
    return Till()


@pytest.fixture
def book(db) -> Book:
    return Book.open(50_00)


def counted() -> tuple[int, ...]:
    return Entry.objects.count(), Receipt.objects.count(), CardJob.objects.count(), TopUpSlip.objects.count()


# ------------------------------------------------------------------------------------------------------ the till


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


# ------------------------------------------------------------------------------------------------------ receipts


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
    assert till.web.get(f"/counter/cash/receipts/{receipt.pk}/paper/3/").status_code == 404


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
