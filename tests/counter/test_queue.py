"""The queue: counted, drawn, filtered, page by page; silent terminals; what must not be forgotten."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from reconciliation.models import Case
from terminals.models import Terminal, TerminalContact, UploadedRecord
from terminals.services import holes
from tests.counter.pages import plain, text_of
from tests.reconciliation import desk
from tests.reconciliation.books import NOW, Book, campus, merchant


class TestQueue:
    """What waits, by class, age and amount, page by page."""

    @pytest.fixture
    def many(self, db):
        book = Book.open(1_00)
        cases = []
        for number in range(30):
            other = book if number == 0 else Book.open(1_00)
            cases.append(desk.open_case(other, "TORN", at_risk_fen=(number * 7 % 11 + 1) * 100))
        return cases

    @pytest.mark.parametrize("order", ["oldest", "largest"])
    def test_pages_follow_each_other_without_losing_or_repeating_a_case(self, web, many, order):
        address, seen, back = f"/counter/cases/?order={order}", [], []
        page = text_of(web.get(address))
        while True:
            seen.append(re.findall(r'href="/counter/cases/(\d+)/"', page))
            following = re.search(r'rel="next" href="([^"]+)"', page)
            if following is None:
                break
            page = text_of(web.get("/counter/cases/" + following[1].replace("&amp;", "&")))
        while previous := re.search(r'rel="prev" href="([^"]+)"', page):
            page = text_of(web.get("/counter/cases/" + previous[1].replace("&amp;", "&")))
            back.append(re.findall(r'href="/counter/cases/(\d+)/"', page))

        flat = [int(each) for rows in seen for each in rows]
        assert [len(rows) for rows in seen] == [25, 5]
        assert sorted(flat) == sorted(case.pk for case in many)
        assert back[-1] == seen[0]
        if order == "largest":
            amounts = [Case.objects.get(pk=pk).at_risk_fen for pk in flat]
            assert amounts == sorted(amounts, reverse=True)

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("least=11", 3),
            ("least=11.00", 3),
            ("least=１１", 3),
            ("least=11.01", 0),
            ("age=1", 0),
            ("mismatch=TORN", 25),
            ("mismatch=DOUBLE", 0),
            ("show=mine", 0),
            ("show=held", 0),
            ("show=all", 25),
        ],
    )
    def test_filters(self, web, many, query, count):
        page = text_of(web.get(f"/counter/cases/?{query}"))

        assert len(re.findall(r'href="/counter/cases/\d+/"', page)) == count

    @pytest.mark.parametrize(
        "query",
        [
            "least=0", "least=-5", "least=1.005", "least=1e2", "least=1_0", "least=%2B5", "least=0x10", "least=NaN",
            "least=1,000", "least=٣", "least=" + "9" * 41, "order=largest&order=oldest", "order=x", "show=x",
            "mismatch=x", "age=2", "after=1", "after=-1-1", "after=1-0", "after=1-1&before=1-1", "after=1-x",
        ],
    )  # fmt: skip
    def test_what_cannot_be_meant_is_refused_with_words(self, web, query):
        """reliability.md section 7: amounts, pages, choices."""
        answer = web.get(f"/counter/cases/?{query}")

        assert answer.status_code == 400
        assert "没有查询" in text_of(answer)

    def test_counts_and_draws_by_class_and_age(self, web, many):
        Case.objects.filter(pk=many[0].pk).update(opened_at=NOW - timedelta(days=6))

        page = plain(web.get("/counter/cases/"))

        total = sum(case.at_risk_fen for case in many)
        assert f"拿卡过快 30 ¥{total // 100}.00" in page
        assert "5 天以上 1 ¥1.00" in page
        assert "不到 1 天 29" in page

    def test_silent_terminals_with_days_and_what_they_may_hold(self, web, db):
        """screens.md 6.5: amber >= 3 d, red >= 5 d, estimated missing journals."""
        place = campus("laoshan")
        for name, days, unsent in (("二日", 2, 9), ("三日", 3, 0), ("四日", 4, 12), ("五日", 5, 45)):
            till = Terminal.objects.create(
                name_zh=name, kind="till", campus=place, merchant=merchant(), may_sell_offline=True, epoch=1,
                enrolled_at=NOW - timedelta(days=60),
            )  # fmt: skip
            TerminalContact.objects.create(
                terminal=till, last_contact_at=timezone.now() - timedelta(days=days, minutes=1), unsent=unsent
            )

        page = text_of(web.get("/counter/cases/"))

        assert "二日" not in page
        chips = re.findall(r'class="chip (chip-bad|chip-warn)"[^>]*>.*?(\d) 天', page, re.DOTALL)
        assert chips == [("chip-bad", "5"), ("chip-warn", "4"), ("chip-warn", "3")]
        assert "至少 45 笔" in page
        assert "不明" in page

    @pytest.mark.parametrize("filled", [False, True])
    def test_a_till_that_speaks_but_keeps_back_records_is_listed_too(self, web, db, filled):
        """B4: an alarm of the night shows until the missing records are here."""
        now = timezone.now()
        till = Terminal.objects.create(
            name_zh="缺号机", kind="till", campus=campus("laoshan"), merchant=merchant(), epoch=1,
            may_sell_offline=True, enrolled_at=NOW - timedelta(days=60),
        )  # fmt: skip
        TerminalContact.objects.create(terminal=till, last_contact_at=now)
        for seq in (1, 2, 5):
            UploadedRecord.objects.create(
                terminal=till, journal="ab" * 16, seq=seq, kind="boot", prev_mac="", mac="", raw="",
                received_at=now - timedelta(days=1),
            )  # fmt: skip
        assert "缺号机" not in text_of(web.get("/counter/cases/"))
        holes.alarm(now=now)
        for seq in (3, 4) if filled else ():
            UploadedRecord.objects.create(
                terminal=till, journal="ab" * 16, seq=seq, kind="boot", prev_mac="", mac="", raw="",
                received_at=now,
            )  # fmt: skip

        page = text_of(web.get("/counter/cases/"))

        assert ("缺号机" in page, "流水缺号超过一天" in page, "至少 2 笔" in page) == (not filled,) * 3

    def test_an_account_that_is_level_and_frozen_is_not_forgotten(self, web, li):
        book, case = desk.doubled(10_00)
        desk.Form(case, "refund").send(li, now=timezone.now())

        page = text_of(web.get("/counter/cases/"))

        assert "1 个账户差额已平，仍冻结" in page
        assert f'href="/counter/cases/{case.pk}/">{book.account.number}' in page

    def test_what_was_put_off_comes_back_on_its_day(self, web, db):
        _, case = desk.gap()
        Case.objects.filter(pk=case.pk).update(held_until=timezone.localdate() + timedelta(days=1))
        link = f'href="/counter/cases/{case.pk}/"'
        assert link not in text_of(web.get("/counter/cases/"))
        assert link in text_of(web.get("/counter/cases/?show=held"))

        Case.objects.filter(pk=case.pk).update(held_until=timezone.localdate())

        assert link in text_of(web.get("/counter/cases/"))
