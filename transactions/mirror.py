"""How the book's view of a card (``purse.evidence``) stands in the columns of ``accounts_card``, and back.

``legs``:   ``{"spend": [[entry_seq, purse_seq, fen, terminal, journal_seq, shown], …], "load": […]}``
``images``: ``{"spend": {"floor": [seq, total_fen, offline_fen, stop], "told": [[seq, total_fen, stop], …]}, …}``;
an image that was withheld has a ``true`` behind these three, and so equals no answer's image.
A side that is absent has nothing open, and its floor is what the plain columns show.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from purse.evidence import Leg, SideMirror, State, confirm

Json = dict[str, Any]


def read_side(side: str, shown: State, legs: Json, images: Json) -> SideMirror:
    """Build one side from its columns. Slots are unknown until a sighting (``purse.evidence.observe``) tells them."""
    kept = images.get(side) or {}
    floor = kept.get("floor")
    return SideMirror(
        shown=shown,
        floor=State(floor[0], floor[1], shown.slot, floor[2], floor[3]) if floor else shown,
        told=tuple(
            State(seq, total, 0, 0, stop, withheld=bool(withheld))
            for seq, total, stop, *withheld in kept.get("told", ())
        ),
        legs=tuple(Leg(*leg) for leg in legs.get(side, ())),
    )


def confirm_told(mirror: SideMirror, side: str, told: Iterable[Json | None] | None) -> SideMirror:
    """Take in the read-backs reported of this card; ``told`` is what ``Answer.told`` says of each."""
    for images in told or ():
        if images and side in images:
            seq, total_fen, _ = images[side]
            mirror = confirm(mirror, seq=seq, total_fen=total_fen)
    return mirror


def write_sides(spend: SideMirror, load: SideMirror) -> tuple[Json, Json]:
    """The ``legs`` and ``images`` columns of both sides; empty objects in the plain case."""
    legs: Json = {}
    images: Json = {}
    for side, mirror in (("spend", spend), ("load", load)):
        if mirror.legs:
            legs[side] = [_leg(leg) for leg in mirror.legs]
        if mirror.told or mirror.in_doubt:
            floor = mirror.floor
            images[side] = {
                "floor": [floor.seq, floor.total_fen, floor.offline_fen, floor.stop],
                "told": [_image(image) for image in mirror.told],
            }
    return legs, images


def _leg(leg: Leg) -> list[object]:
    return [leg.entry, leg.seq, leg.fen, leg.terminal, leg.journal_seq, leg.shown]


def _image(image: State) -> list[object]:
    return [image.seq, image.total_fen, image.stop, *([True] if image.withheld else [])]
