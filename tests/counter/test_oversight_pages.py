"""The pages of second persons, operators and lookers-on: what is seen, done and refused (V01, V02, V06)."""

from __future__ import annotations

import csv
import io
import re
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.actors import Actor, Channel
from accounts.csvfile import cell as csv_cell
from accounts.models import AuditEvent, Operator, OperatorRole, Request, StaffSession
from accounts.services import approvals, audit
from accounts.services.approvals import Ask
from counter.oversight import kinds
from counter.oversight.kinds import Fact, Kind, NotDone
from purse.policy import Policy
from reconciliation.models import Case, CaseNote
from tests.counter.pages import browser_of, hidden, old_code, plain, text_of
from tests.reconciliation import desk
from tests.reconciliation.books import Book, campus

ADMIN, CLERK, SUPERVISOR = OperatorRole.ADMIN, OperatorRole.CLERK, OperatorRole.SUPERVISOR
pytestmark = pytest.mark.django_db


@pytest.fixture
def places(db):
    return [campus(code) for code in ("laoshan", "yushan")]


@pytest.fixture
def an(places):
    return desk.operator("an", ADMIN, None)


@pytest.fixture
def bo(places):
    return desk.operator("bo", ADMIN, None)


@pytest.fixture
def auditor(places):
    return browser_of(desk.operator("shen", OperatorRole.AUDITOR, None))


class TestRequests:
    """A request in words; agreed to, sent back, carried out once."""

    @pytest.fixture
    def done(self, monkeypatch):
        """A kind that this test brings along, and what was done of it."""
        came: list[int] = []

        def carry_out(deed) -> None:
            if came and came[0] < 0:
                raise NotDone("卡不在读卡器上", for_good=came[0] == -2)
            from django.db import transaction

            with transaction.atomic():
                approvals.use(
                    deed.row.id, kind="test.deed", content=deed.row.content, actor=deed.actor, now=deed.now
                )
            came.append(deed.row.id)

        kind = Kind(
            "test.deed", "试办", lambda row: [Fact("限额", "100", "50")], carry_out, effect="只此一次"
        )
        monkeypatch.setitem(kinds._KINDS, kind.name, kind)
        return came

    def asked(self, maker: Operator, *, fen: int = 60_00, account=None) -> Request:
        ask = Ask(uuid.uuid4(), "test.deed", {"fen": fen}, "票据可查", account_id=account, amount_fen=fen)
        moment = timezone.now()
        return approvals.propose(ask, hand=desk.hand(maker, now=moment), now=moment, policy=Policy())

    def test_shown_in_words_and_agreed_to(self, done, li, web):
        request = self.asked(desk.operator("wang", CLERK))

        listed = plain(web.get("/counter/decisions/"))
        page = web.get(f"/counter/requests/{request.pk}/")
        answer = web.post(
            f"/counter/requests/{request.pk}/agree/", {"digest": hidden(text_of(page), "digest")}, follow=True
        )

        assert "试办" in listed
        assert "复核 1" in listed
        assert "限额 50 → 100" in plain(page)
        assert "同意并办理" in plain(page)
        assert done == [request.pk]
        assert "已办理" in plain(answer)
        assert "复核 1" not in plain(web.get("/counter/decisions/"))

    def test_agreed_twice_is_done_once(self, done, web):
        request = self.asked(desk.operator("wang", CLERK))
        fields = {"digest": bytes(request.content_hash).hex()}
        for _ in range(2):
            web.post(f"/counter/requests/{request.pk}/agree/", fields)
        assert done == [request.pk]

    def test_what_cannot_be_done_now_is_done_later(self, done, web):
        wang = desk.operator("wang", CLERK)
        request = self.asked(wang)
        done.append(-1)
        answer = web.post(
            f"/counter/requests/{request.pk}/agree/", {"digest": bytes(request.content_hash).hex()}
        )
        assert answer.status_code == 409
        assert "卡不在读卡器上" in plain(answer)
        done.clear()
        browser_of(wang).post(f"/counter/requests/{request.pk}/carry-out/")
        assert done == [request.pk]

    def test_what_rests_on_changed_facts_ends(self, done, web):
        request = self.asked(desk.operator("wang", CLERK))
        done.append(-2)
        web.post(f"/counter/requests/{request.pk}/agree/", {"digest": bytes(request.content_hash).hex()})
        assert "未办理，什么都没有变" in plain(web.get(f"/counter/requests/{request.pk}/"))

    def test_an_old_code_is_asked_for_again(self, done, web):
        request = self.asked(desk.operator("wang", CLERK))
        old_code(web, 6)
        fields = {"digest": bytes(request.content_hash).hex()}
        assert web.post(f"/counter/requests/{request.pk}/agree/", fields).status_code == 403
        assert done == []

    def test_sent_back_with_a_reason_only(self, done, web):
        wang = desk.operator("wang", CLERK)
        request = self.asked(wang)
        assert web.post(f"/counter/requests/{request.pk}/refuse/", {"reason": " "}).status_code == 400
        web.post(f"/counter/requests/{request.pk}/refuse/", {"reason": "票据不符"})
        assert "票据不符" in plain(browser_of(wang).get(f"/counter/requests/{request.pk}/"))
        assert done == []

    def test_above_the_second_level_the_page_says_who_may(self, done, web):
        request = self.asked(desk.operator("wang", CLERK), fen=200_01)
        page = plain(web.get(f"/counter/requests/{request.pk}/"))
        assert "金额超过 200 元，须由全校主管复核" in page
        assert "同意并办理" not in page

    def test_an_unknown_kind_is_shown_bare_and_not_hidden(self, web):
        wang = desk.operator("wang", CLERK)
        ask = Ask(uuid.uuid4(), "new.kind", {"什么": "<b>x</b>"}, "理由")
        moment = timezone.now()
        request = approvals.propose(ask, hand=desk.hand(wang, now=moment), now=moment, policy=Policy())
        page = text_of(web.get(f"/counter/requests/{request.pk}/"))
        assert "&lt;b&gt;x&lt;/b&gt;" in page
        assert "<b>x</b>" not in page


class TestOperators:
    """A01: hired by two, given what they sign in with by two, out at once."""

    def new(self, web: Client, **fields):
        typed = {"username": "zhao", "name": "赵敏", "role": "clerk", "campus": "yushan", "reason": "新同事"}
        page = text_of(web.get("/counter/operators/new/"))
        return web.post("/counter/operators/new/", {"key": hidden(page, "key")} | typed | fields)

    def test_from_the_form_to_the_first_sign_in(self, an, bo):
        mine, other = browser_of(an), browser_of(bo)
        asked = self.new(mine).url
        request = Request.objects.get()
        other.post(f"{asked}agree/", {"digest": bytes(request.content_hash).hex()})
        zhao = Operator.objects.get(username="zhao")
        page = f"/counter/operators/{zhao.pk}/"

        password = re.search(r'given">([a-z0-9-]{23})<', text_of(other.post(f"{page}password/")))[1]
        refused = other.post(f"{page}authenticator/")
        given = plain(mine.post(f"{page}authenticator/"))

        zhao.refresh_from_db()
        assert zhao.check_password(password)
        assert refused.status_code == 409
        assert "同一位管理员不能既发密码又发验证器" in plain(refused)
        assert re.search(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", given)
        assert "no-store" in mine.post(f"{page}authenticator/")["Cache-Control"]
        assert plain(mine.get(page)).count("未发") == 0

    @pytest.mark.parametrize(
        ("field", "text", "message"),
        [
            ("username", "", "必填"),
            ("username", "z", "只能用 2 至 64 个半角"),
            ("username", "赵敏", "只能用 2 至 64 个半角"),
            ("username", "zhao\n", "只能用 2 至 64 个半角"),
            ("username", "ｚｈａｏ", "只能用 2 至 64 个半角"),
            ("username", "a" * 65, "只能用 2 至 64 个半角"),
            ("name", "赵\u202e敏", "不能"),
            ("name", "赵\x00敏", ""),
            ("name", "赵" * 31, "30"),
            ("role", "king", ""),
            ("campus", "nowhere", ""),
            ("school_no", "10086", "不是帐号"),
            ("school_no", "20209999999", "没有这个学号或工号"),
            ("reason", "  ", ""),
            ("key", "x", "页面已过期"),
        ],
    )
    def test_bad_input_asks_nobody(self, an, field, text, message):
        answer = self.new(browser_of(an), **{field: text})
        assert answer.status_code in (400, 409)
        assert message in plain(answer)
        assert not Request.objects.exists()

    def test_with_a_given_password_only_that_page_opens(self, an):
        person = desk.operator("zhao", CLERK)
        web = browser_of(person)
        Operator.objects.filter(pk=person.pk).update(must_change_password=True, is_staff=True)
        for page in ("/counter/cases/", "/counter/", "/counter/me/", "/counter/decisions/"):
            assert web.get(page).url == "/counter/me/password/"
        assert "login" in web.get("/admin/").url
        assert "请先设自己的密码" in plain(web.get("/counter/me/password/"))
        assert web.post("/counter/extend/").status_code == 200

    def test_choosing_an_own_one_keeps_this_session(self, places):
        person = desk.operator("zhao", CLERK)
        web = browser_of(person)
        person.set_password("given by somebody")
        person.must_change_password = True
        person.save()
        session = web.session
        session[HASH_SESSION_KEY] = person.get_session_auth_hash()
        session.save()
        fields = {"old": "given by somebody", "new": "a quiet green river", "again": "a quiet green river"}

        differs = web.post("/counter/me/password/", fields | {"again": "a quiet green rivet"})
        changed = web.post("/counter/me/password/", fields)

        assert differs.status_code == 400
        assert "a quiet green river" not in text_of(differs)
        assert changed.url == "/counter/me/"
        assert web.get("/counter/me/").status_code == 200

    def test_a_live_session_dies_with_its_operator(self, an, bo):
        """E10: at the next request, wherever it is, though he is let in again a moment later."""
        person = desk.operator("zhao", CLERK)
        web = browser_of(person)
        key = web.session.session_key
        StaffSession.objects.create(
            operator=person, session_key=key, began_at=timezone.now(), place="10.0.0.9"
        )
        assert web.get("/counter/cases/").status_code == 200

        answer = browser_of(an).post(f"/counter/operators/{person.pk}/disable/", {"reason": "离岗"})
        Operator.objects.filter(pk=person.pk).update(is_active=True)

        assert answer.status_code == 302
        assert not Session.objects.filter(session_key=key).exists()
        assert "login" in web.get("/counter/cases/").url

    def test_nobody_disables_himself_and_step_up_is_asked_for(self, an, bo):
        web = browser_of(an)
        assert web.post(f"/counter/operators/{an.pk}/disable/", {"reason": "x"}).status_code == 409
        old_code(web, 6)
        for deed in ("disable", "password", "authenticator", "end-sessions"):
            answer = web.post(f"/counter/operators/{bo.pk}/{deed}/", {"reason": "x"})
            assert answer.status_code == 403
            assert "请输入动态码" in plain(answer)
        assert self.new(web).status_code == 403
        bo.refresh_from_db()
        assert bo.is_active

    def test_signing_in_is_noted_and_signing_out_ends_it(self, an):
        from accounts.services import sessions

        web = browser_of(an)
        sessions.begin(an.pk, web.session.session_key, place="10.0.0.9", agent="Firefox", now=timezone.now())
        assert "本会话" in plain(web.get("/counter/me/"))
        web.post("/counter/logout/")
        assert StaffSession.objects.get().ended_at is not None


class TestAudit:
    """V06, S6: found by who, what, whom, when and where; nobody sees more than he answers for."""

    @pytest.fixture
    def told(self, places):
        here, there = desk.operator("here", CLERK, "laoshan"), desk.operator("there", CLERK, "yushan")
        book, moment = Book.open(5_00), timezone.now()
        for number in range(60):
            person = here if number % 2 else there
            actor = Actor.operator(person.pk, role="clerk", channel=Channel.COUNTER, place="10.0.0.9")
            deed = audit.Deed("account.change_limit", "account", book.account.pk, {"daily_limit_fen": 50_00},
                              {"daily_limit_fen": 80_00}, f"=第{number}次")  # fmt: skip
            audit.record(deed, actor=actor, now=moment - timedelta(minutes=number // 3))
        return here, there, book

    def test_pages_follow_each_other_without_losing_a_row(self, auditor, told):
        seen, query = [], "?deed=account.change_limit"
        while query:
            page = text_of(auditor.get(f"/counter/audit/{query}"))
            seen.append(re.findall(r'/counter/audit/(\d+)/"', page))
            found = re.search(r'rel="next" href="([^"]+)"', page)
            query = found[1].replace("&amp;", "&") if found else ""
        flat = [int(each) for rows in seen for each in rows]
        assert [len(rows) for rows in seen] == [50, 10]
        wanted = AuditEvent.objects.filter(action="account.change_limit").order_by("-at", "-id")
        assert flat == list(wanted.values_list("pk", flat=True))

    def test_a_supervisor_sees_the_staff_of_his_campus(self, told, web):
        _, there, _ = told
        page = plain(web.get("/counter/audit/"))
        assert "Here" in page
        assert "There" not in page.split("理由 修改日限额", 1)[-1]
        other = AuditEvent.objects.filter(actor=f"operator:{there.pk}").latest("id")
        assert web.get(f"/counter/audit/{other.pk}/").status_code == 404

    @pytest.mark.parametrize(
        ("query", "count"),
        [("number=99999", None), ("since=2026-02-30", None), ("since=2030-01-02&until=2030-01-01", None),
         ("until=2001-01-01", 0), ("since=2001-01-01", 50), ("door=web", 0), ("door=king", None), ("after=x", None),
         ("after=2026-01-01T00:00:00+08:00~0", None), ("who=999999", None), ("deed=drop.table", None),
         ("since=0000-01-01", None), ("since=9999-12-31", None), ("deed=account.change_limit&deed=card.issue", None)],
    )  # fmt: skip
    def test_filters_and_bad_ones(self, auditor, told, query, count):
        answer = auditor.get(f"/counter/audit/?{query}")
        if count is None:
            assert answer.status_code == 400
            assert "没有查询" in plain(answer)
        else:
            assert len(re.findall(r'/counter/audit/\d+/"', text_of(answer))) == count

    def test_by_account_and_in_detail(self, auditor, told):
        _, _, book = told
        page = text_of(auditor.get(f"/counter/audit/?number={book.account.number}"))
        first = re.search(r"/counter/audit/(\d+)/", page)[0]
        detail = plain(auditor.get(first))
        assert f"账户 {book.account.number}" in detail
        assert "日限额 ¥50.00 ¥80.00" in detail

    def test_export_is_guarded_logged_and_asks_for_code_and_reason(self, auditor, told):
        address = "/counter/audit/export/?deed=account.change_limit"
        assert auditor.post(address, {"reason": ""}).status_code == 400
        answer = auditor.post(address, {"reason": "年度检查"})
        rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
        assert len(rows) == 61
        assert all(row[10].startswith("'=第") for row in rows[1:])
        assert rows[1][6] == "修改日限额"
        noted = AuditEvent.objects.get(action="audit.export")
        assert (noted.reason, noted.after) == ("年度检查", {"deed": "account.change_limit"})
        old_code(auditor, 6)
        assert auditor.post(address, {"reason": "年度检查"}).status_code == 403

    @pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\r=1"])
    def test_no_cell_is_a_formula(self, cell):
        assert csv_cell(cell) == f"'{cell}"
        assert csv_cell("张三") == "张三"

    def test_who_looked_at_whom_and_why(self, auditor, web):
        _, case = desk.gap(60_00, held=100_00)
        web.get(f"/counter/cases/{case.pk}/")
        number, account = case.account.number, case.account_id
        for page in ("/counter/accesses/", f"/counter/accounts/{account}/accesses/"):
            shown = plain(auditor.get(page))
            assert "查看他人流水" in shown
            assert f"case {case.pk}" in shown
            assert str(number) in shown
        assert "没有人看过" in plain(auditor.get(f"/counter/accounts/{Book.open().account.pk}/accesses/"))
        assert auditor.get("/counter/accounts/999999/accesses/").status_code == 404

    def test_a_page_asks_the_database_as_often_however_much_there_is(
        self, auditor, told, django_assert_max_num_queries
    ):
        with django_assert_max_num_queries(16):
            auditor.get("/counter/audit/")


class TestAssign:
    """V02: a case is given to somebody who may work on it."""

    def give(self, web: Client, case: Case, person: Operator):
        return web.post(f"/counter/cases/{case.pk}/assign/", {"operator": str(person.pk)})

    def test_given_and_noted(self, web, auditor):
        _, case = desk.gap()
        wang = desk.operator("wang", CLERK)
        for _ in range(2):
            assert self.give(web, case, wang).status_code == 302
        case.refresh_from_db()
        assert case.assignee == wang
        assert CaseNote.objects.get(case=case, kind="assigned").text == "Wang"
        load = plain(auditor.get("/counter/caseload/"))
        assert re.search(r"Wang 崂山\S* ?1 件|Wang \S+ 1 件|Wang 1 件", load)
        assert str(case.account.number) in plain(web.get(f"/counter/cases/?show=all&who={wang.pk}"))
        assert str(case.account.number) not in plain(web.get("/counter/cases/?show=all&who=0"))

    def test_not_to_whom_it_is_about_nor_to_whom_has_no_business_here(self, web):
        book, case = desk.gap()
        own = desk.operator("own", CLERK, holder=book.account.holder)
        gone = desk.operator("gone", CLERK)
        cashier = desk.operator("cashier", OperatorRole.CASHIER)
        Operator.objects.filter(pk=gone.pk).update(is_active=False)
        assert self.give(web, case, own).status_code == 409
        assert self.give(web, case, gone).status_code == 400
        assert self.give(web, case, cashier).status_code == 400
        case.refresh_from_db()
        assert case.assignee is None


@pytest.mark.parametrize(
    "page",
    ["operators/", "operators/new/", "operators/{person}/", "operators/{person}/change/", "me/", "me/password/",
     "decisions/", "requests/{request}/"],
)  # fmt: skip
def test_pages_of_administrators_keep_to_the_house(an, bo, page):
    person = desk.operator("zhao", CLERK)
    browser = browser_of(an)
    fields = {"role": "supervisor", "campus": "laoshan", "reason": "rotation", "key": str(uuid.uuid4())}
    browser_of(bo).post(f"/counter/operators/{person.pk}/change/", fields)
    keeps_to_the_house(browser, page.format(person=person.pk, request=Request.objects.get().pk))


@pytest.mark.parametrize(
    "page", ["audit/", "audit/{event}/", "accesses/", "patterns/", "caseload/", "operators/"]
)
def test_pages_of_lookers_on_keep_to_the_house(auditor, page):
    person, moment = desk.operator("zhao", CLERK), timezone.now()
    actor = Actor.operator(person.pk, role="clerk", channel=Channel.COUNTER)
    audit.record(
        audit.Deed("operator.make", "operator", person.pk, after={"role": "clerk"}), actor=actor, now=moment
    )
    keeps_to_the_house(auditor, page.format(event=AuditEvent.objects.latest("id").pk))


def keeps_to_the_house(web: Client, page: str) -> None:
    """Strict policy, one heading, a caption for every table, a label for every field, both languages."""
    answer = web.get(f"/counter/{page}")
    shown = text_of(answer)
    assert answer.status_code == 200
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", shown)
    assert shown.count("<h1") == shown.count("<main ") == 1
    assert shown.count("<table") == shown.count("<caption")
    for field in re.findall(r'<(?:input|select|textarea)(?![^>]*type="hidden")[^>]*\sid="([^"]+)"', shown):
        assert f'for="{field}"' in shown
    web.post("/i18n/setlang/", {"language": "en", "next": "/counter/"})
    english = plain(web.get(f"/counter/{page}"))
    assert not re.findall(r"[\u4e00-\u9fff]+", re.sub(r"中文|崂山校区|鱼山校区|班次|收银", "", english))
