"""The desk's pages of disputes: the list by promised day, one file, the refund, opening one for a holder."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, OperatorRole
from accounts.options import Options
from reconciliation.kinds import DisputeKind
from reconciliation.models import Case, Decision, DecisionResult, Dispute, DisputeEvent, Ruling
from reconciliation.services.disputes import open_dispute
from tests.care import charged, claim_of, disputed, holder_of
from tests.counter.pages import browser_of, hidden, old_code, plain, text_of
from tests.counter.test_care_disputes import course, told
from tests.reconciliation import desk


@pytest.fixture
def person(db):
    return charged(5_50, 5_50)


@pytest.fixture
def dispute(person):
    return disputed(person, 3)


def test_the_list_has_the_most_urgent_first_and_the_overdue_in_red(web, person):
    urgent, late = charged(2_00), charged(3_00)
    disputed(person, 3)
    for who, days in ((urgent, 9), (late, 30)):
        then = timezone.now() - timedelta(days=days)
        claim = claim_of(
            who, None, kind=DisputeKind.TOP_UP_MISSING, fen=50_00, happened_on=timezone.localdate(then)
        )
        open_dispute(claim, actor=holder_of(who), now=then, options=Options())

    page = text_of(web.get("/counter/disputes/"))

    numbers = re.findall(r'class="row-link"[^>]*>[^<]*<span class="num">(\d+)', page)
    assert numbers == [str(each.account.number) for each in (late, urgent, person)]
    assert page.count("due-late") == 1
    assert "已超期 1 件" in page
    assert text_of(web.get("/counter/disputes/?show=overdue")).count("row-link") == 1


@pytest.mark.parametrize(
    "query",
    ["show=none", "kind=theft", "campus=mars", "after=1", "after=2026-13-01_5", "show=open&show=mine"],
)
def test_a_wrong_filter_is_refused_in_words(web, query):
    answer = web.get(f"/counter/disputes/?{query}")

    assert answer.status_code == 400
    assert "没有查询" in text_of(answer)


def test_the_file_shows_the_twin_the_till_s_minute_and_the_holder_s_history(web, person, dispute):
    neighbour = charged(7_70)
    other = disputed(person, 2)

    page = plain(web.get(f"/counter/disputes/{dispute.pk}/"))

    assert "很像的另一笔" in page
    assert "这台终端前后两分钟" in page
    assert "-¥7.70" in page
    assert neighbour.account.holder.school_no not in page
    assert "该持卡人的其他争议" in page
    assert web.get(f"/counter/disputes/{other.pk}/").status_code == 200
    assert (
        AuditEvent.objects.filter(action="statement.read", reason=f"dispute {dispute.reference}").count() == 1
    )


def test_from_the_list_to_the_receipt_with_the_money_shown_before(web, person, dispute):
    page = text_of(web.get(f"/counter/disputes/{dispute.pk}/refund/"))
    assert "退到待领" in page
    form = {"key": hidden(page, "key"), "digest": hidden(page, "digest"), "reason": "核对流水，确系重复"}

    first = web.post(f"/counter/disputes/{dispute.pk}/refund/", form)
    second = web.post(f"/counter/disputes/{dispute.pk}/refund/", form)

    assert first.status_code == second.status_code == 302
    assert first.url == second.url == f"/counter/decisions/{Decision.objects.get().pk}/"
    assert DecisionResult.objects.get().done
    assert person.fresh().unclaimed_fen == 5_50
    assert "已退款" in plain(web.get(f"/counter/disputes/{dispute.pk}/"))


@pytest.mark.parametrize("fen", [5_50, 80_00], ids=["done", "waits"])
def test_its_decision_its_case_and_the_queue_know_a_dispute(web, fen):
    """The pages of differences meet a case that is none: they show it and offer what is possible."""
    person = charged(fen, fen, held=300_00)
    dispute = disputed(person, 3)
    page = text_of(web.get(f"/counter/disputes/{dispute.pk}/refund/"))
    form = {"key": hidden(page, "key"), "digest": hidden(page, "digest"), "reason": "核对"}
    receipt = web.post(f"/counter/disputes/{dispute.pk}/refund/", form).url
    case = Case.objects.get(mismatch="DISPUTE")

    for path in (
        receipt,
        "/counter/decisions/",
        f"/counter/cases/{case.pk}/",
        f"/counter/cases/{case.pk}/letter/",
    ):
        assert web.get(path).status_code == 200, path
    assert "冲正消费" in plain(web.get(receipt))
    assert web.get("/counter/cases/?mismatch=DISPUTE&show=all").status_code == 200


@pytest.mark.parametrize(
    ("field", "typed", "status"),
    [
        ("reason", "", 409),
        ("reason", "长" * 301, 400),
        ("digest", "00", 400),
        ("key", "x", 400),
        ("reason", "a\x00", 400),
    ],
)
def test_a_refund_without_its_parts_is_refused(web, person, dispute, field, typed, status):
    page = text_of(web.get(f"/counter/disputes/{dispute.pk}/refund/"))
    form = {"key": hidden(page, "key"), "digest": hidden(page, "digest"), "reason": "核对"} | {field: typed}

    answer = web.post(f"/counter/disputes/{dispute.pk}/refund/", form)

    assert answer.status_code in (status, 400)
    assert person.fresh().unclaimed_fen == 0
    assert not Decision.objects.exists()


def test_an_old_code_is_asked_for_again_before_money(web, person, dispute):
    page = text_of(web.get(f"/counter/disputes/{dispute.pk}/refund/"))
    form = {"key": hidden(page, "key"), "digest": hidden(page, "digest"), "reason": "核对"}
    old_code(web, 6)

    answer = web.post(f"/counter/disputes/{dispute.pk}/refund/", form)

    assert answer.status_code == 403
    assert "请输入动态码" in text_of(answer)
    assert person.fresh().unclaimed_fen == 0


@pytest.mark.parametrize("deed", ["ask", "remark", "settle", "refuse"])
def test_a_button_pressed_twice_is_one_event(web, dispute, deed):
    form = {"key": str(uuid.uuid4()), "reason": "请看说明"}

    for _ in range(2):
        assert web.post(f"/counter/disputes/{dispute.pk}/{deed}/", form).status_code == 302

    assert DisputeEvent.objects.count() == 2


@pytest.mark.parametrize("text", ["", "a\u202eb", "长" * 301, "😡", "a\u200bb"])
def test_bad_words_are_said_at_the_field_and_kept_to_correct(web, dispute, text):
    answer = web.post(f"/counter/disputes/{dispute.pk}/refuse/", {"key": str(uuid.uuid4()), "reason": text})

    assert answer.status_code in (400, 409)
    assert course(dispute) == ["opened"]


def test_for_a_holder_at_the_desk_with_his_document(web, person, li):
    """指南 L141 in spirit: the document is seen and noted; the holder gets the same dispute and its messages."""
    place = f"/counter/accounts/{person.account.pk}/dispute/"
    assert "登记争议：是哪一笔？" in text_of(web.get(place))
    assert AuditEvent.objects.filter(action="statement.read").count() == 1
    page = text_of(web.get(f"{place}?entry=3"))
    form = {
        "key": hidden(page, "key"), "kind": "double", "text": "刷了一次", "paper": "resident", "tail": "1234",
    }  # fmt: skip

    for _ in range(2):
        answer = web.post(f"{place}?entry=3", form)
        assert answer.status_code == 302, plain(answer)

    dispute = Dispute.objects.get()
    assert (dispute.channel, dispute.twin_seq) == ("counter", 2)
    assert dispute.document.startswith("resident")
    assert told(person.account.pk) == ["dispute_opened"]
    assert DisputeEvent.objects.get().actor == f"operator:{li.pk}"


def test_without_a_document_no_dispute_is_opened_at_the_desk(web, person):
    place = f"/counter/accounts/{person.account.pk}/dispute/?entry=3"
    form = {"key": str(uuid.uuid4()), "kind": "double", "text": "刷了一次"}

    for extra in ({}, {"paper": "resident", "tail": "12"}, {"paper": "library", "tail": "1234"}):
        assert web.post(place, form | extra).status_code == 400
    assert not Dispute.objects.exists()


@pytest.mark.parametrize("query", ["entry=99", "entry=x", "entry=0", "entry=4294967299", ""])
def test_a_line_that_is_not_there_cannot_be_disputed(web, person, query):
    assert web.post(f"/counter/accounts/{person.account.pk}/dispute/?{query}").status_code == 404


@pytest.mark.parametrize(
    ("path", "most"), [("", 22), ("{id}/", 34), ("{id}/refund/", 32)], ids=["list", "file", "refund"]
)
def test_a_page_needs_the_same_few_statements_for_many_disputes(
    web, person, dispute, django_assert_max_num_queries, path, most
):
    for _ in range(4):
        disputed(charged(1_00), 2)
    web.get(f"/counter/disputes/{path.format(id=dispute.pk)}")

    with django_assert_max_num_queries(most):
        assert web.get(f"/counter/disputes/{path.format(id=dispute.pk)}").status_code == 200


def test_a_colleague_in_another_place_sees_the_same_file(dispute):
    there = browser_of(desk.operator("there", OperatorRole.CLERK, "yushan"))

    assert there.get(f"/counter/disputes/{dispute.pk}/").status_code == 200
    assert dispute.reference not in text_of(there.get("/counter/disputes/"))
    assert "row-link" in text_of(there.get("/counter/disputes/?campus=all"))
    assert not Ruling.objects.exists()
