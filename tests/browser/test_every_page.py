"""Every page that anybody may see, in a real browser: axe-core finds nothing, nothing sticks out, nothing complains.

The pages are those of the permission matrix (``tests.counter.matrix``): whatever answers a GET with 200 is looked at,
by the first visitor of the table who may. A new page is therefore in here without anybody thinking of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.test import Client

from tests import faults
from tests.browser.steps import DESKTOP, SMALLEST
from tests.counter.matrix import WHO, expected
from tests.counter.test_permissions import addresses, make_world, path_of, row_of, visit

pytestmark = pytest.mark.django_db(transaction=True)

PARTS = 4
"""Into how many tests the pages are dealt out, so that they run beside each other."""
LANGUAGES = ("zh-hans", "en")
NOT_OURS = ("admin:",)
"""Django's own back office, in its own design; our pages in it are looked at below."""
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
IN_THE_DARK = {"runOnly": ["color-contrast"]}
"""All that the dark changes."""
AXE_RUN = """options => axe.run(document, {...options, resultTypes: ["violations"]}).then(found => found.violations.map(
  one => `${one.id} (${one.impact}): ${one.nodes.slice(0, 3).map(node => node.html.slice(0, 120)).join("; ")}`))"""
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

    views: int = 0
    wrong: list[str] = field(default_factory=list)

    def at(self, page, where: str) -> None:
        """Look at the page that is there: in the light, in the dark, on the smallest telephone."""
        page.evaluate(AXE_SCRIPT)
        for scheme, rules in (("light", WCAG), ("dark", IN_THE_DARK)):
            page.emulate_media(color_scheme=scheme)
            self._note(f"{where} ({scheme})", page.evaluate(AXE_RUN, rules))
        page.set_viewport_size(SMALLEST)
        out = page.evaluate(STICKS_OUT)
        self._note(where, [f"is wider than 320 px: {out}"] if out else [])
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light")

    def _note(self, where: str, wrong: list[str]) -> None:
        self.views += 1
        self.wrong += [f"{where} {one}" for one in wrong]


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
def test_axe_and_a_narrow_window_find_nothing(part, context, page, live_server):
    world = make_world()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_viewport_size(DESKTOP)
    clients = {who: visit(who) for who in WHO}
    looked = Looked()

    for who, path in list(pages(world))[part::PARTS]:
        if not is_page(clients[who], path):
            continue
        for language in LANGUAGES:
            page.goto(
                "about:blank"
            )  # some pages ask the server again and again; not with the next visitor's cookies
            context.clear_cookies()
            context.add_cookies(cookies_of(clients[who], live_server.url, language))
            page.goto(live_server.url + path, wait_until="load")
            looked.at(page, f"{language} {path}")
            looked.wrong += [f"{language} {path} complains: {text}" for text in complaints]
            complaints.clear()

    faults.report("AXE", looked.views, len(looked.wrong))
    assert looked.views >= 10 * len(LANGUAGES)
    assert not looked.wrong, "\n".join(looked.wrong)


def cookies_of(client: Client, url: str, language: str) -> list[dict[str, str]]:
    """The visitor's session and the language, for the browser."""
    kept = {name: morsel.value for name, morsel in client.cookies.items()} | {
        settings.LANGUAGE_COOKIE_NAME: language
    }
    return [{"name": name, "value": value, "url": url} for name, value in kept.items() if value]
