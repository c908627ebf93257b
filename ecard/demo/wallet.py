"""The cards of the demo as files for ``sim:DIR`` readers: personalised by the real procedure, then lived through."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from ecard.demo.seed import Resident, offline_fen
from purse.evidence import Side, State
from purse.keys import KeyBundle
from purse.procedures import (
    ClassicDriver,
    Day,
    Outcome,
    Personalisation,
    load_image,
    slot_write,
    spend_image,
)
from terminals.device.reader.field import Field
from terminals.device.reader.model import ClassicCard

CAMPUS_CODES = {"laoshan": 1, "yushan": 2, "fushan": 3}
CARD_TYPES = {"formal": 1, "named": 2}


def fill(folder: Path, residents: Iterable[Resident], *, keys: KeyBundle, today: date) -> int:
    """Write one card file per resident into ``folder`` (existing files of that name are replaced). Returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for resident in residents:
        card = make_card(resident, keys=keys, today=today)
        (folder / f"{resident.person.account_no}.json").write_text(card.to_json())
        count += 1
    return count


def blanks(folder: Path, count: int) -> None:
    """Put blank cards beside the others, for the desk."""
    for number in range(1, count + 1):
        card = ClassicCard.blank((0x04E00000 + number).to_bytes(4, "big"))
        (folder / f"blank-{number}.json").write_text(card.to_json())


def make_card(resident: Resident, *, keys: KeyBundle, today: date) -> ClassicCard:
    """One card that holds what the book says was written to it."""
    card = ClassicCard.blank(resident.card_uid)
    field = Field()
    field.place(card)
    link = field.select()
    if link is None:
        raise RuntimeError("a card that was just placed is not there")
    driver = ClassicDriver(link, keys)
    driver.prepare(_personalisation(resident, today))
    raw = driver.read_purse()
    history, number = resident.history, resident.person.account_no
    spend = State(len(history.spent), -sum(line.fen for line in history.spent), 1, offline_fen(history))
    load = State(len(history.loaded), sum(line.fen for line in history.loaded), 1)
    for side, slot, image in (
        (Side.LOAD, load.slot, load_image(raw.uid, number, load, today, resident.limit_fen, keys)),
        (Side.SPEND, spend.slot, spend_image(raw.uid, number, spend, Day(today, 0), keys)),
    ):
        if driver.commit(slot_write(raw, side, slot, image), raw.uid) is not Outcome.CONFIRMED:
            raise RuntimeError(f"card {number} did not take its money")
    card.deselect()
    return card


def _personalisation(resident: Resident, today: date) -> Personalisation:
    person = resident.person
    return Personalisation(
        account_no=person.account_no,
        card_type=CARD_TYPES[person.service.value],
        issue_no=1,
        campus=CAMPUS_CODES[person.campus],
        expires_on=date(today.year + 3, 7, 31),
        school_number_mac=bytes(8),
        day_limit_fen=resident.limit_fen,
        day_on=today,
    )
