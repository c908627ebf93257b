"""A class that a template leans on stands in a style sheet; without it a wide page falls to pieces in silence."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

_SPAN = re.compile(r"\bspan-\d+\b")


def test_every_span_of_the_grid_is_drawn():
    drawn = {
        word
        for sheet in Path(settings.BASE_DIR, "static", "css").glob("*.css")
        for word in _SPAN.findall(sheet.read_text())
    }
    used = {
        (word, page.name)
        for page in Path(settings.BASE_DIR, "templates").rglob("*.html")
        for word in _SPAN.findall(page.read_text())
    }

    assert len(used) > 10
    assert {(word, page) for word, page in used if word not in drawn} == set()
