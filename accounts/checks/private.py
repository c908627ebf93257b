"""Making what people write for the public board safe to show: numbers that lead to a person do not get in.

Telephone, identity, bank and school numbers are runs of seven digits or more, in whatever script and with whatever
between them; dates and short numbers (a room, a price, a time) stay. Mail addresses go as well. What was masked is not
stored anywhere (reliability.md E12).
"""

from __future__ import annotations

import re

MASK = "***"
_DATE = r"(?:19|20)\d\d\s?[-./年]\s?\d{1,2}\s?[-./月]\s?\d{1,2}(?!\d)"
_GAP = r"[ \u3000\-‐-―－_.·•*/()（）]"
_RUN = rf"\+?\d(?:{_GAP}{{0,2}}\d){{6,}}(?:{_GAP}?[XxＸｘ])?"
_SPOKEN = r"[零〇○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖](?:[ \-－]?[零〇○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖]){6,}"
_MAIL = r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})*"
_PRIVATE = re.compile(rf"(?P<date>{_DATE})|{_MAIL}|{_RUN}|{_SPOKEN}")
_LEADS_AWAY = re.compile(
    r"https?:|www\.|\b[\w-]+\.(?:com|cn|net|org|cc|top|xyz)\b|微信|威信|薇信|\bwx\b|\bqq\b|扣扣|telegram",
    re.IGNORECASE,
)


def mask_private(text: str) -> str:
    """``捡到请打 138-0000-1234`` → ``捡到请打 ***``; ``2026-08-03 12:08 学苑餐厅 302`` stays as it is."""
    return _PRIVATE.sub(lambda found: found[0] if found["date"] else MASK, text)


def leads_away(text: str) -> bool:
    """Whether a text wants the reader to go somewhere else: a link, or the name of a messenger."""
    return _LEADS_AWAY.search(text) is not None
