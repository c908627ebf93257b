"""Pictures of people who do not exist, drawn from a few ellipses: nobody's face is anybody's."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterable
from typing import Final

from PIL import Image, ImageDraw

SIZE: Final = (240, 320)
_WALLS: Final = ("#cfe3ee", "#dfe7ea", "#e8e2d6", "#d7e6dc", "#e4dcea")
_SKINS: Final = ("#f0cdb0", "#e3b593", "#c98f6b", "#f6dcc6")
_HAIRS: Final = ("#211a17", "#3a2a22", "#57402f", "#17191d")
_SHIRTS: Final = ("#2d6a8a", "#8a3f4a", "#3c7a55", "#54507f", "#a8742b", "#44525c")


def face(seed: str) -> bytes:
    """A portrait as PNG, 3 : 4; the same seed is always the same face."""
    chance = random.Random(f"face {seed}")  # noqa: S311 - the demo must repeat itself
    skin, hair = chance.choice(_SKINS), chance.choice(_HAIRS)
    picture = Image.new("RGB", SIZE, chance.choice(_WALLS))
    pen = ImageDraw.Draw(picture)
    wide, long_hair = chance.randint(52, 60), chance.random() < 0.5
    if long_hair:
        pen.rounded_rectangle((120 - wide - 14, 92, 120 + wide + 14, 236), 40, fill=hair)
    pen.ellipse((18, 236, 222, 420), fill=chance.choice(_SHIRTS))
    pen.rounded_rectangle((98, 196, 142, 260), 20, fill=skin)
    pen.ellipse((120 - wide - 6, 62, 120 + wide + 6, 180), fill=hair)
    pen.ellipse((120 - wide, 82, 120 + wide, 218), fill=skin)
    pen.chord((120 - wide, 70, 120 + wide, 170), 188 + chance.randint(0, 8), 352, fill=hair)
    for x in (97, 143):
        pen.ellipse((x - 5, 146, x + 5, 156), fill="#26211f")
    if chance.random() < 0.35:
        for x in (97, 143):
            pen.ellipse((x - 18, 133, x + 18, 169), outline="#30343a", width=3)
        pen.line((115, 151, 125, 151), fill="#30343a", width=3)
    pen.arc((100, 166, 140, 196), 25, 155, fill="#a35a4f", width=4)
    return _as_png(picture)


def lying(seed: str) -> bytes:
    """The same, lying on its side: no passport picture."""
    with Image.open(io.BytesIO(face(seed))) as upright:
        return _as_png(upright.rotate(90, expand=True))


def archive(names: Iterable[str], *, others: dict[str, bytes]) -> io.BytesIO:
    """A zip of portraits named by school number, as a photographer delivers it; ``others`` as they are."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as made:
        for name in names:
            made.writestr(f"{name}.png", face(name))
        for name, content in others.items():
            made.writestr(name, content)
    kept.seek(0)
    return kept


def _as_png(picture: Image.Image) -> bytes:
    kept = io.BytesIO()
    picture.save(kept, "PNG", compress_level=1)
    return kept.getvalue()
