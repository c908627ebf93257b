"""A simulated card behind a real PC/SC service: it plays the card to vpcd, the virtual reader of pcscd.

The wire is the vpcd protocol (2-byte big-endian length, body). What lies in the ``Field`` is in the reader;
the storage APDUs of PC/SC part 3 are answered here, as a contactless reader's firmware does.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from purse.link import BLOCK_BYTES, AccessRefused, KeyRefused, KeySlot, LinkError, SeveralCards

from .field import Field, FieldLink

ATR = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
"""ATR of a MIFARE Classic 1K behind a PC/SC reader (PC/SC part 3, 3.1.3.2.3)."""

POWER_OFF, POWER_ON, RESET, GET_ATR = 0, 1, 2, 4

OK = bytes.fromhex("9000")
NO_INFORMATION = bytes.fromhex("6300")
SECURITY_NOT_SATISFIED = bytes.fromhex("6982")
WRONG_LENGTH = bytes.fromhex("6700")
WRONG_PARAMETERS = bytes.fromhex("6A86")
UNKNOWN_INSTRUCTION = bytes.fromhex("6D00")

COUNT_CARDS = bytes.fromhex("FF00000004D44A0200")
"""PN532 InListPassiveTarget for up to two cards, wrapped as ACS readers take it; the answer's third byte counts."""

RETRY_S = 0.05


class Unplugged(Exception):
    """The card left in the middle of an APDU: no answer must be sent."""


@dataclass
class Forgery:
    """An answer the reader gives to a coming APDU instead of the true one.

    ``skip`` APDUs are answered truly before; ``executed`` says whether the card does the operation all the
    same.
    """

    answer: bytes
    executed: bool = False
    skip: int = 0


class Firmware:
    """What the reader makes of an APDU: key slots of its own, and the card in the field behind it."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._keys: dict[int, bytes] = {}
        self._link: FieldLink | None = None
        self._instructions: dict[int, Callable[[bytes], bytes]] = {
            0xCA: self._get_uid,
            0x82: self._load_key,
            0x86: self._authenticate,
            0xB0: self._read,
            0xD6: self._write,
            0x00: self._direct,
        }

    def select(self) -> None:
        """Power the card: choose the one in the field, if it is alone."""
        try:
            self._link = self._field.select()
        except SeveralCards:
            self._link = None

    def answer(self, apdu: bytes) -> bytes:
        """Do what an APDU asks and return data and status. Raises ``Unplugged`` when the card left meanwhile."""
        instruction = self._instructions.get(apdu[1]) if len(apdu) >= 5 and apdu[0] == 0xFF else None
        if instruction is None:
            return UNKNOWN_INSTRUCTION
        try:
            return instruction(apdu)
        except AccessRefused:
            return SECURITY_NOT_SATISFIED
        except (KeyRefused, SeveralCards):
            return NO_INFORMATION
        except LinkError as error:
            if self._field.cards:
                return NO_INFORMATION
            raise Unplugged from error

    def _card(self) -> FieldLink:
        """The link, made anew when the card came back after a moment: real readers select again by themselves."""
        if self._link is None or self._link.generation != self._field.generation:
            self.select()
        if self._link is None:
            raise SeveralCards if self._field.cards else Unplugged
        return self._link

    def _get_uid(self, apdu: bytes) -> bytes:
        return self._card().uid() + OK

    def _load_key(self, apdu: bytes) -> bytes:
        number, key = apdu[3], apdu[5:]
        if len(key) != 6 or apdu[4] != 6:
            return WRONG_LENGTH
        self._keys[number] = key
        return OK

    def _authenticate(self, apdu: bytes) -> bytes:
        if len(apdu) != 10 or apdu[5] != 1 or apdu[8] not in (0x60, 0x61) or apdu[9] not in self._keys:
            return WRONG_PARAMETERS
        slot = KeySlot.A if apdu[8] == 0x60 else KeySlot.B
        self._card().authenticate(apdu[7], self._keys[apdu[9]], slot)
        return OK

    def _read(self, apdu: bytes) -> bytes:
        if apdu[4] != BLOCK_BYTES:
            return WRONG_LENGTH
        return self._card().read(apdu[3]) + OK

    def _write(self, apdu: bytes) -> bytes:
        if apdu[4] != BLOCK_BYTES or len(apdu) != 5 + BLOCK_BYTES:
            return WRONG_LENGTH
        self._card().write(apdu[3], apdu[5:])
        return OK

    def _direct(self, apdu: bytes) -> bytes:
        if apdu != COUNT_CARDS:
            return UNKNOWN_INSTRUCTION
        return bytes([0xD5, 0x4B, min(2, len(self._field.cards))]) + OK


class VirtualCard:
    """The thread that carries a field into one slot of vpcd: connected exactly while a card lies in the field."""

    def __init__(self, field: Field, port: int, *, host: str = "127.0.0.1") -> None:
        self.field = field
        self.notices_swaps = True
        """Whether the reader reports a card exchanged in a blink; if not, APDUs silently reach the other card."""
        self.apdus: list[bytes] = []
        """Every APDU that came, for tests that count what reached the card."""
        self._address = (host, port)
        self._firmware = Firmware(field)
        self._forgeries: list[Forgery] = []
        self._speaking = threading.Event()
        self._speaking.set()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"vpcd:{port}", daemon=True)
        self._thread.start()

    def forge(self, forgery: Forgery) -> None:
        """Answer a coming APDU falsely."""
        self._forgeries.append(forgery)

    def silence(self, silent: bool) -> None:
        """Stop answering APDUs at all, or go on."""
        if silent:
            self._speaking.clear()
        else:
            self._speaking.set()

    def close(self) -> None:
        """Take the card out and end the thread."""
        self._stopped = True
        self._speaking.set()
        self.field.lift()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopped:
            with self.field.changed:
                if not self.field.cards:
                    self.field.changed.wait(RETRY_S * 10)
                    continue
                present = self.field.cards
            try:
                with socket.create_connection(self._address, timeout=2) as wire:
                    self._serve(wire, present)
            except OSError:
                time.sleep(
                    RETRY_S
                )  # pcscd is not there yet, or has just gone; the card stays and tries again

    def _serve(self, wire: socket.socket, present: tuple[object, ...]) -> None:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.settimeout(RETRY_S)
        while not self._stopped and self._same(present):
            try:
                body = _receive(wire)
            except TimeoutError:
                continue
            try:
                answer = self._reply(body)
            except Unplugged:
                return
            if answer is not None:
                wire.sendall(len(answer).to_bytes(2, "big") + answer)

    def _same(self, present: tuple[object, ...]) -> bool:
        """Whether the card that was in the reader when the wire was made is still there; a swap is a new wire."""
        cards = self.field.cards
        return bool(cards) and (cards[0] is present[0] or not self.notices_swaps)

    def _reply(self, body: bytes) -> bytes | None:
        if len(body) == 1:
            if body[0] in (POWER_ON, RESET):
                self._firmware.select()
            return ATR if body[0] == GET_ATR else None
        self.apdus.append(body)
        self._speaking.wait()
        forged = self._forged(body)
        return self._firmware.answer(body) if forged is None else forged

    def _forged(self, apdu: bytes) -> bytes | None:
        if not self._forgeries:
            return None
        forgery = self._forgeries[0]
        if forgery.skip > 0:
            forgery.skip -= 1
            return None
        self._forgeries.pop(0)
        if forgery.executed:
            self._firmware.answer(apdu)
        return forgery.answer


def _receive(wire: socket.socket) -> bytes:
    """Read one message. Raises ``TimeoutError`` only between messages, ``ConnectionError`` at the end."""
    head = _exactly(wire, 2)
    return _exactly(wire, int.from_bytes(head, "big"))


def _exactly(wire: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        # Without this the kernel delays its ACK and every APDU costs 44 ms; it must be set again before each
        # recv.
        if hasattr(socket, "TCP_QUICKACK"):
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = wire.recv(length - len(data))
        if not part:
            raise ConnectionError("vpcd closed the wire")
        data += part
    return data
