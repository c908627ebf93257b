"""What the journeys have in common: waiting for a page, coming in, changing the language, measuring, taking pictures.

A click returns before the page is there to which it leads. So nobody looks at a page, types into it or leaves it
before he has seen on it what only the new page shows.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

from django.conf import settings
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.counter.test_cases_page import PASSWORD, code_of

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SMALLEST = {"width": 320, "height": 640}
PATIENCE_MS = 20_000
"""How long anything may take to be seen: far more than it needs, because the machine may be busy with other things."""

IMAGES = Path(settings.BASE_DIR, "docs", "images")
MAX_HEIGHT = 1600
"""Pictures end here; what follows below is more of the same."""
MAX_BYTES = 150_000


# ---------------------------------------------------------------------------------------------- pictures


def picture(page: Page, name: str, shows: Locator, *, whole: bool = True, until: int = MAX_HEIGHT) -> None:
    """Wait until the page, styles too, shows what it is about; with ECARD_SCREENSHOTS=1 keep a picture in docs/images.

    Args:
        page: the window.
        name: the file's name, without its ending.
        shows: what only this page shows, never something the page before it shows as well.
        whole: the whole page, or what the window shows of it.
        until: at which height the picture ends.
    """
    expect(shows).to_be_visible()
    page.wait_for_load_state("load")
    if os.environ.get("ECARD_SCREENSHOTS") != "1":
        return
    taken = page.screenshot(full_page=whole, animations="disabled", caret="hide")
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / f"{name}.png").write_bytes(_small(taken, until))


def _small(taken: bytes, until: int) -> bytes:
    """The picture's upper part with as many colours as fit the size that pictures in the repository may have."""
    image = Image.open(BytesIO(taken)).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, until)))
    for colours in (256, 128, 64, 32):
        kept = BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(kept, "png", optimize=True)
        if kept.tell() <= MAX_BYTES:
            break
    return kept.getvalue()


# ----------------------------------------------------------------------------------------------- language


def in_english(page: Page) -> None:
    """Press English and wait for the page in English."""
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.wait_for_load_state("load")


def in_chinese(page: Page) -> None:
    """Press 中文 and wait for the page in Chinese."""
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    page.wait_for_load_state("load")


# ----------------------------------------------------------------------------------------------- coming in


def staff_in(page: Page, live_server, person, to: str) -> None:
    """Come in as a member of staff, with password and code, and be where it leads."""
    page.context.clear_cookies()
    page.goto(f"{live_server.url}/counter/login/?next={to}")
    page.get_by_label("用户名").fill(person.username)
    page.get_by_label("密码", exact=True).fill(PASSWORD)
    page.get_by_label("动态码").fill(code_of(person))
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"**{to}")


def at_this_desk(page: Page) -> None:
    """Take the desk that stands there, and wait for the page that has it."""
    take = page.get_by_role("button", name="在此柜台工作")
    take.click()
    expect(take).to_have_count(0)
    page.wait_for_load_state("load")


class Gate:
    """Holds back a page's requests to ``where`` until it is opened, so that what is seen meanwhile stays."""

    def __init__(self, page: Page, where: str) -> None:
        self._held: list[Route] = []
        self._is_open = False
        page.route(where, self._meet)

    def _meet(self, route: Route) -> None:
        if self._is_open:
            route.continue_()
        else:
            self._held.append(route)

    def open(self) -> None:
        """Let through what waits and all that follows."""
        self._is_open = True
        while self._held:
            self._held.pop(0).continue_()


# ----------------------------------------------------------------------------------------------- measuring

STICKS_OUT = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
TO_PRESS = """([inside, spare, wide]) => [...document.querySelectorAll(
    ["a", "button", "summary", "input:not([type=hidden])", "select", "textarea"].map(it => `${inside} ${it}`).join())]
    .filter(it => it.offsetParent && !it.closest(spare))
    .map(it => [it.outerHTML.slice(0, 90), it.getBoundingClientRect()])
    .filter(([, box]) => box.height < 43.5 || (wide && box.width < 43.5)).map(([html]) => html)"""
"""What is there to press and lower than 44 pixels, words within a sentence (``spare``) apart."""


def fits(
    page: Page, path: str, *, inside: str = "body", spare: str = "p, .skip, .sr-only, li", wide: bool = False
) -> None:
    """WCAG 1.4.10 and 2.5.8: the page at hand needs no scrolling sideways, and a finger hits what is there to press.

    Args:
        page: the window, with the page in it.
        path: how to call the page when something is wrong.
        inside: where to look for what is lower than 44 pixels.
        spare: what need not be so high, such as words within a sentence.
        wide: whether it has to be 44 pixels wide as well.
    """
    over, small = page.evaluate(STICKS_OUT), page.evaluate(TO_PRESS, [inside, spare, wide])
    assert not over, f"{path} is {over} pixels wider than the window"
    assert not small, f"{path}: too small for a finger: {small}"
