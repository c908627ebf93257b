"""The desk's pages as a person works with them: queue, case, preview and confirmation, receipt, letter."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Attempt, OperatorRole
from reconciliation.models import CaseNote, Decision
from terminals.models import CardJob, Terminal
from tests.counter.pages import browser_of, filled, hidden, old_code, plain, send, text_of
from tests.counter.test_cases_page import code_of
from tests.reconciliation import desk
from tests.reconciliation.books import NOW, Book
from tests.reconciliation.books import run as reconcile
from transactions.models import Entry


class TestCase:
    """One page tells everything."""

    def test_card_and_book_side_by_side_with_the_arithmetic(self, web):
        _, case = desk.doubled(10_00, 5_40)

        page = plain(web.get(f"/counter/cases/{case.pk}/"))

        assert "余额 ¥33.60 ¥18.20" in page
        assert "差额（卡 − 库） +¥15.40" in page
        assert "退还重复扣款 ¥15.40 2 笔。 之后：库 = 卡 = ¥33.60" in page
        assert "卡高于库，不能按卡修正" in page
        assert page.count("重复扣款") >= 5

    def test_a_gap_is_a_line_of_its_own(self, web):
        _, case = desk.gap(23_40, held=60_00)

        page = plain(web.get(f"/counter/cases/{case.pk}/"))

        assert "缺 #2 推算" in page
        assert "-¥23.40" in page
        assert "按卡修正 ¥23.40" in page

    def test_shows_what_the_holder_is_told(self, web):
        _, case = desk.torn()

        page = plain(web.get(f"/counter/cases/{case.pk}/"))

        assert "卡库相差 ¥1.30" in page
        assert "拿卡过快，卡上尚未扣款 下次刷卡自动补扣 +¥1.30" in page

    def test_small_deeds_leave_notes_and_words(self, web, li):
        _, case = desk.gap()
        base = f"/counter/cases/{case.pk}"
        until = (timezone.localdate() + timedelta(days=2)).isoformat()

        assert web.post(f"{base}/take/").status_code == 302
        assert web.post(f"{base}/remark/", {"reason": "已电话联系 <b>持卡人</b>"}).status_code == 302
        assert web.post(f"{base}/hold/", {"until": until, "reason": "等终端"}).status_code == 302
        assert web.post(f"{base}/escalate/", {"reason": "金额大"}).status_code == 302

        page = text_of(web.get(f"{base}/"))
        assert "经办 Li" in page
        assert "已电话联系 &lt;b&gt;持卡人&lt;/b&gt;" in page
        assert "转上级" in page
        assert CaseNote.objects.filter(case=case, actor=f"operator:{li.pk}").count() == 4

    @pytest.mark.parametrize(
        "reason", ["", "  ", "\u3000", "a\x00b", "\u202etxet", "\ud800", "x" * 301, "\u200b"]
    )
    def test_a_note_that_says_nothing_or_hides_something_is_refused(self, web, reason):
        """Items 44-54."""
        _, case = desk.gap()
        sent = reason.encode("utf-8", "surrogatepass")

        answer = web.post(f"/counter/cases/{case.pk}/remark/", {"reason": sent})

        assert answer.status_code == 400
        assert not CaseNote.objects.exists()

    @pytest.mark.parametrize(
        "until", ["", "2026-02-30", "2026-13-01", "0000-01-01", "9999-99-99", "明天", "2026-1-1"]
    )
    def test_a_day_that_is_none_is_refused(self, web, until):
        _, case = desk.gap()

        answer = web.post(f"/counter/cases/{case.pk}/hold/", {"until": until, "reason": "等"})

        assert answer.status_code == 400
        assert "请填写日期" in text_of(answer)

    def test_nobody_works_on_his_own_account(self, db):
        book, case = desk.gap()
        me = desk.operator("me", OperatorRole.SUPERVISOR, holder=book.account.holder)
        web = browser_of(me)

        page = text_of(web.get(f"/counter/cases/{case.pk}/"))

        assert "这是您本人的账户，请由同事办理" in page
        assert "/decide/" not in page
        assert web.post(f"/counter/cases/{case.pk}/take/").status_code == 409
        assert web.get(f"/counter/cases/{case.pk}/decide/set_to_card/").status_code == 409

    def test_the_auditor_sees_everything_and_no_button(self, db):
        _, case = desk.gap()
        web = browser_of(desk.operator("audit", OperatorRole.AUDITOR, at=None))

        page = text_of(web.get(f"/counter/cases/{case.pk}/"))

        assert "缺 #2" in page
        forms = re.findall(r'<form[^>]*action="([^"]+)"', page)
        assert set(forms) == {"/i18n/setlang/", "/counter/logout/"}

    @pytest.mark.parametrize("number", ["0", "999999", "9" * 30])
    def test_a_case_that_is_not_there(self, web, number):
        assert web.get(f"/counter/cases/{number}/").status_code == 404
        assert web.get(f"/counter/decisions/{number}/").status_code == 404


class TestDeciding:
    """Preview, one confirmation, once."""

    def test_from_the_preview_to_the_receipt(self, web):
        book, case = desk.doubled(10_00)
        preview = plain(web.get(f"/counter/cases/{case.pk}/decide/refund/"))
        assert "之前 ¥39.00 ¥29.00" in preview
        assert "之后 ¥39.00 ¥39.00" in preview

        done = send(web, case, "refund", filled(web, case, "refund"))

        receipt = plain(web.get(done.url))
        assert book.fresh().book_fen == 39_00
        assert "已执行" in receipt
        assert f"流水号 {book.account.number}/{Entry.objects.latest('id').seq}" in receipt

    def test_double_click_and_resend_give_the_first_result(self, web):
        book, case = desk.doubled(10_00)
        form = filled(web, case, "refund")

        first, second = send(web, case, "refund", form), send(web, case, "refund", form)

        assert first.url == second.url
        assert Decision.objects.count() == 1
        assert book.fresh().book_fen == 39_00

    def test_what_changed_since_the_preview_is_shown_anew(self, web):
        book, case = desk.gap()
        form = filled(web, case, "set_to_card")
        book.pay_offline(1_00)

        answer = send(web, case, "set_to_card", form)

        assert answer.status_code == 409
        assert "卡、库或流水已变化，请重新核对" in text_of(answer)
        assert "¥11.00" in text_of(answer)
        assert "按流水核对" in text_of(answer)
        assert book.fresh().book_fen == 49_00

    @pytest.mark.parametrize(
        "broken",
        [
            {"reason": ""}, {"reason": "\u202e"}, {"reason": "x" * 301}, {"key": ""}, {"key": "x" * 300},
            {"key": "123"}, {"digest": ""}, {"digest": "zz"}, {"digest": "0" * 63}, {"key": ["a", "b"]},
            {"digest": "０" * 64},
        ],
    )  # fmt: skip
    def test_a_broken_form_moves_nothing(self, web, broken):
        """Items 66, 67: keys missing, empty, too long; every field once."""
        book, case = desk.gap()

        answer = send(web, case, "set_to_card", filled(web, case, "set_to_card") | broken)

        assert answer.status_code == 400
        assert not Decision.objects.exists()
        assert book.fresh().book_fen == 49_00

    def test_a_key_used_for_something_else_is_refused(self, web):
        _, case = desk.gap()
        _, other = desk.gap()
        form = filled(web, case, "set_to_card")
        send(web, case, "set_to_card", form)

        answer = send(web, other, "set_to_card", filled(web, other, "set_to_card", key=form["key"]))

        assert answer.status_code == 409
        assert Decision.objects.count() == 1

    @pytest.mark.parametrize("action", ["level", "drop", "SET_TO_CARD", "refund2"])
    def test_only_what_is_offered(self, web, action):
        _, case = desk.gap()

        assert web.get(f"/counter/cases/{case.pk}/decide/{action}/").status_code == 404

    @pytest.mark.parametrize("entry", ["x", "-1", "0", "1.0", "９", "99999999999"])
    def test_an_entry_that_is_none(self, web, entry):
        _, case = desk.torn()

        assert web.get(f"/counter/cases/{case.pk}/decide/reverse/", {"entry": entry}).status_code == 404

    def test_a_torn_sale_is_reversed_from_its_line(self, web):
        book, case = desk.torn()
        page = text_of(web.get(f"/counter/cases/{case.pk}/"))
        query = re.search(r"decide/reverse/(\?entry=\d+)", page)[1]

        done = send(web, case, "reverse", filled(web, case, "reverse", query), query)

        assert done.status_code == 302
        assert book.fresh().unclaimed_fen == 1_30

    def test_what_is_impossible_is_said_on_the_case_s_page(self, web):
        _, case = desk.torn()

        answer = web.get(f"/counter/cases/{case.pk}/decide/set_to_card/")

        assert answer.status_code == 409
        assert "卡高于库，不能按卡修正" in text_of(answer)

    def test_an_old_code_is_asked_for_again(self, web, li):
        book, case = desk.gap()
        device = TOTPDevice.objects.get(user=li)
        old_code(web, 6)
        form = filled(web, case, "set_to_card")
        assert 'name="otp_token"' in text_of(web.get(f"/counter/cases/{case.pk}/decide/set_to_card/"))

        without = send(web, case, "set_to_card", form)
        wrong = send(web, case, "set_to_card", form | {"otp_token": "000000"})
        TOTPDevice.objects.filter(pk=device.pk).update(
            throttling_failure_count=0, throttling_failure_timestamp=None
        )
        right = send(web, case, "set_to_card", form | {"otp_token": code_of(li)})

        assert [without.status_code, wrong.status_code, right.status_code] == [403, 403, 302]
        assert "请输入动态码" in text_of(without)
        assert book.fresh().book_fen == 39_00

    def test_guessing_the_code_is_counted_like_a_password(self, web, li):
        book, case = desk.gap()
        old_code(web, 6)
        form = filled(web, case, "set_to_card") | {"otp_token": "000000"}

        answers = [send(web, case, "set_to_card", form) for _ in range(6)]

        assert {answer.status_code for answer in answers} == {403}
        assert Attempt.objects.get(budget="remote").failures == 5
        assert "尝试次数过多" in text_of(answers[-1])
        assert book.fresh().book_fen == 49_00

    def test_the_code_need_not_be_typed_twice_within_five_minutes(self, web):
        _, case = desk.gap()
        old_code(web, 4)

        assert 'name="otp_token"' not in text_of(web.get(f"/counter/cases/{case.pk}/decide/set_to_card/"))


class TestTwoPeople:
    """A second person sees what the first one saw, and says yes or no."""

    @pytest.fixture
    def waiting(self, web):
        book, case = desk.gap(60_00, held=100_00)
        done = send(web, case, "set_to_card", filled(web, case, "set_to_card"))
        return book, case, done.url

    def test_waits_for_somebody_else(self, web, waiting):
        book, case, address = waiting

        page = plain(web.get(address))

        assert "等待复核" in page
        assert "同意并执行" not in page
        assert "等待第二人复核" in plain(web.get(f"/counter/cases/{case.pk}/"))
        assert book.fresh().book_fen == 99_00

    def test_somebody_else_agrees_and_it_is_done(self, waiting):
        book, _, address = waiting
        other = browser_of(desk.operator("wu", OperatorRole.SUPERVISOR))
        assert "等您复核" in text_of(other.get("/counter/decisions/"))
        page = text_of(other.get(address))

        done = other.post(f"{address}approve/", {"digest": hidden(page, "digest")})
        again = other.post(f"{address}approve/", {"digest": hidden(page, "digest")})

        assert (done.status_code, again.status_code) == (302, 302)
        assert book.fresh().book_fen == 39_00
        assert "已执行" in text_of(other.get(address))

    def test_nobody_agrees_with_himself(self, web, waiting):
        _, _, address = waiting
        decision = Decision.objects.get()

        answer = web.post(f"{address}approve/", {"digest": bytes(decision.content_hash).hex()})

        assert answer.status_code == 409
        assert "提出人不能自己复核" in text_of(answer)

    def test_sent_back_with_a_reason(self, waiting):
        _, _, address = waiting
        other = browser_of(desk.operator("wu", OperatorRole.SUPERVISOR))

        assert other.post(f"{address}refuse/", {"reason": ""}).status_code == 400
        assert other.post(f"{address}refuse/", {"reason": "金额请再核"}).status_code == 302

        page = plain(other.get(address))
        assert "已退回" in page
        assert "金额请再核" in page

    def test_taken_back_by_the_one_who_asked(self, web, waiting):
        _, _, address = waiting

        assert web.post(f"{address}withdraw/").status_code == 302
        assert "已撤回" in text_of(web.get(address))

    def test_a_case_that_was_settled_meanwhile_is_not_settled_twice(self, waiting):
        book, _, address = waiting
        book.pay_offline(1)
        other = browser_of(desk.operator("wu", OperatorRole.SUPERVISOR))

        other.post(f"{address}approve/", {"digest": hidden(text_of(other.get(address)), "digest")})

        assert "未执行，卡与库都没有变" in text_of(other.get(address))
        assert book.fresh().book_fen == 99_00


class TestReader:
    """The card on the desk's reader: a job for set-to-book, a fresh look for unfreeze."""

    def at_desk(self, web: Client) -> Terminal:
        terminal = desk.desk_terminal()
        web.post("/counter/desk/", {"desk": terminal.pk, "next": "/counter/cases/"})
        return terminal

    def test_set_to_book_orders_a_job_and_shows_it(self, web):
        _, case = desk.torn()
        terminal = self.at_desk(web)

        done = send(web, case, "set_to_book", filled(web, case, "set_to_book"))

        job = CardJob.objects.get()
        assert (job.kind, job.desk_id) == ("set", terminal.pk)
        assert str(job.pk) in text_of(web.get(done.url))

    def test_without_a_desk_nothing_is_ordered(self, web):
        _, case = desk.torn()

        answer = send(web, case, "set_to_book", filled(web, case, "set_to_book"))

        assert answer.status_code == 409
        assert "请把该卡放在本柜台读卡器上" in text_of(answer)
        assert not CardJob.objects.exists()

    def test_unfreezes_with_the_card_on_the_reader(self, web):
        book = Book.open(20_00)
        desk.freeze(book, "card_above_book")
        case = desk.open_case(book, "TORN", state="closed", closed_at=NOW + timedelta(hours=1))
        terminal = self.at_desk(web)
        form = filled(web, case, "unfreeze")
        assert send(web, case, "unfreeze", form).status_code == 409

        desk.read_on(terminal, book, now=timezone.now())
        done = send(web, case, "unfreeze", form)

        assert done.status_code == 302
        assert book.fresh().frozen_reasons == []


class TestLetter:
    """What the holder is given: the lines, the arithmetic, what was done; in both languages."""

    @pytest.fixture
    def settled(self, web, li):
        book, case = desk.doubled(10_00, 5_40)
        send(web, case, "refund", filled(web, case, "refund", reason="核对 07 号机流水"))
        return book, case

    def test_in_chinese(self, web, settled):
        book, case = settled

        page = plain(web.get(f"/counter/cases/{case.pk}/letter/"))

        assert f"帐号 {book.account.number}" in page
        assert page.count("曾扣两次，多扣的一次已退还") == 2
        assert "账户余额，之前 ¥18.20 退还多扣的钱 +¥15.40 账户余额，之后 ¥33.60" in page
        assert "核对 07 号机流水" in page
        assert book.account.holder.name not in page

    def test_in_english(self, web, settled):
        _, case = settled
        web.post("/i18n/setlang/", {"language": "en", "next": "/counter/"})

        page = plain(web.get(f"/counter/cases/{case.pk}/letter/"))

        assert "About your campus card account" in page
        assert "Refund of what was taken twice" in page
        left = re.sub(r"中文|核对 07 号机流水|学苑餐厅|王\*", "", page)
        assert not re.findall(r"[\u4e00-\u9fff]+", left)


@pytest.mark.parametrize(
    "page",
    ["", "cases/", "cases/{case}/", "cases/{case}/letter/", "decisions/", "cases/{case}/decide/refund/"],
)
def test_every_page_keeps_to_the_house(web, page):
    """Strict policy, one heading, a caption for every table, a label for every field, both languages."""
    _, case = desk.doubled(10_00)
    reconcile(now=timezone.now())
    address = f"/counter/{page.format(case=case.pk)}"

    shown = text_of(web.get(address, follow=True))
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", shown)
    assert shown.count("<h1") == shown.count("<main ") == 1
    assert shown.count("<table") == shown.count("<caption")
    for field in re.findall(r'<(?:input|select|textarea)(?![^>]*type="hidden")[^>]*\sid="([^"]+)"', shown):
        assert f'for="{field}"' in shown
    web.post("/i18n/setlang/", {"language": "en", "next": "/counter/"})
    english = plain(web.get(address, follow=True))
    assert not re.findall(r"[\u4e00-\u9fff]+", re.sub(r"中文|学苑餐厅|王\*|\d+号机", "", english))


def test_staying_is_possible_until_the_ten_hours_are_over(web):
    answer = web.post("/counter/extend/")

    assert 890 < answer.json()["seconds"] <= 900


@pytest.mark.parametrize(("page", "most"), [("cases/", 24), ("cases/{case}/", 44), ("decisions/", 15)])
def test_a_page_asks_the_database_as_often_however_much_there_is(
    web, django_assert_max_num_queries, page, most
):
    """Thirty cases or sixty movements cost no more statements than one."""
    for _ in range(8):
        _, case = desk.doubled(1_00, 2_00, 3_00, 4_00, 5_00, 6_00)
    address = f"/counter/{page.format(case=case.pk)}"
    web.get(address)

    with django_assert_max_num_queries(most):
        assert web.get(address).status_code == 200
