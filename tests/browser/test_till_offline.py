"""The till's own page when the network is gone: lamp, counts, banner, and back again by itself.

The picture goes to docs/images when ECARD_SCREENSHOTS=1.
"""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from terminals.device import config as configuration
from terminals.device.reader.sim import SimReader, write_card
from terminals.device.station import Parts, Station
from terminals.device.store import Store
from terminals.device.ui import Page
from tests.browser.steps import picture
from tests.till.university import Served, University

SOON_S = 30.0


@pytest.fixture
def university():
    return University()


@pytest.fixture
def face(tmp_path, university, page):
    served = Served(university)
    path, wallet = tmp_path / "till.json", tmp_path / "wallet"
    wallet.mkdir()
    configuration.save(path, university.config())
    config = configuration.load(path)
    for number, fen in ((10086, 28_40), (10087, 80_00), (10088, 12_60), (10090, 64_10)):
        write_card(wallet / f"{number}.json", university.issue(number, fen))
    parts = Parts.assemble(config, served.url, lambda: Store(tmp_path / "till.journal"))
    station = Station(config, parts, SimReader(wallet, seed=1))
    shown = Page(station, "127.0.0.1:0")
    station.start()
    shown.start()
    page.set_viewport_size({"width": 1000, "height": 740})
    page.goto(shown.url)
    yield page
    shown.stop()
    station.stop()
    served.close()


def pay(page, card: str, digits: str) -> None:
    for digit in digits:
        page.locator(f"#key-{digit}").click()
    page.locator("#confirm").click()
    page.locator(f"[data-card='{card}']").click()


def test_the_page_says_that_the_till_sells_offline_and_what_waits(face, university):
    banner = face.locator("#line")
    expect(face.locator("#line2")).to_have_text("7号 在线")
    expect(banner).to_be_hidden()

    face.locator("#network").uncheck()
    expect(banner).to_have_text("脱机营业：单笔至多 20.00 元，不能验证密码。0 笔未传，网络恢复后自动上传。")
    for card, digits in (("10086", "550"), ("10087", "1300"), ("10090", "880")):
        pay(face, card, digits)
        expect(face.locator("#line1")).to_contain_text("脱机消费")
        expect(face.locator("#lamp")).to_have_attribute("data-lamp", "green")
    expect(banner).to_contain_text("3 笔未传")
    pay(face, "10087", "2100")
    expect(face.locator("#spoken")).to_have_text("E 09")
    expect(face.locator("#line2")).to_have_text("脱机 未传 3")
    expect(face.locator("#lamp")).to_have_attribute("data-lamp", "amber")
    picture(face, "till-offline", banner)

    face.locator("#language").click()
    expect(banner).to_contain_text("Selling offline: 20.00 at most, no passwords. 3 sales wait")
    face.locator("#language").click()
    face.locator("#network").check()
    expect(banner).to_be_hidden()
    expect(face.locator("#line2")).to_have_text("7号 在线")
    assert sum(item["kind"] == "sale" for item in university.records.values()) == 3


def test_the_page_says_why_nothing_is_sold(face, university):
    university.offline = False
    face.locator("#network").uncheck()
    expect(face.locator("#line")).to_be_visible()
    told = university.calls.count("heartbeat")
    face.locator("#network").check()
    deadline = time.monotonic() + SOON_S
    while university.calls.count("heartbeat") == told and time.monotonic() < deadline:
        face.wait_for_timeout(50)  # the next heartbeat tells the till that it may not
    expect(face.locator("#line2")).to_have_text("7号 在线")
    face.locator("#network").uncheck()

    expect(face.locator("#line")).to_have_text("停止消费：通讯中断 不能消费。0 笔未传。")
    expect(face.locator("#line")).to_have_class("stopped")
    expect(face.locator("#lamp")).to_have_attribute("data-lamp", "red")
