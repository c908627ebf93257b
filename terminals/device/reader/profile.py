"""How one family of contactless readers differs from the common PC/SC storage-card commands.

The commands are those of PC/SC part 3, section 3.2.2; what a manual adds or changes is named beside each
profile. A new family is one more entry of ``PROFILES`` (``docs/readers.md``).
"""

from __future__ import annotations

from dataclasses import dataclass

from purse.link import BLOCK_BYTES, KeySlot

OK = 0x9000
NO_INFORMATION = 0x6300
SECURITY_NOT_SATISFIED = 0x6982
AUTHENTICATION_BLOCKED = 0x6983
COMMAND_NOT_ALLOWED = 0x6986

KEY_TYPE = {KeySlot.A: 0x60, KeySlot.B: 0x61}
"""Key types as a MIFARE reader names them."""


@dataclass(frozen=True)
class ReaderProfile:
    """The dialect of a reader family.

    ``name_part`` is looked for in the reader's PC/SC name, without regard to case. The status sets say which
    words mean *the card said no, and is still there*; the link asks for the UID again before it believes
    them.
    """

    family: str
    name_part: str
    key_structure: int = 0x00
    """P1 of LOAD KEYS: 00 volatile memory, 20 non-volatile."""
    key_number: int = 0x00
    """Slot of the loaded key, named by LOAD KEYS and by GENERAL AUTHENTICATE."""
    slot_per_key_type: bool = False
    """Whether LOAD KEYS names the key type (60, 61) in place of a slot."""
    auth_refused: frozenset[int] = frozenset({NO_INFORMATION, SECURITY_NOT_SATISFIED, AUTHENTICATION_BLOCKED})
    read_refused: frozenset[int] = frozenset({NO_INFORMATION, SECURITY_NOT_SATISFIED, COMMAND_NOT_ALLOWED})
    write_refused: frozenset[int] = frozenset({SECURITY_NOT_SATISFIED, COMMAND_NOT_ALLOWED})
    """Never 6300: after a write it may as well mean that the card was lost half way. That is doubt, not a refusal."""
    count_cards: bytes | None = None
    """A command whose answer's third byte counts the cards in the field, where a reader has one."""
    operation_timeout_s: float = 2.0
    """The watchdog: a card operation takes some 20 ms, so a reader silent for this long is gone."""

    def get_uid(self) -> bytes:
        """GET DATA: the UID of the card in the field."""
        return bytes.fromhex("FFCA000000")

    def load_key(self, key: bytes, slot: KeySlot) -> bytes:
        """LOAD KEYS into the reader; the card hears nothing of it."""
        place = KEY_TYPE[slot] if self.slot_per_key_type else self.key_number
        return bytes([0xFF, 0x82, self.key_structure, place, len(key)]) + key

    def authenticate(self, block: int, slot: KeySlot) -> bytes:
        """GENERAL AUTHENTICATE with the loaded key."""
        return bytes([0xFF, 0x86, 0x00, 0x00, 0x05, 0x01, 0x00, block, KEY_TYPE[slot], self.key_number])

    def read(self, block: int) -> bytes:
        """READ BINARY of one block."""
        return bytes([0xFF, 0xB0, 0x00, block, BLOCK_BYTES])

    def write(self, block: int, data: bytes) -> bytes:
        """UPDATE BINARY of one block."""
        return bytes([0xFF, 0xD6, 0x00, block, BLOCK_BYTES]) + data


COUNT_BY_PN532 = bytes.fromhex("FF00000004D44A0200")
"""PN532 InListPassiveTarget, at most two targets at 106 kbit/s, wrapped as in ACR122U API 2.04, 5.1."""

STANDARD = ReaderProfile("PC/SC part 3", "")

PROFILES = (
    # ACR122U Application Programming Interface 2.04: volatile slots 00 and 01; every refusal is 6300.
    ReaderProfile("ACS ACR122U", "ACR122"),
    # ACR128 and ACR1281U API: the one volatile slot is number 20, the lower ones are kept for good.
    ReaderProfile("ACS ACR128", "ACR128", key_number=0x20),
    # ACR1252U and ACR1255U reference manuals: volatile slots 00 and 01.
    ReaderProfile("ACS ACR125x", "ACR125"),
    # OMNIKEY 5x21, 5022 and 5422 developer guides: no volatile slots, 6986 when asked for one.
    ReaderProfile("HID OMNIKEY", "OMNIKEY", key_structure=0x20),
    # SCL3711 and uTrust 37xxF reference manuals, 6.2.3 and 6.2.4: a slot per key type, key number 01.
    ReaderProfile("Identiv uTrust", "uTrust", key_number=0x01, slot_per_key_type=True),
    ReaderProfile("SCM SCL3711", "SCL3711", key_number=0x01, slot_per_key_type=True),
    # The virtual reader of vsmartcard, behind which ``vpcd`` plays a PN532 that can count.
    ReaderProfile("vpcd", "Virtual PCD", count_cards=COUNT_BY_PN532),
)


def profile_for(reader_name: str) -> ReaderProfile:
    """Return the profile of the family a reader's name belongs to, else the standard commands."""
    lowered = reader_name.casefold()
    return next((profile for profile in PROFILES if profile.name_part.casefold() in lowered), STANDARD)
