"""The documents keep to what is there: links lead somewhere, the words of the glossary are those of the code."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PICTURE_MAX_BYTES = 150_000


def anchor(heading: str) -> str:
    """How GitHub names a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def code() -> str:
    rooms = ("purse", "accounts", "transactions", "terminals", "reconciliation", "portal")
    files = (path for room in rooms for path in (ROOT / room).rglob("*.py"))
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, heading = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), link
        if heading:
            assert heading in {
                anchor(found) for found in HEADING.findall(target.read_text(encoding="utf-8"))
            }, link


def test_every_document_is_in_the_index():
    listed = LINK.findall((ROOT / "docs" / "README.md").read_text(encoding="utf-8"))

    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"} <= set(listed)


def test_every_decision_is_in_its_index():
    folder = ROOT / "docs" / "decisions"
    listed = LINK.findall((folder / "README.md").read_text(encoding="utf-8"))

    assert sorted(listed) == sorted(path.name for path in folder.glob("0*.md"))
    assert len({name[:4] for name in listed}) == len(listed)


def test_every_word_of_the_glossary_stands_in_the_code():
    rows = re.findall(r"^\| .+$", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    words = {word for name in named for word in re.findall(r"[A-Za-z_]{3,}", name)}
    rooms = {"accounts", "transactions", "terminals", "reconciliation", "portal"}

    assert {word for word in words - rooms if not re.search(rf"{word}\b", code())} == set()


def test_pictures_are_small_enough_to_be_looked_at():
    kept = subprocess.run(
        ["git", "ls-files", "docs/images"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert {name for name in kept.stdout.split() if (ROOT / name).stat().st_size > PICTURE_MAX_BYTES} == set()
