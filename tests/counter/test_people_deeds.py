"""Loss, un-loss, freeze and limit at the counter: each once, on the strength of a document, with a receipt."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.actors import Actor, AtCounter, Channel
from accounts.models import AuditEvent, CounterDeed, LossReport, OperatorRole, PolicyChange, Request
from accounts.papers import PaperKind
from accounts.services import served
from accounts.wiring import forget_policy
from tests.counter import people
from tests.counter.pages import browser_of, hidden, plain, text_of
from tests.reconciliation import desk
from tests.reconciliation.books import campus

pytestmark = pytest.mark.django_db


@pytest.fixture
def feng(db):
    return people.clerk()


@pytest.fixture
def web(feng):
    return browser_of(feng)


class TestLoss:
    """指南 L141: 持有效证件到管理中心挂失."""

    def test_a_document_a_reference_number_and_a_receipt(self, web):
        book = people.comes()

        answer = people.do(web, "loss", book)

        report = LossReport.objects.get(account=book.account)
        assert book.fresh_card().lost
        shown = plain(web.get(answer.url))
        assert report.reference in shown
        assert "挂失已办理" in shown
        assert "末四位与登记相符" in shown

    def test_no_identity_digits_stay_in_audit_or_receipt(self, web):
        """The last six digits are the initial password (L131): the four that were typed are compared and forgotten."""
        book = people.comes()
        tail = people.id_number(book)[-4:]

        people.do(web, "loss", book)

        deed = CounterDeed.objects.get(account=book.account)
        rows = [str(row) for row in AuditEvent.objects.values_list("after", "before", "reason")]
        assert (deed.document, deed.document_check) == ("resident", "agrees")
        assert not any(tail in row for row in rows)
        assert tail not in str(deed.facts)

    @pytest.mark.parametrize(
        ("paper", "tail"),
        [("resident", "0000"), ("passport", "right"), ("resident", ""), ("", "right"), ("resident", "１２３４"),
         ("resident", "12345"), ("work_permit", "1234"), ("resident", "12\x004")],
    )  # fmt: skip
    def test_a_document_that_does_not_agree_or_is_none_changes_nothing(self, web, paper, tail):
        book = people.comes()
        fields = people.form_of(web, "loss", book)
        fields |= {"paper": paper, "tail": fields["tail"] if tail == "right" else tail}

        answer = web.post(people.page("loss", book), fields)

        assert answer.status_code in (400, 409)
        assert not book.fresh_card().lost
        assert not CounterDeed.objects.exists()

    def test_trying_digits_shows_in_the_audit(self, web):
        book = people.comes()

        people.do(web, "loss", book, tail="0000")

        assert AuditEvent.objects.filter(action="document.differs").count() == 1

    def test_a_double_click_reports_once(self, web):
        book = people.comes()
        fields = people.form_of(web, "loss", book)

        first, second = (web.post(people.page("loss", book), fields) for _ in range(2))

        assert first.url == second.url
        assert LossReport.objects.count() == CounterDeed.objects.count() == 1

    def test_one_key_is_one_deed(self, web):
        book, other = people.comes(), people.comes()
        fields = people.form_of(web, "loss", book)
        web.post(people.page("loss", book), fields)

        answer = people.do(web, "loss", other, key=fields["key"])

        assert answer.status_code == 409
        assert "页面已用过" in plain(answer)
        assert not other.fresh_card().lost

    def test_nobody_serves_himself(self, db):
        book = people.comes()
        own = browser_of(people.clerk("own", holder=book.fresh().holder))

        shown = plain(own.get(people.page("loss", book)))
        answer = own.post(
            people.page("loss", book),
            {"key": str(uuid.uuid4()), "paper": "resident", "tail": people.id_number(book)[-4:]},
        )

        assert "不能处理自己的账户" in shown
        assert answer.status_code == 409
        assert not book.fresh_card().lost

    def test_any_desk_serves_any_holder(self, web):
        """C14, R058."""
        book = people.comes(at="yushan")

        people.do(web, "loss", book)

        assert book.fresh_card().lost


class TestUnLoss:
    """指南 L145: 解挂须本人持证件和卡到管理中心; 该卡须在读卡器上."""

    @pytest.fixture
    def lost(self, web):
        book = people.comes()
        people.do(web, "loss", book)
        return book

    def test_the_button_waits_for_that_very_card(self, web, lost):
        at = people.at_desk(web)
        other = people.comes()
        people.lies_on(at, other)
        before = text_of(web.get(people.page("un-loss", lost)))
        people.lies_on(at, lost, ago=timedelta(seconds=1))
        after = text_of(web.get(people.page("un-loss", lost)))

        assert 'button-off" disabled' in before
        assert 'button-off" disabled' not in after

    def test_document_and_card_take_it_back(self, web, lost):
        people.lies_on(people.at_desk(web), lost)

        answer = people.do(web, "un-loss", lost)

        assert "解挂已办理" in plain(web.get(answer.url))
        assert not lost.fresh_card().lost

    @pytest.mark.parametrize("trick", ["no desk", "no card", "another card", "too long ago", "another desk"])
    def test_a_post_without_the_card_changes_nothing(self, web, lost, trick):
        fields = people.form_of(web, "un-loss", lost)
        if trick != "no desk":
            at = people.at_desk(web)
            if trick == "another card":
                people.lies_on(at, lost, ago=timedelta(seconds=9))
                people.lies_on(at, people.comes())
            elif trick == "too long ago":
                people.lies_on(at, lost, ago=timedelta(seconds=121))
            elif trick == "another desk":
                people.lies_on(desk.desk_terminal("yushan"), lost)

        answer = web.post(people.page("un-loss", lost), fields)

        assert answer.status_code == 409
        assert "请将该卡放在读卡器上" in plain(answer)
        assert lost.fresh_card().lost

    def test_never_clears_a_freeze(self, web, lost):
        """Reading A8."""
        desk.freeze(lost, "by_hand")
        people.lies_on(people.at_desk(web), lost)

        people.do(web, "un-loss", lost)

        assert lost.fresh().frozen_reasons == ["by_hand"]
        assert not lost.fresh_card().lost


class TestFreeze:
    """Requirements 3.2: supervisor with a reason, clerk too; lifted only through the desk of cases."""

    def test_with_a_reason(self, web):
        book = people.comes()

        answer = people.do(web, "freeze", book, reason="疑似盗用")

        assert book.fresh().frozen_reasons == ["by_hand"]
        assert "疑似盗用" in plain(web.get(answer.url))
        assert AuditEvent.objects.get(action="account.freeze").reason == "疑似盗用"

    @pytest.mark.parametrize("reason", ["", "   ", "\u200b", "x" * 301, "a\u202eb"])
    def test_not_without_one(self, web, reason):
        book = people.comes()

        answer = people.do(web, "freeze", book, reason=reason)

        assert answer.status_code == 400
        assert book.fresh().frozen_reasons == []

    def test_twice_is_said(self, web):
        book = people.comes()
        people.do(web, "freeze", book, reason="一")
        assert "已经冻结" in plain(web.get(people.page("freeze", book)))

        answer = web.post(people.page("freeze", book), {"key": str(uuid.uuid4()), "reason": "二"})

        assert answer.status_code == 409


class TestLimit:
    """指南 L157: 默认 50 元，可到管理中心修改; 0 至 600 (A12)."""

    @pytest.mark.parametrize(
        ("typed", "fen"),
        [("0", 0), ("0.00", 0), ("600", 600_00), ("600.00", 600_00), ("12.5", 12_50), ("１２", 12_00)],
    )
    def test_from_nothing_to_six_hundred(self, web, typed, fen):
        book = people.comes()

        answer = people.do(web, "limit", book, limit=typed)

        assert book.fresh().daily_limit_fen == fen
        assert CounterDeed.objects.get().facts == {"before_fen": 50_00, "after_fen": fen}
        assert "修改日限额已办理" in plain(web.get(answer.url))

    @pytest.mark.parametrize(
        "typed",
        [
            "",
            "-1",
            "600.01",
            "601",
            "0.001",
            "1e2",
            "1_0",
            "+5",
            "0x10",
            "NaN",
            "1,000",
            "٣",
            "½",
            "1" * 400,
            "12\x00",
        ],
    )
    def test_nothing_else(self, web, typed):
        """reliability.md section 7, rows 1-14 and 20."""
        book = people.comes()

        answer = people.do(web, "limit", book, limit=typed)

        assert answer.status_code in (400, 409)
        assert book.fresh().daily_limit_fen == 50_00
        assert not CounterDeed.objects.exists()

    def test_not_while_frozen(self, web):
        book = people.comes()
        fields = people.form_of(web, "limit", book, limit="100")
        desk.freeze(book, "by_hand")

        assert web.post(people.page("limit", book), fields).status_code == 409
        assert book.fresh().daily_limit_fen == 50_00

    def test_above_the_maximum_a_supervisor_agrees(self, web):
        """V01: with a maximum of 300, 500.00 takes two people."""
        moment = timezone.now() - timedelta(days=2)
        PolicyChange.objects.create(
            name="max_limit_fen", value=300_00, effective_at=moment, set_at=moment - timedelta(days=9),
            set_by="operator:1", agreed_by="operator:2", reason="试行", key=uuid.uuid4(),
        )  # fmt: skip
        forget_policy()
        book = people.comes()

        answer = people.do(web, "limit", book, limit="500.00", reason="科研采购")
        asked = Request.objects.get(kind="limit.above_max")
        li = browser_of(desk.operator("li", OperatorRole.SUPERVISOR))
        shown = text_of(li.get(answer.url))
        agreed = li.post(f"{answer.url}agree/", {"digest": hidden(shown, "digest")})

        assert "¥500.00" in plain(li.get(answer.url))
        assert agreed.status_code == 302, plain(agreed)
        assert book.fresh().daily_limit_fen == 500_00
        assert asked.reason == "科研采购"
        forget_policy()


@pytest.mark.django_db(transaction=True)
def test_the_same_key_from_eight_threads_is_one_deed():
    """A double click and a browser that sends again, at the same moment."""
    campus()
    book = people.comes()
    actor = Actor.operator(people.clerk().pk, role="clerk", channel=Channel.COUNTER)
    door = AtCounter(actor, PaperKind.RESIDENT, document_note="agrees")
    at = served.At(uuid.uuid4(), book.account.pk, door, timezone.now())

    def once(_: int) -> object:
        try:
            return served.report_lost(at).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(once, range(8)))

    assert keys == {at.key}
    assert LossReport.objects.count() == CounterDeed.objects.count() == 1
    assert AuditEvent.objects.filter(action="card.report_lost").count() == 1
