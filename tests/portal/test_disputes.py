"""A holder and one line of his statement: all of it, what looks like it twice, and what he does not agree with."""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, Campus, Notice
from accounts.options import Options
from portal.views import disputes as views
from reconciliation.deadlines import due_on, special_days
from reconciliation.kinds import DisputeEventKind, DisputeKind, DisputeState
from reconciliation.models import Dispute, DisputeEvent
from reconciliation.models_disputes import STEPS
from reconciliation.services.disputes import OPEN_MAX, NotDone, Problem, add_word, open_dispute, withdraw
from terminals.models import SpecialDay
from tests.campus import POLICY, Counter, make_person
from tests.care import charged, claim_of, disputed, holder_of
from tests.portal.conftest import give_pin, sign_in, text_of
from transactions.entries import movement, twin_of
from transactions.models import Entry, entry_id
from transactions.services import corrections

KEY = re.compile(r'name="key" value="([^"]+)"')


def key_of(page: str) -> str:
    return KEY.search(page)[1]


@pytest.fixture
def twice(db):
    """5.50 charged twice at one till within a minute."""
    person = charged(5_50, 5_50)
    give_pin(person.account)
    return person


@pytest.fixture
def browser(client, twice):
    sign_in(client, twice)
    return client


def counted() -> tuple[int, ...]:
    return tuple(table.objects.count() for table in (Dispute, DisputeEvent, Notice, AuditEvent, Entry))


def refused(call) -> Problem:
    before = counted()
    with pytest.raises(NotDone) as caught:
        call()
    assert counted() == before
    return caught.value.problem


# ------------------------------------------------------------------------------------------- one movement


def test_a_line_of_the_statement_opens_in_full(browser, twice):
    """screens.md 6.2: all fields, terminal, receipt, linked reversal; button 有疑问."""
    assert '<a class="line-link" href="/me/statement/3/">' in text_of(browser.get("/me/statement/"))

    page = text_of(browser.get("/me/statement/3/"))

    for shown in (
        "消费",
        "示范一餐厅",
        "崂山校区",
        "7 号机",
        "联机",
        "¥5.50",
        "¥89.00",
        f"{twice.account.number}/3",
    ):
        assert shown in page
    assert "/me/statement/3/dispute/" in page


def test_a_movement_names_what_took_it_back_and_may_not_be_disputed_any_more(browser, twice):
    order = corrections.ReverseOrder(uuid.uuid4(), twice.account.pk, entry_id(twice.account.pk, 3), "重复")
    corrections.reverse(order, actor=holder_of(twice), now=timezone.now(), policy=POLICY)

    page = text_of(browser.get("/me/statement/3/"))

    assert "已由第 4 笔冲正" in page
    assert "/me/statement/3/dispute/" not in page
    assert "冲正的是第 3 笔" in text_of(browser.get("/me/statement/4/"))
    refusal = refused(lambda: disputed(twice, 3))
    assert refusal is Problem.TAKEN_BACK


@pytest.mark.parametrize("path", ["/me/statement/99/", "/me/statement/0/", "/me/statement/4294967297/"])
def test_a_movement_that_is_not_one_s_own_is_not_there(browser, path):
    """P2: own rows only. 2³² + 1 would be line 1 of the next account."""
    charged(1_00)

    assert browser.get(path).status_code == 404


def test_a_movement_page_needs_at_most_ten_statements(browser, django_assert_max_num_queries):
    browser.get("/me/statement/3/")

    with django_assert_max_num_queries(10):
        assert browser.get("/me/statement/3/").status_code == 200


# ------------------------------------------------------------------------------------------------- the twin


@pytest.mark.parametrize(("seconds", "found"), [(1, True), (59, True), (60, False), (61, False)], ids=str)
def test_a_twin_is_the_same_amount_at_the_same_till_less_than_a_minute_away(db, seconds, found):
    """screens.md: same terminal, amount, < 60 s."""
    person, till = make_person(100_00), Counter()
    till.now = timezone.now() - timedelta(minutes=5)
    till.tap(person, 5_50)
    till.now += timedelta(seconds=seconds)
    till.tap(person, 5_50)

    for seq, other in ((2, 3), (3, 2)):
        twin = twin_of(movement(person.account.pk, seq))
        assert (twin.seq if twin else None) == (other if found else None)


def test_another_amount_another_till_or_another_holder_is_no_twin(db):
    person, till, shop = make_person(100_00), Counter(), Counter(12)
    other = make_person(100_00)
    till.now = shop.now = timezone.now()
    till.tap(person, 5_50)
    till.tap(person, 5_40)
    shop.tap(person, 5_50)
    till.tap(other, 5_50)

    assert twin_of(movement(person.account.pk, 2)) is None


def test_what_was_taken_back_is_no_twin(twice):
    order = corrections.ReverseOrder(uuid.uuid4(), twice.account.pk, entry_id(twice.account.pk, 3), "重复")
    corrections.reverse(order, actor=holder_of(twice), now=timezone.now(), policy=POLICY)

    assert twin_of(movement(twice.account.pk, 2)) is None


# ------------------------------------------------------------------------------------------------- opening


def test_a_double_charge_is_disputed_in_two_pages(browser, twice):
    """Type, receipt, words; the twin stands beside it; a number, a promised day and a timeline come back."""
    page = text_of(browser.get("/me/statement/3/dispute/"))
    assert "很像的另一笔" in page
    assert re.search(r'value="double" checked', page)
    form = {
        "key": key_of(page),
        "kind": "double",
        "receipt_no": "ys01-000123",
        "text": "刷了一次 😡\n扣了两笔",
    }

    answer = browser.post("/me/statement/3/dispute/", form)

    dispute = Dispute.objects.get()
    assert answer.url == f"/me/disputes/{dispute.pk}/"
    assert (dispute.fen, dispute.entry_seq, dispute.twin_seq) == (5_50, 3, 2)
    assert (dispute.receipt_no, dispute.text) == ("YS01-000123", "刷了一次 😡\n扣了两笔")
    assert (dispute.channel, dispute.state) == ("web", "open")
    shown = text_of(browser.get(answer.url))
    for word in (dispute.reference, "您提出了争议", "刷了一次 😡", "待受理", dispute.due_on.isoformat()):
        assert word in shown
    assert "争议已登记" in text_of(browser.get("/me/messages/"))
    assert Entry.objects.filter(account=twice.account).count() == 3, "no money moves"


def test_sent_twice_it_is_one_dispute(browser, twice):
    form = {"key": key_of(text_of(browser.get("/me/statement/3/dispute/"))), "kind": "double", "text": "两笔"}

    first, second = (browser.post("/me/statement/3/dispute/", form) for _ in range(2))

    assert first.url == second.url
    assert (Dispute.objects.count(), DisputeEvent.objects.count(), Notice.objects.count()) == (1, 1, 1)


def test_the_same_movement_again_leads_to_the_dispute_that_there_is(browser, twice):
    """screens.md: duplicate dispute -> existing."""
    known = disputed(twice, 3)

    assert browser.get("/me/statement/3/dispute/").url == f"/me/disputes/{known.pk}/"
    form = {"key": str(uuid.uuid4()), "kind": "not_mine", "text": "又来"}
    assert browser.post("/me/statement/3/dispute/", form).url == f"/me/disputes/{known.pk}/"
    assert Dispute.objects.count() == 1


def test_after_taking_it_back_one_may_dispute_again(twice):
    first = disputed(twice, 3)
    withdraw(twice.account.pk, first.pk, key=uuid.uuid4(), actor=holder_of(twice), now=timezone.now())

    second = disputed(twice, 3)

    assert second.pk != first.pk


@pytest.mark.parametrize(("days", "accepted"), [(90, True), (91, False)])
def test_the_university_may_draw_the_window_wider(twice, days, accepted):
    now, wider = timezone.now() + timedelta(days=days), Options(dispute_window_days=90)

    if accepted:
        assert disputed(twice, 3, now=now, options=wider).state == "open"
    else:
        assert refused(lambda: disputed(twice, 3, now=now, options=wider)) is Problem.TOO_OLD


def test_the_page_names_the_window_in_force(browser, monkeypatch):
    monkeypatch.setattr(views, "options", lambda: Options(dispute_window_days=90))

    assert "90 天内都可以" in text_of(browser.get("/me/disputes/"))


@pytest.mark.parametrize(("days", "accepted"), [(0, True), (60, True), (61, False)])
def test_sixty_days_and_not_one_more(twice, days, accepted):
    """screens.md: 60-day window; the sixtieth day after the purchase is the last."""
    now = timezone.now() + timedelta(days=days)

    if accepted:
        assert disputed(twice, 3, now=now).state == "open"
    else:
        assert refused(lambda: disputed(twice, 3, now=now)) is Problem.TOO_OLD


@pytest.mark.parametrize(
    ("seq", "kind", "why"),
    [
        (99, "double", Problem.NO_SUCH_MOVEMENT),
        (3, "top_up_missing", Problem.WRONG_KIND),
        (1, "not_mine", Problem.WRONG_KIND),
        (None, "double", Problem.NO_SUCH_MOVEMENT),
    ],
)
def test_what_cannot_be_disputed_is_refused_and_leaves_nothing(twice, seq, kind, why):
    claim = claim_of(twice, seq, kind=DisputeKind(kind))

    assert (
        refused(lambda: open_dispute(claim, actor=holder_of(twice), now=timezone.now(), options=Options()))
        is why
    )


def test_a_key_of_another_holder_or_movement_opens_nothing(twice):
    key = uuid.uuid4()
    disputed(twice, 3, key=key)
    other = charged(5_50, 5_50)

    assert refused(lambda: disputed(other, 3, key=key)) is Problem.KEY_REUSED
    assert refused(lambda: disputed(twice, 2, key=key)) is Problem.KEY_REUSED


def test_twenty_open_ones_are_enough(db):
    person = charged(*([1_00] * (OPEN_MAX + 1)))
    for seq in range(2, OPEN_MAX + 2):
        disputed(person, seq)

    assert refused(lambda: disputed(person, OPEN_MAX + 2)) is Problem.TOO_MANY


def test_a_top_up_that_never_came_is_disputed_by_day_and_amount(browser, twice):
    """充值未到账: there is no line of the statement to click on."""
    page = text_of(browser.get("/me/disputes/missing-top-up/"))
    form = {
        "key": key_of(page),
        "happened_on": f"{timezone.localdate():%Y-%m-%d}",
        "amount": "１００",
        "text": "学苑充值点",
    }

    answer = browser.post("/me/disputes/missing-top-up/", form)

    dispute = Dispute.objects.get()
    assert (dispute.kind, dispute.fen, dispute.entry_seq) == ("top_up_missing", 100_00, None)
    again = browser.post("/me/disputes/missing-top-up/", form | {"key": str(uuid.uuid4())})
    assert again.url == answer.url
    assert Dispute.objects.count() == 1


@pytest.mark.parametrize(("days", "status"), [(0, 302), (60, 302), (61, 409), (-1, 409)])
def test_the_day_of_a_missing_top_up_has_both_bounds(browser, days, status):
    day = timezone.localdate() - timedelta(days=days)
    form = {"key": str(uuid.uuid4()), "happened_on": f"{day:%Y-%m-%d}", "amount": "50", "text": "没到账"}

    assert browser.post("/me/disputes/missing-top-up/", form).status_code == status
    assert Dispute.objects.count() == (status == 302)


# ------------------------------------------------------------------------------------------- the promise


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        (date(2026, 8, 3), date(2026, 8, 17)),
        (date(2026, 8, 7), date(2026, 8, 21)),
        (date(2026, 8, 8), date(2026, 8, 21)),
    ],
    ids=["Monday", "Friday", "Saturday"],
)
def test_the_promise_is_the_tenth_working_day(opened, due):
    assert due_on(opened) == due


def test_holidays_and_worked_weekends_count_as_the_university_says(db):
    """国庆: seven days off, and the Saturday after is worked; one campus may have a day of its own."""
    here = Campus.objects.get_or_create(code="laoshan", defaults={"name_zh": "崂山", "name_en": "L"})[0]
    there = Campus.objects.get_or_create(code="yushan", defaults={"name_zh": "鱼山", "name_en": "Y"})[0]
    start = date(2027, 10, 1)
    for day in range(7):
        SpecialDay.objects.create(on=start + timedelta(days=day), kind="closed", name_zh="国庆节")
    SpecialDay.objects.create(on=date(2027, 10, 9), kind="as_workday", name_zh="调休")
    SpecialDay.objects.create(on=date(2027, 10, 11), campus=there, kind="closed", name_zh="校庆")
    opened = date(2027, 9, 30)

    dues = [due_on(opened, special=special_days(place.pk, after=opened)) for place in (here, there)]

    assert due_on(opened) == date(2027, 10, 14)
    assert dues == [date(2027, 10, 20), date(2027, 10, 21)]


# ------------------------------------------------------------------------------------ its course, and whose it is


def test_the_holder_adds_a_word_and_takes_it_back(browser, twice):
    dispute = disputed(twice, 3)
    place = f"/me/disputes/{dispute.pk}/"
    word = {"key": str(uuid.uuid4()), "text": "小票找到了 🧾"}

    for _ in range(2):
        assert browser.post(f"{place}word/", word).url == place
    assert browser.post(f"{place}withdraw/", {"key": str(uuid.uuid4())}).url == place

    kinds = list(DisputeEvent.objects.order_by("seq").values_list("kind", flat=True))
    assert kinds == ["opened", "added", "withdrawn"]
    page = text_of(browser.get(place))
    assert "小票找到了 🧾" in page
    assert "已撤回" in page
    late = browser.post(f"{place}word/", {"key": str(uuid.uuid4()), "text": "再说"})
    assert late.status_code == 409
    assert "已有变化" in text_of(late)


def test_a_dispute_of_somebody_else_is_not_there(browser, twice):
    other = charged(1_00)
    dispute = disputed(other, 2)

    for path, method in (("", browser.get), ("word/", browser.post), ("withdraw/", browser.post)):
        assert method(f"/me/disputes/{dispute.pk}/{path}").status_code == 404
    assert dispute.reference not in text_of(browser.get("/me/disputes/"))
    with pytest.raises(Dispute.DoesNotExist):
        add_word(
            twice.account.pk, dispute.pk, "x", key=uuid.uuid4(), actor=holder_of(twice), now=timezone.now()
        )


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("kind", ""), ("kind", "theft"), ("text", ""), ("text", " \u3000\n"), ("text", "a\x00b"), ("text", "a\u202eb"),
        ("text", "a\u200bb"), ("text", "长" * 501), ("text", "长" * 10_000), ("receipt_no", "票据一"),
        ("receipt_no", "１２３"), ("receipt_no", "A" * 25), ("receipt_no", "a\nb"), ("key", ""), ("key", "x" * 300),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_said_at_its_field_and_nothing_is_kept(browser, field, typed):
    """reliability.md section 7, 44-55 and 67: clear message, 4xx, no row, what was typed stays."""
    form = {"key": str(uuid.uuid4()), "kind": "double", "receipt_no": "", "text": "两笔"} | {field: typed}
    before = counted()

    answer = browser.post("/me/statement/3/dispute/", form)

    assert answer.status_code == 400
    assert "没有登记" in text_of(answer)
    assert counted() == before


def test_a_lone_surrogate_is_refused_and_not_a_fault(browser):
    answer = browser.generic(
        "POST", "/me/statement/3/dispute/", b"key=%s&kind=double&text=%%ED%%A0%%80" % str(uuid.uuid4()).encode(),
        content_type="application/x-www-form-urlencoded",
    )  # fmt: skip

    assert answer.status_code in (302, 400)
    assert "\ud800" not in "".join(Dispute.objects.values_list("text", flat=True))


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "{{7*7}} {% debug %}", "'; drop table x --", "=cmd()"]
)
def test_markup_and_code_are_shown_as_they_were_typed(browser, twice, text):
    dispute = disputed(twice, 3, text=text)

    page = text_of(browser.get(f"/me/disputes/{dispute.pk}/"))

    assert "<script>alert" not in page
    assert text.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#x27;") in page


def test_two_fields_of_one_name_are_refused(browser):
    answer = browser.post(
        "/me/statement/3/dispute/",
        {"key": [str(uuid.uuid4())] * 2, "kind": ["double", "not_mine"], "text": "x"},
    )

    assert answer.status_code == 400
    assert not Dispute.objects.exists()


# ---------------------------------------------------------------------------------------- held by the database


def test_the_database_knows_the_same_steps(db):
    """Every event in every state: Python and PostgreSQL agree on what follows."""
    with connection.cursor() as cursor:
        for kind in DisputeEventKind:
            for state in DisputeState:
                cursor.execute("SELECT reconciliation_dispute_step(%s, %s)", [state.value, kind.value])
                (follows,) = cursor.fetchone()
                known = STEPS.get(kind, {}).get(state)
                assert follows == (known.value if known else None), (kind, state)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reconciliation_dispute SET state = 'refunded'",
        "UPDATE reconciliation_dispute SET fen = 1",
        "DELETE FROM reconciliation_dispute",
        "TRUNCATE reconciliation_dispute CASCADE",
        "UPDATE reconciliation_disputeevent SET text = 'x'",
        "DELETE FROM reconciliation_disputeevent",
        "TRUNCATE reconciliation_disputeevent",
    ],
)
def test_what_was_said_stays_said(twice, statement):
    disputed(twice, 3)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("fields", "broken"),
    [
        ({"kind": "refunded", "seq": 2}, "dispute_event_is_a_step"),
        ({"kind": "taken", "seq": 3}, "dispute_event_in_order"),
        ({"kind": "opened", "seq": 2}, "dispute_event_is_a_step"),
        ({"kind": "asked", "seq": 2}, "dispute_event_says_what"),
        ({"kind": "proposed", "seq": 2}, "dispute_refund_has_decision"),
    ],
)
def test_an_event_that_is_no_step_is_refused_by_the_database(twice, fields, broken):
    dispute = disputed(twice, 3)

    with pytest.raises(DatabaseError, match=broken), transaction.atomic():
        DisputeEvent.objects.create(
            dispute=dispute, key=uuid.uuid4(), at=timezone.now(), actor="operator:1", state="open", **fields
        )


@pytest.mark.django_db(transaction=True)
def test_eight_browsers_at_once_open_one_dispute():
    person = charged(5_50, 5_50)

    def press(_: int) -> int:
        try:
            return disputed(person, 3).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(press, range(8)))

    assert len(set(made)) == 1
    assert (Dispute.objects.count(), DisputeEvent.objects.count()) == (1, 1)


def test_the_pages_read_in_english_too(browser, twice):
    disputed(twice, 3)
    browser.post("/i18n/setlang/", {"language": "en", "next": "/me/"})

    for path in (
        "/me/statement/3/",
        "/me/disputes/",
        f"/me/disputes/{Dispute.objects.get().pk}/",
        "/me/messages/",
    ):
        page = re.sub(
            r"中文|示范一餐厅|崂山校区|张\*|7号机|刷了一次，扣了两笔", "", text_of(browser.get(path))
        )
        assert not re.search(r"[\u4e00-\u9fff]", page), path
    assert isinstance(browser, Client)
