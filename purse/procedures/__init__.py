"""The careful ways to read, write and prepare a card. The only room that knows ``purse.layout``."""

from purse.procedures.classic import ClassicDriver, Outcome, PurseDriver
from purse.procedures.content import (
    CardDamaged,
    Day,
    ForeignCard,
    Personalisation,
    Purse,
    RawCard,
    SlotWrite,
    account_claimed,
    decode,
    is_worn,
    load_image,
    load_sector,
    offline_state,
    ring_image,
    slot_write,
    spend_image,
)

__all__ = [
    "CardDamaged",
    "ClassicDriver",
    "Day",
    "ForeignCard",
    "Outcome",
    "Personalisation",
    "Purse",
    "PurseDriver",
    "RawCard",
    "SlotWrite",
    "account_claimed",
    "decode",
    "is_worn",
    "load_image",
    "load_sector",
    "offline_state",
    "ring_image",
    "slot_write",
    "spend_image",
]
