"""What a phone has to fetch before a page stands: bytes and requests, counted from the page and its files."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from PIL import Image

from tests.portal.conftest import text_of

STATIC = Path(settings.BASE_DIR, "static")
FIRST_PAINT_MAX = 100_000
REQUESTS_MAX = 14
PAGES = [
    *(
        "/",
        "/faq/",
        "/guide/",
        "/news/",
        "/rules/",
        "/places/",
        "/lost-found/",
        "/receipt/",
        "/statement-check/",
        "/search/",
        "/login/",
    ),
    *(
        "/me/",
        "/me/statement/",
        "/me/statement/print/",
        "/me/analysis/",
        "/me/loss/",
        "/me/disputes/",
        "/me/messages/",
        "/me/alerts/",
        "/me/security/",
    ),
    "/me/bank-card/",
]
_FILE = re.compile(r'(?:href|src)="/static/([^"#?]+)')


def files_of(page: str) -> set[str]:
    """Everything that the browser fetches at once; the manifest and icons of other sizes come when it is idle."""
    later = set(re.findall(r'rel="(?:manifest|apple-touch-icon)" href="/static/([^"]+)"', page))
    return set(_FILE.findall(page)) - later


@pytest.mark.parametrize("path", PAGES)
def test_a_page_stands_within_its_budget(web, path):
    call_command("load_articles", stdout=StringIO())
    answer = web.get(path)
    assert answer.status_code == 200, path

    files = files_of(text_of(answer))
    size = len(answer.content) + sum((STATIC / name).stat().st_size for name in files)

    assert len(files) + 1 <= REQUESTS_MAX, sorted(files)
    assert size <= FIRST_PAINT_MAX, (size, len(answer.content), sorted(files))


def test_nothing_comes_from_elsewhere(web):
    for path in PAGES:
        page = text_of(web.get(path))
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//(?!ecard)', page), path


def test_the_site_can_be_installed(web):
    assert 'rel="manifest" href="/static/manifest.webmanifest"' in text_of(web.get("/"))
    manifest = json.loads((STATIC / "manifest.webmanifest").read_text())
    assert web.get(manifest["start_url"]).status_code == 200
    assert all(web.get(shortcut["url"]).status_code == 200 for shortcut in manifest["shortcuts"])
    for icon in manifest["icons"]:
        path = STATIC / icon["src"]
        if icon["type"] == "image/png":
            with Image.open(path) as picture:
                assert "{}x{}".format(*picture.size) == icon["sizes"]
        else:
            assert path.exists()
