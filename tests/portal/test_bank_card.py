"""The bound bank card as its holder sees it: masked, and changed nowhere here (guide L45-47)."""

from __future__ import annotations

from tests.banking.test_bindings import bind, number, unbind
from tests.portal.conftest import text_of


def test_unbound_says_where_to_go_with_what(web):
    page = text_of(web.get("/me/bank-card/"))

    assert "还没有绑定银行卡" in page
    assert "确认过中国银行储蓄卡与校园卡的对应关系" in page


def test_bound_it_is_masked_with_day_and_desk(web, holder):
    bind(holder.account, 17)

    page = text_of(web.get("/me/bank-card/"))

    assert number(17)[-4:] in page
    assert number(17) not in page.replace(" ", "")
    assert "崂山1号柜" in page
    assert "已确认" in page
    assert "¥1.00 至 ¥500.00" in page
    unbind(holder.account)
    assert "还没有绑定银行卡" in text_of(web.get("/me/bank-card/"))


def test_nothing_can_be_sent_to_it(web):
    assert web.post("/me/bank-card/", {"card": number(1)}).status_code == 405
    assert "<form" not in text_of(web.get("/me/bank-card/")).split("<main")[1].split("</main>")[0]
