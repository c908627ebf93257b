"""How well a card keeps its content: of each side two signed copies, of which the newer is in force."""

from __future__ import annotations

from purse import layout
from purse.evidence import Side
from purse.keys import KeyBundle, Role
from purse.procedures.content import RawCard


def broken_copies(raw: RawCard, keys: KeyBundle) -> dict[str, int]:
    """How many copies of each side are neither empty nor signed by us, sides without any left out.

    One is what a torn write leaves, and the next write goes over it; with two the side cannot be read any more. Empty
    for a card of another system, of which nothing can be said.
    """
    if layout.layout_version(raw.ident) != layout.VERSION:
        return {}
    account_no = layout.Ident.unpack(raw.ident).account_no
    broken: dict[str, int] = {}
    for side, images, blocks, role in (
        (Side.SPEND, raw.spend, layout.SPEND_SLOTS, Role.MAC_SPEND),
        (Side.LOAD, raw.load, layout.LOAD_SLOTS, Role.MAC_LOAD),
    ):
        bad = sum(
            any(image) and not keys.mac_matches(raw.uid, account_no, block, image, role)
            for image, block in zip(images, blocks, strict=True)
        )
        if bad:
            broken[side.value] = bad
    return broken
