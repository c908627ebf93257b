"""指南 L89: 不能使用的卡到管理中心检查: every finding in words, each with the one safe next step (C08, R043)."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from counter.people.diagnosis import WORDS, Examined, Sign, diagnose, may_write
from terminals.messages.jobs import Trouble
from terminals.models import CardJob, DoorRefusal, Partner
from tests.counter import people
from tests.counter.pages import browser_of, plain
from tests.reconciliation import desk

TODAY = date(2026, 11, 26)
SIDE = {"seq": 14, "total_fen": 0, "slot": 0, "offline_fen": 0, "stop": False}
READ = {
    "uid": "a0000001", "account_id": 7, "number": 10088, "card_id": 3, "issue_no": 1, "life": "active",
    "lost": False, "frozen_reasons": [], "expires_on": "2030-06-30", "book_fen": 28_40, "card_fen": 28_40,
    "difference_fen": 0, "unclaimed_fen": 0, "torn_fen": 0, "unwritten_fen": 0, "offline_fen": 0, "late_fen": 0,
    "spend": SIDE, "load": SIDE, "today_fen": 0, "limit_fen": 50_00, "card_limit_fen": 50_00, "in_doubt": False,
    "finding": None, "refusal": None, "after_fen": None,
}  # fmt: skip


def seen(**told) -> Examined:
    return Examined(True, "", told.get("refusal") or "", READ | told, TODAY, account_id=7)


def unread(
    trouble: str = "", refusal: str = "", *, done: bool = False, broken: dict | None = None
) -> Examined:
    result = {"uid": "a0000001", "account_id": None, "broken": broken or {}} if done or broken else None
    return Examined(done, trouble, refusal, result, TODAY, account_id=7)


@pytest.mark.parametrize(
    ("told", "sign"),
    [
        ({}, Sign.HEALTHY),
        ({"account_id": 8}, Sign.OTHER_ACCOUNT),
        ({"life": "replaced", "refusal": "card_replaced", "lost": True}, Sign.REPLACED),
        ({"life": "returned", "refusal": "card_replaced"}, Sign.REPLACED),
        ({"life": "void", "refusal": "card_replaced"}, Sign.REPLACED),
        ({"refusal": "account_closed"}, Sign.CLOSED),
        ({"lost": True, "refusal": "card_lost"}, Sign.LOST),
        ({"frozen_reasons": ["by_hand"], "refusal": "card_frozen"}, Sign.FROZEN),
        ({"expires_on": "2026-11-25", "refusal": "card_expired"}, Sign.EXPIRED),
        ({"expires_on": "2026-11-26"}, Sign.HEALTHY),
        ({"life": "expired", "refusal": "card_expired"}, Sign.EXPIRED),
        ({"finding": "fork", "refusal": "card_suspect"}, Sign.FORK),
        ({"finding": "rollback", "refusal": "card_suspect"}, Sign.ROLLBACK),
        ({"finding": "excess", "refusal": "card_suspect"}, Sign.EXCESS),
        ({"spend": SIDE | {"seq": 65_535}}, Sign.WORN),
        ({"load": SIDE | {"seq": 65_534}}, Sign.NEARLY_WORN),
        ({"spend": SIDE | {"seq": 60_000}}, Sign.NEARLY_WORN),
        ({"spend": SIDE | {"seq": 59_999}}, Sign.HEALTHY),
        ({"broken": {"spend": 1}}, Sign.COPY_BAD),
        ({"spend": SIDE | {"stop": True}}, Sign.STOP_MARK),
        ({"card_limit_fen": 30_00}, Sign.LIMIT_DIFFERS),
        ({"torn_fen": 1_30, "in_doubt": True}, Sign.TORN),
        ({"unwritten_fen": 50_00}, Sign.UNWRITTEN),
        ({"offline_fen": 10_00}, Sign.OFFLINE_GAP),
        ({"late_fen": 10_00}, Sign.LATE),
        ({"book_fen": -1}, Sign.BOOK_NEGATIVE),
        ({"in_doubt": True}, Sign.IN_DOUBT),
        ({"unclaimed_fen": 20_00}, Sign.UNCLAIMED),
        ({"book_fen": 0, "card_fen": 0}, Sign.EMPTY),
    ],
)
def test_what_was_read_is_told_in_words(told, sign):
    found = diagnose(seen(**told))

    assert found[0].sign is sign
    assert len({each.sign for each in found}) == len(found)


@pytest.mark.parametrize(
    ("examined", "sign"),
    [
        (unread("no_service"), Sign.NO_SERVICE),
        (unread("no_reader"), Sign.NO_READER),
        (unread("several_cards"), Sign.SEVERAL_CARDS),
        (unread("card_gone"), Sign.CARD_GONE),
        (unread("wrong_card"), Sign.OTHER_ACCOUNT),
        (unread("unreadable", "unreadable", done=True), Sign.NO_ANSWER),
        (unread("foreign_card", "foreign_card", done=True), Sign.FOREIGN),
        (unread("", "foreign_card"), Sign.NOT_OURS),
        (unread("", "unreadable"), Sign.BOTH_COPIES_BAD),
        (unread("", "unreadable", broken={"spend": 2}), Sign.BOTH_COPIES_BAD),
        (unread(), Sign.NO_READING),
    ],
)
def test_what_could_not_be_read_is_told_too(examined, sign):
    assert [each.sign for each in diagnose(examined)] == [sign]


def test_every_sign_has_words_and_one_next_step():
    assert set(WORDS) == set(Sign)
    assert all(str(words.what) and str(words.then) for words in WORDS.values())


def test_every_trouble_of_a_reading_is_known():
    """A new word of the desk's agent must not end as 还没有读到卡."""
    of_writing = {"torn", "not_confirmed", "chip_in_use", "chip_void", "journal_broken"}
    for trouble in {each.value for each in Trouble} - of_writing:
        assert diagnose(unread(trouble))[0].sign is not Sign.NO_READING, trouble


@pytest.mark.parametrize(
    ("told", "safe"),
    [
        ({"torn_fen": 1_30}, True),
        ({"broken": {"load": 1}}, True),
        ({"torn_fen": 1_30, "offline_fen": 10_00}, False),
        ({"torn_fen": 1_30, "finding": "fork"}, False),
        ({"torn_fen": 1_30, "frozen_reasons": ["by_hand"]}, False),
        ({"torn_fen": 1_30, "lost": True}, False),
        ({"torn_fen": 1_30, "account_id": 8}, False),
        ({"spend": SIDE | {"seq": 65_535}, "torn_fen": 1}, False),
    ],
)
def test_writing_is_offered_only_where_it_is_safe(told, safe):
    assert may_write(diagnose(seen(**told))) is safe


class TestPage:
    """The findings on the screen, with the way to the next step."""

    pytestmark = pytest.mark.django_db

    def shown(self, book, **told) -> str:
        moment = timezone.now()
        job = CardJob.objects.create(
            id=uuid.uuid4(), kind="read", desk=desk.desk_terminal(), account=book.account, ordered_by="operator:1",
            ordered_role="clerk", ordered_channel="counter", ordered_at=moment, ended_at=moment, state="done",
            expires_at=moment + timedelta(minutes=3), uid="a0000001", refusal=told.get("refusal") or "",
            result=READ | {"account_id": book.account.pk, "number": book.account.number} | told,
        )  # fmt: skip
        self.answer = browser_of(people.clerk()).get(f"/counter/jobs/{job.pk}/diagnosis/")
        return plain(self.answer)

    def test_lost_leads_to_un_loss(self):
        book = people.comes()

        assert "卡片已挂失 核对证件后办理解挂" in self.shown(book, lost=True, refusal="card_lost")
        assert people.page("un-loss", book) in self.answer.content.decode()

    def test_torn_offers_to_write_what_the_card_lacks(self):
        assert "拿卡过快：库已扣款，卡上还没有扣 ¥1.30" in self.shown(people.comes(), torn_fen=1_30)
        assert "补写卡片" in plain(self.answer)

    def test_a_fork_offers_no_writing(self):
        assert "补写卡片" not in self.shown(
            people.comes(), torn_fen=1_30, finding="fork", refusal="card_suspect"
        )
        assert "请留下这张卡" in plain(self.answer)

    def test_a_door_that_stayed_shut_is_told_with_its_reason(self):
        """指南 L111: the desk explains why the library did not let its holder in."""
        book, moment = people.comes(), timezone.now()
        partner = Partner.objects.create(
            name_zh="图书馆系统", contact="技术部", services=["library_gate"], expires_on=moment.date(),
            made_at=moment, turned_at=moment,
        )  # fmt: skip
        DoorRefusal.objects.create(
            partner=partner, account=book.account, service="library_gate", denial="card_frozen", at=moment
        )

        page = self.shown(book)

        assert "七天内没有开的门" in page
        assert "账户已冻结，不能用于身份识别，请到校园智能卡管理中心 图书馆门禁 · 图书馆系统" in page

    def test_a_healthy_card_is_said_to_be_healthy(self):
        assert "没有发现问题" in self.shown(people.comes())
        assert "七天内没有开的门" not in plain(self.answer)


def test_no_step_leads_nowhere():
    """Every address that a finding names is one of the project."""
    for words in WORDS.values():
        if words.url_name.startswith("counter:"):
            kwargs = {} if words.url_name == "counter:cases" else {"account_id": 1}
            assert reverse(words.url_name, kwargs=kwargs)
