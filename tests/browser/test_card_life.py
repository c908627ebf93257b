"""A card from a blank one to its replacement, at a desk in a real browser, with real card jobs on the simulated reader.

A clerk issues it, cash is loaded, the holder pays at a till, loses it, gets another one for the fee; the books are
exact at the end. Pictures go to docs/images when ECARD_SCREENSHOTS=1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import Account, Card, CardLife, OperatorRole
from accounts.services.operators import officer_of
from reconciliation.services.verify import verify
from terminals.device.reader.model import ClassicCard
from terminals.models import CardJob, JobState
from tests.browser.steps import DESKTOP, SMALLEST, at_this_desk, fits, in_english, picture, staff_in
from tests.browser.test_cashier import read
from tests.campus import POLICY, Counter, Person, make_campus, make_person
from tests.counter.test_cases_page import make_operator
from tests.terminals.conftest import server
from tests.till.desk_bench import DeskBench, hurried
from tests.transactions.cash_desk import by
from transactions.models import Entry
from transactions.services import shifts

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["hurried", "server"]


@dataclass
class Hands:
    """What happens on the desk's reader while the page looks on."""

    page: object
    bench: DeskBench
    made: list[ClassicCard] = field(default_factory=list)

    def blank(self) -> ClassicCard:
        """Lay a blank card down and let the job that the page ordered run to its end."""
        self.made.append(ClassicCard.blank((0xD0000000 + len(self.made)).to_bytes(4, "big")))
        self.run(self.made[-1])
        return self.made[-1]

    def run(self, plastic: ClassicCard, **how) -> None:
        self.bench.server.now = timezone.now()
        job = CardJob.objects.order_by("-ordered_at").first()
        assert self.bench.do(job.id, plastic, **how).state is JobState.DONE


@pytest.fixture
def chen(transactional_db):
    """A clerk with an open shift at the desk's drawer."""
    campus, _ = make_campus()
    person = make_operator("chen", OperatorRole.CLERK, campus, display_name="陈静")
    drawer = shifts.add_drawer(campus.pk, "LD01", name_zh="崂山卡务中心", name_en="Laoshan", by=by(person))
    opening = shifts.Opening(drawer.pk, 200_00, {})
    shifts.open_shift(opening, officer=officer_of(person), by=by(person, timezone.now()))
    return person


@pytest.fixture
def hands(page, tmp_path, server, chen, desk_stays):
    server.now = timezone.now()
    bench = DeskBench(tmp_path, server)
    bench.turn(1)
    yield Hands(page, bench)
    bench.cut_power()


def read_back(page, hands: Hands, plastic: ClassicCard) -> None:
    """Lay it down again and press 读卡, as the page asks."""
    page.get_by_role("button", name="读卡", exact=True).click()
    expect(page.locator(".reader-job")).to_be_visible()
    hands.run(plastic)
    expect(page.get_by_text("读卡器上就是这张卡")).to_be_visible()


def top_up_at_the_till(window, live_server, hands: Hands, plastic: ClassicCard) -> None:
    """A cashier's own window: shift, card, amount, the customer looks, cash, the card again."""
    campus, _ = make_campus()
    wang = make_operator("wang", OperatorRole.CASHIER, campus, display_name="王收银")
    drawer = shifts.add_drawer(campus.pk, "LS01", name_zh="第二食堂充值点", name_en="Canteen 2", by=by(wang))
    page = window()
    staff_in(page, live_server, wang, "/counter/cash/open/")
    page.get_by_label("钱箱").select_option(value=str(drawer.pk))
    page.get_by_label("¥100.00").fill("2")
    page.get_by_role("button", name="开班").click()
    page.wait_for_url("**/counter/cash/")
    at_this_desk(page)
    display = page.context.new_page()
    display.goto(f"{live_server.url}/counter/cash/display/")
    page.bring_to_front()
    page.reload()
    read(page, hands.bench, plastic)
    page.keyboard.type("50")
    page.keyboard.press("Enter")
    expect(page.get_by_text("顾客屏已显示此金额")).to_be_visible()
    expect(page.get_by_role("button", name="现金确认")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("现金已确认")).to_be_visible()
    hands.run(plastic)
    expect(page.get_by_text("充值完成，库与卡都已入账")).to_be_visible()
    page.context.close()


def test_a_card_is_issued_used_lost_and_replaced_and_the_books_are_exact(
    page, window, live_server, hands, chen, come_in
):
    page.set_viewport_size(DESKTOP)
    come_in(chen, "/counter/accounts/new/")
    page.get_by_label("记名卡、临时卡").check()
    page.get_by_label("其他人员").check()
    page.get_by_label("有效期至").fill((timezone.localdate() + timedelta(days=180)).isoformat())
    page.get_by_label("姓名").fill("李访客")
    page.get_by_label("学工号").fill("V2026001")
    page.get_by_label("登记的身份证件").select_option(label="护照")
    page.get_by_label("证件号码", exact=True).fill("E12345678")
    page.get_by_label("已查验的证件").select_option(label="护照")
    page.get_by_label("证件号码末四位").fill("5678")
    picture(page, "cards-open", page.get_by_role("button", name="确认开户，去制卡"))
    page.get_by_role("button", name="确认开户，去制卡").click()
    page.wait_for_url("**/make/")

    at_this_desk(page)
    picture(page, "cards-make", page.get_by_role("button", name="在读卡器上写卡"))
    page.get_by_role("button", name="在读卡器上写卡").click()
    expect(page.get_by_text("正在制卡")).to_be_visible()
    plastic = hands.blank()
    expect(page.get_by_text("请把这张卡放回读卡器")).to_be_visible()
    read_back(page, hands, plastic)
    picture(page, "cards-hand-over", page.get_by_role("button", name="确认发卡"))
    page.get_by_role("button", name="确认发卡").click()
    picture(page, "cards-receipt", page.get_by_text("发卡已办理"))

    account = Account.objects.get()
    person = Person(account, Card.objects.get(), plastic)
    top_up_at_the_till(window, live_server, hands, plastic)
    till = Counter()
    till.now = timezone.now()
    assert till.tap(person, 12_30).refusal is None
    assert (person.book_fen, person.card_fen) == (37_70, 37_70)

    page.goto(f"{live_server.url}/counter/accounts/{account.pk}/replace/")
    page.get_by_label("遗失").check()
    page.get_by_label("收现金").check()
    page.get_by_label("已查验的证件").select_option(label="护照")
    page.get_by_label("证件号码末四位").fill("5678")
    picture(page, "cards-replace", page.get_by_role("button", name="确认换卡"))
    page.get_by_role("button", name="确认换卡").click()
    page.wait_for_url("**/make/")
    expect(page.get_by_text("正在制卡")).to_be_visible()
    second = hands.blank()
    expect(page.get_by_text("请把这张卡放回读卡器")).to_be_visible()
    read_back(page, hands, second)
    page.get_by_role("button", name="确认发卡").click()
    expect(page.get_by_text("发卡已办理")).to_be_visible()

    old, new = Card.objects.order_by("issue_no")
    assert (old.life, old.lost, new.life) == (CardLife.REPLACED, True, CardLife.ACTIVE)
    assert till.tap(person, 1_00).refusal == "card_replaced"
    person.plastic, person.card_row = second, new
    assert (person.book_fen, person.card_fen) == (37_70, 37_70)
    assert till.tap(person, 7_70).refusal is None
    assert (person.book_fen, person.card_fen) == (30_00, 30_00)
    kinds = [entry.kind for entry in Entry.objects.order_by("id")]
    assert kinds == ["top_up", "deposit", "top_up", "purchase", "top_up", "fee", "purchase"]
    assert not verify(policy=POLICY).broken


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_fits_the_smallest_telephone_and_every_finger(page, live_server, hands, chen, come_in, language):
    """WCAG 1.4.10: 320 CSS pixels without scrolling sideways; 2.5.8: everything to press is 44 pixels high."""
    person = make_person(28_40)
    Account.objects.filter(pk=person.account.pk).update(kind="named")
    Card.objects.filter(pk=person.card_row.pk).update(expires_on=timezone.localdate() + timedelta(days=90))
    page.set_viewport_size(SMALLEST)
    come_in(chen, "/counter/accounts/new/")
    if language == "en":
        in_english(page)

    at = f"accounts/{person.account.pk}"
    for path in (
        "accounts/new/",
        "cards/unused/",
        *(f"{at}/{deed}/" for deed in ("make", "replace", "extend", "services", "held", "close", "slips")),
    ):
        page.goto(f"{live_server.url}/counter/{path}")
        fits(page, path, spare="p, .skip, .sr-only, li, label")
