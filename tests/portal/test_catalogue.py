"""Every sentence of the screens exists in English too: nothing missing, nothing fuzzy, nothing left in Chinese."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation.template import templatize

from accounts.checks.amounts import SENTENCES
from ecard.ctl import catalogues

ROOT = Path(settings.BASE_DIR)
ROOMS = sorted(path.parent.name for path in ROOT.glob("*/apps.py"))
CATALOGUES = sorted([*ROOT.glob("locale/en/LC_MESSAGES/*.po"), *ROOT.glob("*/locale/en/LC_MESSAGES/*.po")])
NAMES = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")


def words_of_python(path: Path) -> set[str]:
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    named = (call for call in calls if getattr(call.func, "id", "") in NAMES)
    return {call.args[0].value for call in named if call.args and isinstance(call.args[0], ast.Constant)}


def words_of_template(path: Path) -> set[str]:
    code = templatize(path.read_text(), origin=str(path))
    found = re.findall(r"gettext\(\s*u?(?P<quote>'''|\"\"\"|'|\")(.*?)(?P=quote)", code, flags=re.DOTALL)
    return {text for _, text in found}


def sources() -> list[Path]:
    python = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return python + sorted((ROOT / "templates").rglob("*.html"))


def english(word: str) -> str:
    """Its translation; a text with a plural is found under its singular by ``ngettext`` alone in older Pythons."""
    single = translation.gettext(word)
    return single if single != word else translation.ngettext(word, word, 1)


def test_every_source_string_reads_in_english():
    words = {
        word: path
        for path in sources()
        for word in (words_of_python(path) if path.suffix == ".py" else words_of_template(path))
    }

    with translation.override("en"):
        left = {word: path.name for word, path in words.items() if CHINESE.search(english(word))}

    assert len(words) > 250
    assert left == {}


@pytest.mark.parametrize("source", CATALOGUES, ids=lambda path: path.parts[-5])
def test_the_compiled_catalogue_is_whole_and_current(source):
    assert catalogues.complaints(source) == []


def test_every_refusal_of_an_amount_is_said_in_english():
    """``purse`` knows no languages: its sentences are translated where amounts are typed."""
    code = (ROOT / "purse/money.py").read_text()
    said = set(re.findall(r'AmountError\("([^"]+)"\)', code.split("def fen_from_json")[0]))

    assert said == set(SENTENCES)
    with translation.override("en"):
        assert not [sentence for sentence in SENTENCES.values() if CHINESE.search(str(sentence))]


@pytest.mark.parametrize(
    ("typed", "says"), [("1.234", "two decimals"), ("abc", "12.50"), ("0", "above 0"), ("9" * 41, "too long")]
)
def test_a_page_says_it_in_english(web, typed, says):
    answer = web.get(f"/me/statement/?least={typed}", headers={"accept-language": "en"})

    assert answer.status_code == 400
    assert says in answer.content.decode()


def test_no_word_of_a_template_escapes_translation():
    """Chinese stands in templates only inside translation tags; the pages for faults are in both languages at once."""
    bilingual = {"400.html", "500.html", "503.html"}
    tags = re.compile(r"{%\s*blocktranslate.*?endblocktranslate\s*%}|{%.*?%}|{#.*?#}", flags=re.DOTALL)

    left = {
        path.name: found
        for path in sorted((ROOT / "templates").rglob("*.html"))
        if path.name not in bilingual and (found := set(CHINESE.findall(tags.sub("", path.read_text()))))
    }

    assert left == {"language.html": {"中", "文"}}
