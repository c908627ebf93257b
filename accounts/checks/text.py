"""Names and free text: what may be stored and shown, and in which one form.

Refused is what cannot be seen, cannot be stored or turns text round; markup and quotes are harmless here,
because every template escapes. NFC, so that two spellings of one name are equal (reliability.md section 7,
items 44-55).
"""

from __future__ import annotations

import unicodedata

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .errors import Rejected

NAME_MAX = 50
"""Characters of a name; the longest names of residence documents have 30."""

_VARIATION_SELECTORS = frozenset([*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
_BLANK_LETTERS = frozenset([0x115F, 0x1160, 0x3164, 0xFFA0, 0x034F, 0x2800])
"""Letters and marks that show nothing, though Unicode does not call them spaces."""
_IDEOGRAPHIC_PLANES = range(0x20000, 0x40000)
"""Here also characters newer than Python's tables are people's names."""


def parse_name(raw: str) -> str:
    """Accept a name of 1 to 50 characters, NFC, without outer spaces; no emoji. Raises ``Rejected``."""
    return parse_text(raw, field=_("姓名"), limit=NAME_MAX)


def parse_text(
    raw: str,
    *,
    field: str | Promise,
    limit: int,
    emoji: bool = False,
    lines: bool = False,
    empty: bool = False,
) -> str:
    """Accept text of at most ``limit`` characters, NFC, without outer spaces (U+3000 counts as a space).

    ``emoji`` allows symbols, ``lines`` allows line breaks (kept as LF), ``empty`` allows no text at all.
    Raises ``Rejected`` naming ``field``.
    """
    if not isinstance(raw, str):
        raise Rejected(_("%(field)s必须是文字"), field=field)
    if len(raw) > 4 * limit + 100:  # before any work on it: NFC and spaces never take that much away
        raise Rejected(_("%(field)s太长，最多 %(limit)s 个字符"), field=field, limit=limit)
    if lines:
        raw = raw.replace("\r\n", "\n").replace("\r", "\n")
    for character in raw:
        _check_character(character, field=field, emoji=emoji, lines=lines)
    text = unicodedata.normalize("NFC", raw).strip()
    if not text and not empty:
        raise Rejected(_("请填写%(field)s"), field=field)
    if len(text) > limit:
        raise Rejected(_("%(field)s太长，最多 %(limit)s 个字符"), field=field, limit=limit)
    return text


def _check_character(character: str, *, field: str | Promise, emoji: bool, lines: bool) -> None:
    code = ord(character)
    category = unicodedata.category(character)
    if character == "\n" and lines:
        return
    if category in {"Cc", "Zl", "Zp"}:
        raise Rejected(_("%(field)s不能含有换行或控制字符"), field=field)
    if category == "Cs":
        raise Rejected(_("%(field)s含有残缺的字符"), field=field)
    if emoji and (code == 0x200D or code in _VARIATION_SELECTORS):
        return  # they join and colour emoji
    if category == "Cf" or code in _VARIATION_SELECTORS or code in _BLANK_LETTERS:
        raise Rejected(_("%(field)s含有不可见字符"), field=field)
    if category == "Co" or (category == "Cn" and code not in _IDEOGRAPHIC_PLANES):
        raise Rejected(_("%(field)s含有无法显示的字符"), field=field)
    if not emoji and (category == "So" or 0x1F000 <= code <= 0x1FAFF):
        raise Rejected(_("%(field)s不能含有表情符号"), field=field)
