"""Compiled translations are committed, so that nobody needs gettext; this says whether they are current."""

from __future__ import annotations

import ast
import gettext
import re
import struct
from pathlib import Path

from ecard.ctl.environment import ROOT

_FIELD = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d+)\])?\s+(".*")')
Entries = dict[str, str]
"""What a catalogue maps: context, identifier and plural forms joined as in the compiled format."""


def complaints(source: Path) -> list[str]:
    """What is wrong with the compiled neighbour of a `.po` file, one line each."""
    compiled = source.with_suffix(".mo")
    if not compiled.exists():
        return [f"{source.name}: there is no {compiled.name}"]
    # The compiled form knows a plural by its singular only.
    wanted = {key.partition("\0")[0]: text for key, text in read_entries(source).items()}
    untranslated = [key for key, text in wanted.items() if key and not text.replace("\0", "")]
    seen = _compiled_entries(compiled)
    stale = [key for key, text in wanted.items() if key and text and seen.pop(key, None) != text]
    gone = [key for key in seen if key and key not in wanted]
    return [
        *(f"{source.name}: {_shown(key)} is not translated" for key in untranslated),
        *(f"{source.name}: {_shown(key)} differs from the compiled catalogue" for key in stale),
        *(f"{source.name}: {_shown(key)} is only in the compiled catalogue" for key in gone),
    ]


def sources() -> list[Path]:
    """Every catalogue of the project: the common one and those of the rooms."""
    found = [*ROOT.glob("locale/*/LC_MESSAGES/*.po"), *ROOT.glob("[!.]*/locale/*/LC_MESSAGES/*.po")]
    return sorted(found)


def read_entries(source: Path) -> Entries:
    """The entries of a `.po` file; fuzzy ones count as not translated, obsolete ones are comments."""
    entries: Entries = {}
    for paragraph in re.split(r"\n\s*\n", source.read_text(encoding="utf-8")):
        lines = [line for line in paragraph.splitlines() if line.strip()]
        fields = _fields([line for line in lines if not line.startswith("#")])
        if "msgid" not in fields:
            continue
        key = fields["msgid"]
        if "msgid_plural" in fields:
            key += "\0" + fields["msgid_plural"]
        if "msgctxt" in fields:
            key = fields["msgctxt"] + "\x04" + key
        forms = [text for name, text in fields.items() if name.startswith("msgstr")]
        fuzzy = any(line.startswith("#,") and "fuzzy" in line for line in lines) and key
        entries[key] = "" if fuzzy else "\0".join(forms)
    return entries


def compile_entries(entries: Entries) -> bytes:
    """The compiled (`.mo`) form of the translated entries, as the GNU gettext manual describes it."""
    pairs = sorted((key.encode(), text.encode()) for key, text in entries.items() if text)
    count = len(pairs)
    offset = 28 + 16 * count
    tables: list[bytes] = []
    heap = b""
    for column in (0, 1):
        for pair in pairs:
            tables.append(struct.pack("<2I", len(pair[column]), offset + len(heap)))
            heap += pair[column] + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0) + b"".join(tables) + heap


def _fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in lines:
        if match := _FIELD.fullmatch(line.strip()):
            name = match[1] + (match[2] or "")
            fields[name] = ast.literal_eval(match[3])
        elif name:
            fields[name] += ast.literal_eval(line.strip())
    return fields


def _compiled_entries(compiled: Path) -> Entries:
    with compiled.open("rb") as file:
        catalogue: dict[str | tuple[str, int], str] = vars(gettext.GNUTranslations(file))["_catalog"]
    singular = {key: text for key, text in catalogue.items() if isinstance(key, str)}
    plural: dict[str, list[str]] = {}
    for key, text in catalogue.items():
        if isinstance(key, tuple):
            plural.setdefault(key[0], []).append(text)
    return singular | {key: "\0".join(forms) for key, forms in plural.items()}


def _shown(key: str) -> str:
    return key.replace("\x04", " | ")


def main() -> None:
    """Compile every catalogue of the project."""
    for source in sources():
        source.with_suffix(".mo").write_bytes(compile_entries(read_entries(source)))


if __name__ == "__main__":
    main()
