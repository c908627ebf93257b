"""Every sentence of this room is there in English too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.utils import translation

from accounts.checks import Rejected
from accounts.checks.text import parse_name
from accounts.services.errors import NotAllowed, Reason
from accounts.services.login import NOT_IN
from accounts.status import FREEZE_WORDS, WORDS, Status
from ecard.ctl import catalogues

ROOM = Path(__file__).parents[2] / "accounts"
CATALOGUE = ROOM / "locale" / "en" / "LC_MESSAGES" / "django.po"


MARKS = ("_", "gettext", "gettext_lazy")


def sentences():
    """The texts marked for translation in the room's source."""
    for file in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS):
                continue
            if isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


def test_every_sentence_is_translated_and_compiled():
    entries = catalogues.read_entries(CATALOGUE)

    assert set(sentences()) == {key for key, text in entries.items() if key and text}
    assert catalogues.complaints(CATALOGUE) == []


def test_words_follow_the_language_of_the_reader():
    with translation.override("en"):
        assert str(WORDS[Status.FROZEN]) == "Frozen"
        assert str(FREEZE_WORDS["book_negative"]) == "The book is negative"
        assert str(NOT_IN).startswith("Wrong number or password")
    with translation.override("zh-hans"):
        assert str(WORDS[Status.FROZEN]) == "已冻结"


def test_a_refusal_names_its_field_in_the_language_of_the_reader():
    with pytest.raises(Rejected) as refusal:
        parse_name("")

    with translation.override("en"):
        assert refusal.value.message == "Please fill in: Name"
    with translation.override("zh-hans"):
        assert refusal.value.message == "请填写姓名"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words_in_both_languages(reason):
    with translation.override("zh-hans"):
        chinese = str(NotAllowed(reason).message)
    with translation.override("en"):
        english = str(NotAllowed(reason).message)

    assert chinese
    assert english.isascii()
    assert chinese != english
