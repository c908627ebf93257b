"""One card behind a reader's APDUs: what an answer means, and what is asked again before it is believed.

A pulled card can look like success with an empty answer, and readers say 63 00 for nearly everything. So
after any answer that is not plainly right the card is asked for its UID again; then reader and service are
looked for.
"""

from __future__ import annotations

from collections.abc import Callable

from purse.link import (
    BLOCK_BYTES,
    AccessRefused,
    CardGone,
    GarbledAnswer,
    KeyRefused,
    KeySlot,
    LinkError,
    ReaderGone,
    SeveralCards,
)

from .profile import OK, ReaderProfile
from .worker import Stuck

UID_LENGTHS = (4, 7)


class CallFailed(Exception):
    """A call of the PC/SC service failed; why is not to be had from its return code."""


class ApduLink:
    """``purse.link.CardLink`` over one connection. Dead for good after the first sign that the card changed.

    ``transmit`` sends an APDU within so many seconds and raises ``CallFailed`` or ``Stuck``; ``reader_gone``
    looks whether reader and service are still there. Making a link asks for the UID; raises ``LinkError``,
    among them ``SeveralCards`` where the reader can count.
    """

    def __init__(
        self,
        transmit: Callable[[bytes, float], bytes],
        profile: ReaderProfile,
        reader_gone: Callable[[], bool],
    ) -> None:
        self._send = transmit
        self._profile = profile
        self._reader_gone = reader_gone
        self._dead: type[LinkError] | None = None
        self._uid = b""
        self._refuse_company()
        self._uid = self.uid()

    @property
    def dead(self) -> bool:
        """Whether the card, or the reader, was lost."""
        return self._dead is not None

    def retire(self, reason: type[LinkError]) -> None:
        """Make the link dead, because its connection ends."""
        self._dead = self._dead or reason

    def uid(self) -> bytes:
        data, status = self._exchange(self._profile.get_uid())
        if status != OK or len(data) not in UID_LENGTHS:
            raise self._judged(GarbledAnswer(f"UID: {_hex(data, status)}"))
        if data != (self._uid or data):
            # Another card under the open connection: its APDUs would be answered as if nothing had happened.
            raise self._over(CardGone("another card"))
        return data

    def authenticate(self, block: int, key: bytes, slot: KeySlot) -> None:
        profile = self._profile
        data, status = self._exchange(profile.load_key(key, slot))
        if status != OK or data:
            raise self._judged(GarbledAnswer(f"load key: {_hex(b'', status)}"))
        data, status = self._exchange(profile.authenticate(block, slot))
        if status == OK and not data:
            return
        # 6300 is said for a wrong key and for no card alike, so the card is asked whether it is still there.
        refused = status in profile.auth_refused and not data
        raise self._judged(
            KeyRefused(f"block {block}, key {slot}")
            if refused
            else GarbledAnswer(f"auth: {_hex(data, status)}"),
        )

    def read(self, block: int) -> bytes:
        data, status = self._exchange(self._profile.read(block))
        if status == OK and len(data) == BLOCK_BYTES:
            return data
        refused = status in self._profile.read_refused and not data
        raise self._judged(
            AccessRefused(f"read block {block}") if refused else GarbledAnswer(f"read: {_hex(data, status)}"),
        )

    def write(self, block: int, data: bytes) -> None:
        if len(data) != BLOCK_BYTES:
            raise ValueError(f"a block has {BLOCK_BYTES} bytes, not {len(data)}")
        answer, status = self._exchange(self._profile.write(block, data))
        if status == OK and not answer:
            return
        # Only a clear no of a card that is still there is a refusal. 6300 and everything else may mean that
        # the write was cut, even if the card is back by now: that leaves as GarbledAnswer, which the purse
        # takes for doubt.
        refused = status in self._profile.write_refused and not answer
        raise self._judged(
            AccessRefused(f"write block {block}")
            if refused
            else GarbledAnswer(f"write: {_hex(answer, status)}"),
        )

    def _refuse_company(self) -> None:
        """Raise ``SeveralCards`` if the reader can count and counts more than one."""
        if self._profile.count_cards is not None:
            data, status = self._exchange(self._profile.count_cards)
            if status == OK and len(data) > 2 and data[2] > 1:
                raise self._over(SeveralCards(f"{data[2]} cards"))

    def _exchange(self, apdu: bytes) -> tuple[bytes, int]:
        """Send one APDU; return data and status word. A stump of an answer has a status that nobody expects."""
        if self._dead is not None:
            raise self._dead("this link is over")
        answer = self._transmit(apdu)
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def _transmit(self, apdu: bytes) -> bytes:
        try:
            return self._send(apdu, self._profile.operation_timeout_s)
        except Stuck as error:
            raise self._over(ReaderGone("no answer in time")) from error
        except CallFailed as error:
            raise self._gone(str(error)) from error

    def _judged(self, if_card_is_there: LinkError) -> LinkError:
        """Return what is true: the given error when the same card still answers, else that it is gone."""
        answer = self._transmit(self._profile.get_uid())
        uid, status = answer[:-2], answer[-2:]
        if status == OK.to_bytes(2, "big") and len(uid) in UID_LENGTHS and uid == (self._uid or uid):
            return if_card_is_there
        return self._gone(str(if_card_is_there))

    def _gone(self, why: str) -> LinkError:
        return self._over(ReaderGone(why) if self._reader_gone() else CardGone(why))

    def _over(self, error: LinkError) -> LinkError:
        """Make the link dead for the reason given."""
        self._dead = type(error)
        return error


def _hex(data: bytes, status: int) -> str:
    return f"{len(data)} bytes, {status:04X}"
