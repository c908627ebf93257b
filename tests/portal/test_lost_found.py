"""The public board: a holder looks for his card, a finder tells of one; nobody learns whose it is."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta
from typing import Self

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.checks.private import leads_away, mask_private
from accounts.models import AuditEvent, FinderReport, FoundHow, JobRun, LostPost, Notice, OperatorRole
from accounts.services import lostposts
from accounts.services.found import Intake, take_in
from accounts.services.lostposts import NotPosted, PostProblem
from tests.care import charged, hand_of, holder_of
from tests.portal.conftest import give_pin, sign_in, text_of
from tests.reconciliation import desk
from tests.transactions.test_concurrency import together


@pytest.fixture
def person(db):
    found = charged(1_00)
    give_pin(found.account)
    return found


@pytest.fixture
def browser(client, person):
    sign_in(client, person)
    return client


def search(**fields: str) -> dict[str, str]:
    """What the form sends."""
    return {
        "key": str(uuid.uuid4()), "campus": "laoshan", "place": "学苑餐厅二楼",
        "lost_on": f"{timezone.localdate():%Y-%m-%d}", "text": "蓝色卡套 💙",
    } | fields  # fmt: skip


def tip(card: object, **fields: str) -> dict[str, str]:
    """What a finder sends."""
    return {
        "key": str(uuid.uuid4()), "number": str(card), "place": "操场看台", "left_at": "已交学苑餐厅服务台",
    } | fields  # fmt: skip


def kept(person, *, days: int = 0, public: bool = True) -> None:
    """A desk of 崂山 has this holder's card in its drawer, since so many days."""
    clerk = desk.operator(f"clerk{uuid.uuid4().hex[:6]}", OperatorRole.CLERK)
    then = timezone.now() - timedelta(days=days)
    intake = Intake(
        uuid.uuid4(),
        FoundHow.READER,
        "图书馆",
        timezone.localdate(then),
        "1 号抽屉",
        person.card_row.pk,
        public=public,
    )
    take_in(intake, hand=hand_of(clerk), now=then, today=timezone.localdate(then))


# ------------------------------------------------------------------------------------------------- the board


def test_a_search_stands_on_the_board_masked(browser, person):
    """screens.md 6.1: masked name 张*, student no. 2023****086, where, when."""
    assert browser.post("/me/lost-card/post/", search()).status_code == 302

    page = text_of(Client().get("/lost-found/"))

    assert "张*" in page
    assert re.search(r"2023\*\*\*\*\d{3}", page)
    assert "学苑餐厅二楼" in page
    assert "蓝色卡套 💙" in page
    for secret in ("张三丰", person.account.holder.school_no, str(person.account.number)):
        assert secret not in page
    assert "学苑餐厅二楼" not in text_of(Client().get("/lost-found/?tab=found"))


def test_without_signing_in_nobody_posts(client, db):
    assert "/login/" in client.post("/me/lost-card/post/", search()).url
    assert not LostPost.objects.exists()


@pytest.mark.parametrize(("days", "shown"), [(0, True), (30, True), (31, False)])
def test_a_search_goes_after_thirty_days(person, client, days, shown):
    """reliability.md E12 and security.md section 6: thirty days; both sides of the bound."""
    then = timezone.now() - timedelta(days=days)
    made = lostposts.Search(
        uuid.uuid4(), person.account.pk, person.account.campus_id, "学苑餐厅", timezone.localdate(then)
    )
    lostposts.post(made, actor=holder_of(person), now=then)

    assert ("学苑餐厅" in text_of(client.get("/lost-found/"))) is shown


def test_its_author_renews_it_once_for_thirty_more(browser, person):
    """Sixty days at most: what screens.md asks for, on the holder's own wish."""
    browser.post("/me/lost-card/post/", search())
    post = LostPost.objects.get()

    for _ in range(2):
        browser.post(f"/me/lost-card/{post.pk}/renew/")

    assert LostPost.objects.get().expires_on == timezone.localdate() + timedelta(days=60)


def test_five_a_day_and_one_at_a_time(browser, person):
    for number in range(5):
        assert browser.post("/me/lost-card/post/", search(place=f"第 {number} 处")).status_code == 302

    answer = browser.post("/me/lost-card/post/", search(place="第六处"))

    assert answer.status_code == 409
    assert "今天已发布 5 条" in text_of(answer)
    assert LostPost.objects.count() == 5
    assert [post.place for post in LostPost.objects.filter(state="shown")] == ["第 4 处"]


def test_the_sixth_is_possible_the_next_day(person):
    now = timezone.now()
    for day in (0, 0, 0, 0, 0, 1):
        made = lostposts.Search(
            uuid.uuid4(), person.account.pk, person.account.campus_id, "学苑餐厅", timezone.localdate(now)
        )
        lostposts.post(made, actor=holder_of(person), now=now + timedelta(days=day))

    assert LostPost.objects.count() == 6


def test_the_same_form_twice_is_one_search(browser):
    form = search()

    for _ in range(2):
        assert browser.post("/me/lost-card/post/", form).status_code == 302

    assert LostPost.objects.count() == 1


def test_the_board_is_filtered_by_campus_and_day(browser, client):
    desk.campus("yushan")
    yesterday = timezone.localdate() - timedelta(days=1)
    browser.post("/me/lost-card/post/", search(lost_on=f"{yesterday:%Y-%m-%d}"))

    for query, shown in (
        ("campus=laoshan", True), ("campus=yushan", False),
        (f"since={yesterday:%Y-%m-%d}", True), (f"since={timezone.localdate():%Y-%m-%d}", False),
    ):  # fmt: skip
        assert ("学苑餐厅二楼" in text_of(client.get(f"/lost-found/?{query}"))) is shown, query


@pytest.mark.parametrize(
    "query", ["campus=mars", "since=2026-02-30", "tab=stolen", "older=x", "older=0", "tab=lost&tab=found"]
)
def test_a_wrong_filter_is_refused_in_words(client, db, query):
    answer = client.get(f"/lost-found/?{query}")

    assert answer.status_code == 400
    assert "没有查询" in text_of(answer)


def test_found_cards_stand_on_the_board_for_thirty_days_if_the_desk_says_so(client, person):
    kept(person)
    kept(charged(1_00), public=False)
    old = charged(1_00)
    kept(old, days=31)

    page = text_of(client.get("/lost-found/?tab=found"))

    assert page.count('class="tag"') == 1
    assert "图书馆" in page
    assert "1 号抽屉" not in page


def test_a_search_and_a_found_card_match_by_themselves(browser, person, client):
    """screens.md: match found <-> lost automatically, in both columns, whichever came first."""
    browser.post("/me/lost-card/post/", search())
    assert "卡已在管理中心" not in text_of(Client().get("/lost-found/"))

    kept(person)

    assert "卡已在管理中心" in text_of(Client().get("/lost-found/"))
    assert "失主在找，已通知" in text_of(Client().get("/lost-found/?tab=found"))


# ------------------------------------------------------------------------------------------- what is masked


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("捡到请打 13800001234", "捡到请打 ***"),
        ("138-0000-1234 谢谢", "*** 谢谢"),
        ("１３８００００１２３４", "***"),
        ("٠١٢٣٤٥٦٧٨٩", "***"),
        ("一三八零零零零一二三四", "***"),
        ("证件 37020220040917123X 在内", "证件 *** 在内"),
        ("学号20230311086", "学号***"),
        ("0532 6678 1234", "***"),
        ("+86 138 0000 1234", "***"),
        ("1 3 8 0 0 0 0 1 2 3 4", "***"),
        ("mail li.si@example.edu.cn ok", "mail *** ok"),
        ("123456", "123456"),
        ("1234567", "***"),
        ("2026-08-03 12:08 学苑餐厅 302 室", "2026-08-03 12:08 学苑餐厅 302 室"),
        ("2026年11月26日 5 号楼", "2026年11月26日 5 号楼"),
        ("一楼二楼三楼", "一楼二楼三楼"),
        ("卡里有 12.50 元 😀", "卡里有 12.50 元 😀"),
    ],
)
def test_numbers_that_lead_to_a_person_are_masked_before_they_are_stored(typed, stored):
    assert mask_private(typed) == stored


@pytest.mark.parametrize(
    "text", ["https://evil.example", "加微信 abc", "www.x.cn", "QQ 群里", "my wx: abc", "shop.top"]
)
def test_what_leads_elsewhere_is_noticed(text):
    assert leads_away(text)
    assert not leads_away("学苑餐厅 2.5 元的面，宿舍楼下")


@pytest.mark.parametrize("text", ["打 13800001234", "加微信 abcd"])
def test_what_was_masked_or_leads_elsewhere_waits_for_the_staff(browser, text):
    browser.post("/me/lost-card/post/", search(text=text))

    post = LostPost.objects.get()
    assert post.state == "waiting"
    assert "13800001234" not in post.text
    assert "学苑餐厅二楼" not in text_of(Client().get("/lost-found/"))
    assert "等待审核" in text_of(browser.get("/me/lost-card/"))


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("place", ""), ("place", " \u3000"), ("place", "长" * 61), ("place", "a\nb"), ("text", "长" * 201),
        ("text", "a\x00"), ("text", "a\u202eb"), ("text", "a\u200bb"), ("lost_on", ""), ("lost_on", "2026-02-30"),
        ("lost_on", "昨天"), ("campus", ""), ("campus", "mars"), ("key", "x"),
    ],
)  # fmt: skip
def test_bad_input_is_said_at_its_field_and_nothing_is_posted(browser, field, typed):
    answer = browser.post("/me/lost-card/post/", search(**{field: typed}))

    assert answer.status_code == 400
    assert "没有发布" in text_of(answer)
    assert not LostPost.objects.exists()


@pytest.mark.parametrize(("days", "status"), [(365, 302), (366, 409), (-1, 409)])
def test_the_day_is_within_a_year_and_not_tomorrow(browser, days, status):
    day = timezone.localdate() - timedelta(days=days)

    assert browser.post("/me/lost-card/post/", search(lost_on=f"{day:%Y-%m-%d}")).status_code == status


def test_markup_is_shown_as_typed(browser):
    browser.post("/me/lost-card/post/", search(text="<script>alert(1)</script> {{7*7}}"))

    page = text_of(Client().get("/lost-found/"))

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{7*7}}" in page


def test_somebody_else_s_search_cannot_be_renewed_or_closed(browser):
    other = charged(1_00)
    made = lostposts.Search(
        uuid.uuid4(), other.account.pk, other.account.campus_id, "操场", timezone.localdate()
    )
    post = lostposts.post(made, actor=holder_of(other), now=timezone.now())

    for deed in ("renew", "close"):
        assert browser.post(f"/me/lost-card/{post.pk}/{deed}/").status_code == 404
    assert LostPost.objects.get().state == "shown"


# --------------------------------------------------------------------------------------------- the finder


def test_the_owner_is_told_and_the_finder_learns_nothing(person, client):
    answer = client.post("/lost-found/report/", tip(person.account.holder.school_no))

    assert answer.url == "/lost-found/report/thanks/"
    thanks = text_of(client.get(answer.url))
    assert "张" not in thanks.replace("张卡", "")
    assert Notice.objects.get().kind == "card_found"
    sign_in(client, person)
    page = text_of(client.get("/me/lost-card/"))
    assert "操场看台" in page
    assert "已交学苑餐厅服务台" in page
    assert "有人拾到您的卡" in text_of(client.get("/me/messages/"))


def test_a_number_that_nobody_has_gets_the_same_answer(person, client):
    """No holder data, not even whether there is one: same status, same address, same page, a row either way."""
    answers = [client.post("/lost-found/report/", tip(number)) for number in (person.account.number, 99999)]

    assert {(answer.status_code, answer.url) for answer in answers} == {(302, "/lost-found/report/thanks/")}
    assert [report.account_id for report in FinderReport.objects.order_by("pk")] == [person.account.pk, None]
    assert Notice.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_tip_sent_twice_at_once_tells_the_owner_once(person):
    """Real threads: a double click on the public form."""
    tip = lostposts.Tip(uuid.uuid4(), lostposts.AccountNumber(person.account.number), "操场", "服务台")

    told = together(lambda _: lostposts.report_find(tip, source="web:1", now=timezone.now()), count=4)

    assert told == [True] * 4
    assert (FinderReport.objects.count(), Notice.objects.count()) == (1, 1)


def test_both_kinds_of_number_take_the_same_steps(person):
    """Reads that would tell by their time are made for unknown numbers too; only the message itself is one more."""
    steps = []
    for number in (str(person.account.number), "99999"):
        with CaptureStatements() as seen:
            lostposts.report_find(
                lostposts.Tip(uuid.uuid4(), lostposts.AccountNumber(int(number)), "操场", "服务台"),
                source=f"web:{number}", now=timezone.now(),
            )  # fmt: skip
        steps.append(
            [text.split()[0] for text in seen.texts if "accounts_notice" not in text or "SELECT" in text]
        )

    assert steps[0] == steps[1]


class CaptureStatements:
    """The statements of a block."""

    def __enter__(self) -> Self:
        self.texts: list[str] = []
        self._wrapper = connection.execute_wrapper(self._note)
        self._wrapper.__enter__()
        return self

    def _note(self, execute, sql, params, many, context):
        self.texts.append(sql.strip())
        return execute(sql, params, many, context)

    def __exit__(self, *args: object) -> None:
        self._wrapper.__exit__(*args)


def test_one_source_tells_five_times_an_hour(person, client):
    for _ in range(5):
        assert client.post("/lost-found/report/", tip(99998)).status_code == 302

    answer = client.post("/lost-found/report/", tip(person.account.number))

    assert answer.status_code == 429
    assert "本次没有通知失主" in text_of(answer)
    assert not Notice.objects.exists()


def test_an_owner_is_told_three_times_a_day(person):
    for number in range(5):
        client = Client(REMOTE_ADDR=f"10.1.0.{number}")
        assert client.post("/lost-found/report/", tip(person.account.number)).status_code == 302

    assert (FinderReport.objects.count(), Notice.objects.count()) == (5, 3)


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("number", ""), ("number", "123"), ("number", "１２３４５"), ("number", "12345 "), ("number", "00000"),
        ("number", "a" * 41), ("place", ""), ("left_at", "a\u202e"), ("place", "长" * 61), ("key", ""),
    ],
)  # fmt: skip
def test_a_finder_s_slip_is_said_at_its_field(client, db, field, typed):
    answer = client.post("/lost-found/report/", tip(99998, **{field: typed}))

    assert answer.status_code == 400
    assert "没有提交" in text_of(answer)
    assert not FinderReport.objects.exists()


def test_the_finder_s_telephone_is_masked_too(person, client):
    client.post("/lost-found/report/", tip(person.account.number, left_at="打我 13800001234"))

    assert FinderReport.objects.get().left_at == "打我 ***"


# ------------------------------------------------------------------------------- what the owner sees, and forgets


def test_the_owner_reads_where_his_card_is_kept(browser, person):
    """screens.md 6.2: 有人拾到您的卡，保存在…; on the overview, on the page of the search, in the messages."""
    kept(person)

    for path in ("/me/", "/me/lost-card/"):
        page = text_of(browser.get(path))
        assert "有人拾到您的卡，保存在崂山校区管理中心" in page
        assert "1 号抽屉" not in page
    assert '<span class="count num">1</span>' in text_of(browser.get("/me/"))
    browser.get("/me/messages/")
    assert '<span class="count num">' not in text_of(browser.get("/me/"))


def test_messages_come_in_pages_and_only_one_s_own(browser, person):
    other = charged(1_00)
    kept(other)
    for _ in range(25):
        Notice.objects.create(
            account=person.account, kind="card_returned", about="found:1", at=timezone.now()
        )

    first = text_of(browser.get("/me/messages/"))

    assert first.count("<li") - first.count('<li><a href="/me/') >= 20
    older = re.search(r'href="(\?before=\d+)"', first)[1]
    assert "有人拾到您的卡" not in first + text_of(browser.get(f"/me/messages/{older}"))
    assert Notice.objects.filter(account=person.account, read_at__isnull=True).count() == 0
    assert Notice.objects.filter(account=other.account, read_at__isnull=True).count() == 1
    assert browser.get("/me/messages/?before=x").status_code == 404


@pytest.mark.parametrize(("days", "forgotten"), [(30, 0), (31, 2)])
def test_words_are_forgotten_after_their_time_and_not_before(person, days, forgotten):
    """security.md section 6: lost/found 30 d."""
    now = timezone.now()
    made = lostposts.Search(
        uuid.uuid4(), person.account.pk, person.account.campus_id, "操场", timezone.localdate(now), "蓝色"
    )
    lostposts.post(made, actor=holder_of(person), now=now)
    number = lostposts.AccountNumber(person.account.number)
    lostposts.report_find(lostposts.Tip(uuid.uuid4(), number, "操场", "服务台"), source="web:1", now=now)

    gone = lostposts.forget_old(now=now + timedelta(days=days, seconds=-1 if days == 30 else 0))

    assert gone == forgotten
    assert lostposts.forget_old(now=now + timedelta(days=days, seconds=-1 if days == 30 else 0)) == 0
    assert LostPost.objects.get().text == ("" if forgotten else "蓝色")
    assert FinderReport.objects.get().place == ("" if forgotten else "操场")
    assert "蓝色" not in str(list(AuditEvent.objects.values_list("after", flat=True)))
    assert "操场" not in str(list(Notice.objects.values_list("facts", flat=True)))


def test_the_nightly_command_forgets_and_says_how_many(person, capsys):
    then = timezone.now() - timedelta(days=40)
    made = lostposts.Search(
        uuid.uuid4(), person.account.pk, person.account.campus_id, "操场", timezone.localdate(then), "蓝色"
    )
    lostposts.post(made, actor=holder_of(person), now=then)

    for forgotten in (1, 0):
        call_command("retention", "--apply", "--json")
        assert json.loads(capsys.readouterr().out)["lost_found"] == forgotten
    assert [run.job for run in JobRun.objects.all()] == ["retention"] * 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_notice SET facts = '{\"of\": 1}'",
        "UPDATE accounts_notice SET read_at = NULL",
        "DELETE FROM accounts_notice",
        "UPDATE accounts_lostpost SET text = '改'",
        "UPDATE accounts_lostpost SET account_id = account_id + 1",
        "DELETE FROM accounts_lostpost",
        "UPDATE accounts_finderreport SET place = '改'",
        "TRUNCATE accounts_finderreport",
    ],
)
def test_the_database_lets_nothing_else_change(person, statement):
    now = timezone.now()
    made = lostposts.Search(
        uuid.uuid4(), person.account.pk, person.account.campus_id, "操场", timezone.localdate(now), "蓝色"
    )
    lostposts.post(made, actor=holder_of(person), now=now)
    number = lostposts.AccountNumber(person.account.number)
    lostposts.report_find(lostposts.Tip(uuid.uuid4(), number, "操场", "服务台"), source="web:1", now=now)
    Notice.objects.update(read_at=now + timedelta(seconds=1))

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_who_has_no_card_has_nothing_to_search_for(person):
    person.card_row.life = "returned"
    person.card_row.save(update_fields=["life"])
    made = lostposts.Search(
        uuid.uuid4(), person.account.pk, person.account.campus_id, "操场", timezone.localdate()
    )

    with pytest.raises(NotPosted) as caught:
        lostposts.post(made, actor=holder_of(person), now=timezone.now())
    assert caught.value.problem is PostProblem.NO_CARD
