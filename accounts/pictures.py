"""Taking a picture apart and drawing it anew: what comes out are pixels, and nothing else of what came in.

Checked before a pixel is decoded: size of the file, what it really is, and its dimensions (a small file can claim a
picture of gigabytes). Position, camera, comments and anything hidden behind the picture are gone afterwards.
"""

from __future__ import annotations

import io
import warnings

from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps, UnidentifiedImageError

from accounts.checks import Rejected

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 40_000_000
LEAST_WIDTH, LEAST_HEIGHT = 150, 200
BOX = (480, 640)
"""What is kept at most: 300 dots an inch on a card are less."""
_FORMATS = ("JPEG", "PNG")


def portrait(data: bytes) -> bytes:
    """A holder's picture as JPEG, upright, cut to 3 : 4 about its middle. Raises ``Rejected`` with the reason."""
    if not data:
        raise Rejected(_("照片是空的"))
    if len(data) > MAX_BYTES:
        raise Rejected(_("照片超过 %(limit)s MB"), limit=MAX_BYTES // 1024 // 1024)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return _drawn_anew(data)
    except Rejected:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise Rejected(_("不是 JPEG 或 PNG 照片")) from None
    except (OSError, ValueError, SyntaxError, TypeError, IndexError, EOFError, MemoryError):
        raise Rejected(_("照片文件不完整，打不开")) from None


def _drawn_anew(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=_FORMATS) as source:
        width, height = source.size
        if width * height > MAX_PIXELS:
            raise Rejected(_("照片尺寸太大：%(width)s × %(height)s"), width=width, height=height)
        if getattr(source, "n_frames", 1) > 1:
            raise Rejected(_("不接受动画照片"))
        source.draft("RGB", (BOX[0] * 2, BOX[1] * 2))  # a large JPEG is decoded small at once
        upright = ImageOps.exif_transpose(source)
        if width * height < LEAST_WIDTH * LEAST_HEIGHT or min(width, height) < LEAST_WIDTH:
            raise Rejected(
                _("照片太小：至少 %(width)s × %(height)s 像素"), width=LEAST_WIDTH, height=LEAST_HEIGHT
            )
        if upright.width > upright.height * 1.2:
            raise Rejected(_("照片是横的，请用竖幅证件照"))
        plain = Image.new("RGB", upright.size, "white")
        seen = upright.convert("RGBA")
        plain.paste(seen, mask=seen.getchannel("A"))
    size = _box(plain.size)
    cut = ImageOps.fit(plain, size, Image.Resampling.LANCZOS)
    kept = io.BytesIO()
    cut.save(kept, "JPEG", quality=85, optimize=True)
    return kept.getvalue()


def _box(size: tuple[int, int]) -> tuple[int, int]:
    """The largest 3 : 4 within the picture, and never larger than what is kept."""
    width = min(size[0], size[1] * 3 // 4, BOX[0])
    return width, width * 4 // 3
