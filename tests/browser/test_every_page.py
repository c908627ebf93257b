"""Every page that anybody may see, in a real browser: axe-core finds nothing, nothing sticks out, nothing complains.

The pages are those of the permission matrix (``tests.counter.matrix``): whatever answers a GET with 200 is looked at,
by the first visitor of the table who may. A new page is therefore in here without anybody thinking of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client

from tests import faults
from tests.counter.matrix import WHO, expected
from tests.counter.test_permissions import addresses, make_world, path_of, row_of, visit

pytestmark = pytest.mark.django_db(transaction=True)

PARTS = 3
"""Into how many tests the pages are dealt out, so that they run beside each other."""
NOT_OURS = ("admin:",)
"""Django's own back office, in its own design; our pages in it are looked at below."""
SMALLEST = {"width": 320, "height": 640}
DESK = {"width": 1280, "height": 900}
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
IN_THE_DARK = {"runOnly": ["color-contrast"]}
"""All that the dark changes."""
STICKS_OUT = """() => {
  const edge = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= edge) return "";
  const scrolls = (one) => one && (getComputedStyle(one).overflowX !== "visible" || scrolls(one.parentElement));
  const out = [...document.querySelectorAll("body *")].filter(
    (one) => one.getBoundingClientRect().right > edge + 1 && !scrolls(one.parentElement));
  return out.slice(0, 3).map((one) => one.outerHTML.slice(0, 100)).join("; ") || "something";
}"""
"""What is wider than the window."""


@dataclass
class Looked:
    """What was seen of how many pages."""

    axe: Axe = field(default_factory=Axe)
    views: int = 0
    wrong: list[str] = field(default_factory=list)

    def by_axe(self, page, where: str, options: dict) -> None:
        self.views += 1
        for found in self.axe.run(page, options=options).response["violations"]:
            at = "; ".join(node["html"][:120] for node in found["nodes"][:3])
            self.wrong.append(f"{where} {found['id']} ({found['impact']}): {at}")

    def narrow(self, page, where: str) -> None:
        page.set_viewport_size(SMALLEST)
        self.views += 1
        if out := page.evaluate(STICKS_OUT):
            self.wrong.append(f"{where} is wider than 320 px: {out}")
        page.set_viewport_size(DESK)


def pages(world: dict[str, object]) -> Iterator[tuple[str, str]]:
    """(visitor, path) of each page."""
    table = expected()
    for name, route in sorted(set(addresses())):
        row = row_of(name, route)
        if row.startswith(NOT_OURS):
            continue
        who = next((who for who in WHO if table[row, "GET"][who] == "200"), None)
        if who is not None:
            yield who, path_of(route, world)


def is_page(client: Client, path: str) -> bool:
    """Whether this is a page for people, not a file or figures for a program."""
    return client.get(path).headers.get("Content-Type", "").startswith("text/html")


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_axe_and_a_narrow_window_find_nothing(language, part, context, page, live_server):
    world = make_world()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_viewport_size(DESK)
    clients = {who: visit(who) for who in WHO}
    looked = Looked()

    for who, path in list(pages(world))[part::PARTS]:
        if not is_page(clients[who], path):
            continue
        context.clear_cookies()
        context.add_cookies(cookies_of(clients[who], live_server.url, language))
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.goto(live_server.url + path, wait_until="load")
        where = f"{language} {path}"
        looked.by_axe(page, where, WCAG)
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        looked.by_axe(page, f"{where} (dark)", IN_THE_DARK)
        looked.narrow(page, where)
        looked.wrong += [f"{where} complains: {text}" for text in complaints]
        complaints.clear()

    faults.report("AXE", looked.views, len(looked.wrong))
    assert looked.views >= 10
    assert not looked.wrong, "\n".join(looked.wrong)


def cookies_of(client: Client, url: str, language: str) -> list[dict[str, str]]:
    """The visitor's session and the language, for the browser."""
    kept = {name: morsel.value for name, morsel in client.cookies.items()} | {
        settings.LANGUAGE_COOKIE_NAME: language
    }
    return [{"name": name, "value": value, "url": url} for name, value in kept.items() if value]
