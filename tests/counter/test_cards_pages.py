"""The desk's pages about cards: what they show, what they refuse, what a repeat does; always one deed for one key."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import (
    Account,
    AccountLife,
    AuditEvent,
    Card,
    CardLife,
    CounterDeed,
    Holder,
    Operator,
    OperatorRole,
    Request,
    Secret,
    ServiceGrant,
    ServiceKind,
)
from accounts.rights import Denial
from accounts.services import approvals
from accounts.services.operators import officer_of
from purse.policy import Policy
from terminals.models import CardJob, TerminalContact
from tests.accounts.conftest import ID_NUMBER
from tests.accounts.doors import may_use
from tests.campus import make_campus, make_person
from tests.counter.pages import browser_of, plain, text_of
from tests.reconciliation import desk as desks
from tests.transactions.cash_desk import by
from transactions.models import CardHold, Entry, Receipt
from transactions.services import shifts

pytestmark = pytest.mark.django_db
TODAY = timezone.localdate()
NEXT_YEAR = (TODAY + timedelta(days=365)).isoformat()
NEW = {
    "kind": "named", "person": "other", "school_no": "V000001", "name": "李访客", "unit": "", "document_kind": "none",
    "id_number": "", "expires_on": NEXT_YEAR, "paper": "resident", "tail": "1234",
}  # fmt: skip
TAIL = {"paper": "resident", "tail": "1234"}


@pytest.fixture
def clerk(db) -> Operator:
    make_campus()
    return desks.operator("chen", OperatorRole.CLERK)


@pytest.fixture
def web(clerk) -> Client:
    return browser_of(clerk)


@pytest.fixture
def shift(clerk):
    drawer = shifts.add_drawer(
        clerk.campus_id, "LD01", name_zh="崂山卡务中心", name_en="Laoshan", by=by(clerk)
    )
    opening = shifts.Opening(drawer.pk, 500_00, {})
    return shifts.open_shift(opening, officer=officer_of(clerk), by=by(clerk, timezone.now()))


@pytest.fixture
def desk(web):
    """A desk with its agent there, where this browser works."""
    terminal = desks.desk_terminal()
    TerminalContact.objects.create(terminal=terminal, last_contact_at=timezone.now())
    web.post("/counter/desk/", {"desk": terminal.pk})
    return terminal


def counted() -> tuple[int, ...]:
    tables = (Holder, Account, Card, Entry, Receipt, CounterDeed, CardHold, ServiceGrant, AuditEvent, CardJob)
    return tuple(table.objects.count() for table in tables)


def test_every_page_opens(web):
    person = make_person(10_00)
    at = f"/counter/accounts/{person.account.pk}"

    for path in (
        "/counter/accounts/new/",
        "/counter/cards/unused/",
        *(
            f"{at}/{deed}/"
            for deed in ("make", "new-card", "slips", "replace", "extend", "services", "held", "close")
        ),
    ):
        assert web.get(path).status_code == 200, path


@pytest.mark.parametrize(("seq", "warned"), [(59_999, False), (60_000, True)])
def test_a_card_that_is_nearly_worn_is_told_on_its_page_and_listed(web, seq, warned):
    person = make_person(10_00)
    Card.objects.filter(account=person.account).update(spend_seq=seq)

    assert ("写入次数快用完" in text_of(web.get(f"/counter/accounts/{person.account.pk}/"))) is warned
    listed = text_of(web.get("/counter/cards/unused/"))
    assert (f'/counter/accounts/{person.account.pk}/"' in listed) is warned
    assert ("5535 次" in listed) is warned


def open_new(web: Client, key: str | None = None, **changes):
    path = "/counter/accounts/new/"
    return web.post(path, {"key": str(uuid.uuid4()) if key is None else key, **NEW, **changes})


def test_a_named_card_is_opened_with_its_deposit_and_its_blank_goes_to_the_reader(web, shift, desk):
    answer = open_new(web)

    account = Account.objects.get()
    assert (answer.status_code, answer.url) == (302, f"/counter/accounts/{account.pk}/make/")
    card, job = Card.objects.get(), CardJob.objects.get()
    assert (account.life, card.life, job.kind, job.card_id) == ("pending", "blank", "prepare", card.pk)
    assert Receipt.objects.get().fen == 15_00
    assert "正在制卡" in plain(web.get(answer.url))


def test_sent_twice_it_is_one_account_one_deposit_one_job(web, shift, desk):
    key = str(uuid.uuid4())
    open_new(web, key)
    before = counted()

    answer = open_new(web, key)

    assert answer.status_code == 302
    assert counted() == before


def test_without_a_shift_the_page_says_that_no_money_moved(web):
    before = counted()

    answer = open_new(web)

    assert answer.status_code == 409
    assert "没有打开的班次" in plain(answer)
    assert "没有动钱" in plain(answer)
    assert counted() == before
    assert 'value="李访客"' in text_of(answer)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("school_no", "", "请填写学工号"),
        ("school_no", "12345", "会与帐号混淆"),
        ("school_no", "V0001 ", "半角字母和数字"),
        ("school_no", "Ｖ０００１", "半角字母和数字"),
        ("name", "", "请填写姓名"),
        ("name", "a\u202eb", "姓名"),
        ("name", "张\x00三", "姓名"),
        ("name", "　", "请填写姓名"),
        ("name", "名" * 51, "最多 50 个字符"),
        ("name", "笑😀", "姓名"),
        ("unit", "院" * 61, "最多 60 个字符"),
        ("id_number", "37020220040917011", "请选择证件种类"),
        ("kind", "golden", "请选择一项"),
        ("kind", "", "请选择一项"),
        ("person", "", "请选择一项"),
        ("expires_on", "2027-02-30", "请填写日期"),
        ("expires_on", "27-1-1", "请填写日期"),
        ("expires_on", "", "必须填写有效期"),
        ("expires_on", "2099-01-01", "五年之内"),
        ("tail", "12345", "末四位"),
        ("tail", "１２３４", "末四位"),
        ("tail", "12 4", "末四位"),
        ("tail", "", "末四位"),
        ("paper", "library_card", ""),
        ("paper", "work_permit", "所查验的证件不能办理此项"),
        ("key", "", "页面已过期"),
        ("key", "x" * 300, "页面已过期"),
        ("document_kind", "moon", "请选择一项"),
    ],
)
def test_what_cannot_be_opened_says_so_beside_the_field(web, shift, field, value, says):
    """reliability.md section 7: 4xx, the field named, nothing written, what was typed is kept."""
    before = counted()

    answer = open_new(web, **{field: value})

    assert answer.status_code in (400, 409), (field, value)
    assert says in plain(answer)
    assert counted() == before


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("resident", "370202200409170115"),
        ("resident", "37020220040230011X"),
        ("resident", "３７０２０２"),
        ("resident", ""),
        ("passport", "E"),
        ("permit", "'; drop table"),
    ],
)
def test_a_wrong_identity_number_is_named(web, shift, kind, number):
    before = counted()

    answer = open_new(web, document_kind=kind, id_number=number)

    assert answer.status_code == 400
    assert counted() == before


def test_a_document_that_ends_otherwise_than_what_was_typed_opens_nothing(web, shift):
    before = counted()

    answer = open_new(web, document_kind="resident", id_number=ID_NUMBER, tail="9999")

    assert answer.status_code == 409
    assert counted() == before


def test_the_same_person_again_is_refused_without_saying_whose(web, shift):
    open_new(web, document_kind="resident", id_number=ID_NUMBER, tail=ID_NUMBER[-4:])

    answer = open_new(web, school_no="V000002", name="别人", document_kind="resident", id_number=ID_NUMBER,
                      tail=ID_NUMBER[-4:])  # fmt: skip

    assert answer.status_code == 409
    assert "该人员已存在" in plain(answer)
    assert "李访客" not in plain(answer)


def test_a_field_that_comes_twice_is_refused(web, shift):
    path = "/counter/accounts/new/"
    body = "&".join(f"{name}={value}" for name, value in {**NEW, "key": uuid.uuid4()}.items())

    answer = web.post(path, f"{body}&name=other", content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 400
    assert not Account.objects.exists()


# ------------------------------------------------------------------------------------------------------ replacement


def replace_it(web: Client, person, **changes):
    path = f"/counter/accounts/{person.account.pk}/replace/"
    fields = {
        "key": str(uuid.uuid4()),
        "cause": "lost",
        "paid_by": "cash",
        "hold": "",
        "hold_days": "",
        **TAIL,
    }
    return web.post(path, fields | changes)


def test_a_card_is_replaced_and_the_receipt_says_the_fee(web, shift, desk):
    person = make_person(28_40)

    answer = replace_it(web, person)

    assert (answer.status_code, answer.url) == (302, f"/counter/accounts/{person.account.pk}/make/")
    deed = CounterDeed.objects.get()
    assert (deed.kind, deed.facts["fee_fen"], deed.made_role) == ("replace", 20_00, "clerk")
    assert CardJob.objects.get().kind == "prepare"
    assert person.fresh()
    assert person.card_row.life == CardLife.REPLACED


def test_a_fee_that_changed_since_it_was_shown_is_asked_about_again(web, shift):
    """The page is as old as its preview; the same key that was carried out already is not asked again."""
    person = make_person(28_40)
    key, before = str(uuid.uuid4()), counted()

    old = replace_it(web, person, key=key, shown_fee_fen="1999")
    nothing_was_done = counted() == before
    done = replace_it(web, person, key=key, shown_fee_fen="2000")
    resent = replace_it(web, person, key=key, shown_fee_fen="1999")

    assert (old.status_code, nothing_was_done) == (409, True)
    assert "工本费刚刚改了" in plain(old)
    assert 'name="shown_fee_fen" value="2000"' in old.content.decode()
    assert (done.status_code, resent.status_code) == (302, 302)
    assert CounterDeed.objects.count() == 1


@pytest.mark.parametrize("shown", ["-1", "x", "99999999999999999999"])
def test_a_fee_that_no_page_ever_showed_is_refused(web, shift, shown):
    assert replace_it(web, make_person(28_40), shown_fee_fen=shown).status_code == 400


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"cause": ""}, 400, "请选择一项"),
        ({"paid_by": ""}, 400, "请选择工本费怎样支付"),
        ({"hold": "-5", "hold_days": "5"}, 400, ""),
        ({"hold": "1e2", "hold_days": "5"}, 400, ""),
        ({"hold": "0.001", "hold_days": "5"}, 400, ""),
        ({"hold": "5.00", "hold_days": ""}, 400, "1 至 60"),
        ({"hold": "5.00", "hold_days": "61"}, 400, "1 至 60"),
        ({"hold": "5.00", "hold_days": "５"}, 400, "1 至 60"),
        ({"hold": "28.41", "hold_days": "5"}, 409, "预留金额"),
        ({"paper": "student_card"}, 400, ""),
        ({"tail": "99999"}, 400, "末四位"),
    ],
)
def test_what_is_not_replaced_says_why_and_writes_nothing(web, shift, changes, status, says):
    person = make_person(28_40)
    before = counted()

    answer = replace_it(web, person, **changes)

    assert answer.status_code == status
    assert says in plain(answer)
    assert counted() == before


def test_too_little_in_the_book_for_the_fee_says_that_no_money_moved(web, shift):
    person = make_person(19_99)
    before = counted()

    answer = replace_it(web, person, paid_by="book")

    assert answer.status_code == 409
    assert "账户余额不足，没有办理，也没有动钱" in plain(answer)
    assert counted() == before


def test_a_clerk_of_another_campus_serves_every_holder(shift, db):
    """C14, L31: any desk serves any holder."""
    person = make_person(28_40)
    elsewhere = browser_of(desks.operator("wang", OperatorRole.CLERK, "yushan"))

    assert replace_it(elsewhere, person, paid_by="book").status_code == 302


def test_nobody_replaces_his_own_card(clerk, web, shift):
    person = make_person(28_40)
    Operator.objects.filter(pk=clerk.pk).update(holder=person.account.holder)
    before = counted()

    answer = replace_it(web, person)

    assert answer.status_code == 409
    assert "不能处理自己的账户" in plain(answer)
    assert counted() == before


@pytest.mark.parametrize("own", [True, False], ids=["his own", "a holder's"])
def test_held_money_is_given_back_by_somebody_else_all_of_it_or_nothing(clerk, web, shift, own):
    """P4: nobody shortens the days that his own money is held back for records that may still come."""
    person = make_person(28_40)
    replace_it(web, person, paid_by="book", hold="3.00", hold_days="5")
    if own:
        Operator.objects.filter(pk=clerk.pk).update(holder=person.account.holder)
    before = counted()

    asked = {"key": str(uuid.uuid4()), "reason": "各终端都已上传"}
    answers = [web.post(f"/counter/accounts/{person.account.pk}/held/", asked) for _ in range(2)]

    if own:
        assert [answer.status_code for answer in answers] == [409, 409]
        assert "不能处理自己的账户" in plain(answers[0])
        assert counted() == before
    else:
        assert [answer.status_code for answer in answers] == [302, 409]
        assert person.fresh().book_fen == 28_40 - 20_00
    assert CardHold.objects.filter(released_at=None).exists() is own


# ------------------------------------------------------------------------------------------- making and handing over


def test_it_is_not_handed_over_before_the_reader_showed_it(web, shift, desk):
    open_new(web)
    account = Account.objects.get()
    Card.objects.update(life="issued", uid="A1B2C3D4")

    answer = web.post(f"/counter/accounts/{account.pk}/make/hand-over/", {"key": str(uuid.uuid4())})

    assert answer.status_code == 409
    assert "请将该卡放在读卡器上" in plain(answer)
    assert Account.objects.get().life == AccountLife.PENDING


def test_a_spoilt_card_needs_a_reason_and_is_void(web, shift, desk):
    open_new(web)
    account = Account.objects.get()
    path = f"/counter/accounts/{account.pk}/make/void/"
    assert web.post(path, {"key": str(uuid.uuid4()), "reason": " "}).status_code == 400

    assert web.post(path, {"key": str(uuid.uuid4()), "reason": "印错照片"}).status_code == 302

    assert sorted(Card.objects.values_list("life", flat=True)) == ["blank", "void"]
    assert Receipt.objects.count() == 1


def test_the_password_slip_is_shown_once_and_kept_nowhere(web, shift):
    open_new(web)
    path, key = f"/counter/accounts/{Account.objects.get().pk}/slips/", str(uuid.uuid4())

    shown = web.post(path, {"key": key})

    pins = re.findall(r'slip-pin num">([0-9]{6})<', text_of(shown))
    assert len(pins) == 2
    assert "no-store" in shown.headers["Cache-Control"]
    again = web.post(path, {"key": key})
    assert (again.status_code, "已经打印过" in plain(again)) == (409, True)
    for row in (*CounterDeed.objects.values(), *AuditEvent.objects.values(), *Secret.objects.values()):
        assert not any(pin in str(row) for pin in pins)


def test_an_extension_is_in_the_book_at_once_and_goes_to_the_reader(web, desk):
    person = make_person(5_00)
    Card.objects.filter(pk=person.card_row.pk).update(expires_on=TODAY + timedelta(days=10))
    path = f"/counter/accounts/{person.account.pk}/extend/"

    answer = web.post(path, {"key": str(uuid.uuid4()), "expires_on": NEXT_YEAR, **TAIL})

    assert answer.status_code == 302
    person.fresh()
    assert person.card_row.expires_on.isoformat() == NEXT_YEAR
    assert CardJob.objects.get().kind == "extend"


# ---------------------------------------------------------------------------------------------------------- services


def test_services_are_granted_to_a_named_card_and_closed_again(web):
    person = make_person(5_00)
    Account.objects.filter(pk=person.account.pk).update(kind=ServiceKind.NAMED)
    path = f"/counter/accounts/{person.account.pk}/services/"
    assert web.post(path, {"key": str(uuid.uuid4()), "until_on": NEXT_YEAR, **TAIL}).status_code == 400
    fields = {"key": str(uuid.uuid4()), "services": ["dorm_door", "lending"], "until_on": NEXT_YEAR, **TAIL}

    assert web.post(path, fields).status_code == 302
    assert may_use(person.account.pk, "dorm_door", today=TODAY) is None
    web.post(f"{path}revoke/", {"key": str(uuid.uuid4()), "service": "dorm_door"})

    assert may_use(person.account.pk, "dorm_door", today=TODAY) == Denial.SERVICE_RIGHT
    assert may_use(person.account.pk, "lending", today=TODAY) is None


@pytest.mark.parametrize(
    "services", [["canteen"], ["moon"], ["lending", "lending"], ["lending", "moon"]], ids=str
)
def test_other_services_are_not_granted(web, services):
    person = make_person(5_00)
    Account.objects.filter(pk=person.account.pk).update(kind=ServiceKind.NAMED)
    fields = {"key": str(uuid.uuid4()), "services": services, "until_on": NEXT_YEAR, **TAIL}

    assert web.post(f"/counter/accounts/{person.account.pk}/services/", fields).status_code in (400, 409)
    assert not ServiceGrant.objects.exists()


# ----------------------------------------------------------------------------------------------------------- closing


def test_closing_begins_waits_and_may_be_given_up(web):
    person = make_person(5_00)
    path = f"/counter/accounts/{person.account.pk}/close/"
    fields = {"key": str(uuid.uuid4()), "reason": "毕业离校", **TAIL}

    assert web.post(f"{path}begin/", fields).status_code == 302
    page = plain(web.get(path))
    assert "等待迟到流水的天数未满" in page
    refused = web.post(f"{path}ask/", {"key": str(uuid.uuid4()), "way": "cash", "reason": "x"})
    assert (refused.status_code, "等待迟到流水" in plain(refused)) == (409, True)
    assert web.post(f"{path}give-up/", {"key": str(uuid.uuid4()), "reason": "x"}).status_code == 302
    assert person.fresh().life == AccountLife.OPEN


def test_a_request_that_cannot_be_used_any_more_is_asked_for_again(web, monkeypatch):
    """Else a closing stands still until whoever asked takes it back, and he may be gone as well."""
    person, later = make_person(5_00), timezone.now() + timedelta(days=6)
    path = f"/counter/accounts/{person.account.pk}/close/"

    def send(step: str) -> int:
        fields = {"key": str(uuid.uuid4()), "way": "cash", "reason": "毕业离校", **TAIL}
        return web.post(f"{path}{step}/", fields).status_code

    assert send("begin") == 302
    monkeypatch.setattr("counter.cards.views.closing.now", lambda: later)
    assert send("ask") == 302
    asked, boss = Request.objects.get(), desks.operator("li", OperatorRole.SUPERVISOR)
    hand = desks.hand(boss, now=later)
    approvals.agree(asked.pk, bytes(asked.content_hash), hand=hand, now=later, policy=Policy())
    assert "付款并销户" in plain(web.get(path))

    Operator.objects.filter(pk=boss.pk).update(is_active=False)
    page = plain(web.get(path))
    assert ("原来的申请不能再用" in page, "付款并销户" in page) == (True, False)
    assert send("ask") == 302
    assert Request.objects.count() == 2
    assert "等待主管复核" in plain(web.get(path))
