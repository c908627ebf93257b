"""What an answer means, without any reader: answers that no virtual reader can give, and the bytes of each dialect."""

from __future__ import annotations

import pytest

from purse.link import CardGone, GarbledAnswer, KeySlot, LinkError, ReaderGone, SeveralCards
from terminals.device.reader.apdu import ApduLink, CallFailed
from terminals.device.reader.profile import PROFILES, STANDARD, ReaderProfile, profile_for
from terminals.device.reader.worker import Stuck
from tests.readers.bench import NEW, OLD, SPEND_BLOCK

UID = bytes.fromhex("04A1B2C3")
OK = b"\x90\x00"
GONE = b"\x63\x00"


class Script:
    """A reader that says what it is told to, then goes on with one answer."""

    def __init__(self, *answers, then=UID + OK, reader_gone=False):
        self.answers = list(answers)
        self.then = then
        self.reader_gone = reader_gone
        self.sent = []

    def __call__(self, apdu, timeout):
        self.sent.append(apdu)
        answer = self.answers.pop(0) if self.answers else self.then
        if isinstance(answer, Exception):
            raise answer
        return answer

    def link(self, profile=STANDARD):
        self.answers.insert(0, UID + OK)
        return ApduLink(self, profile, lambda: self.reader_gone)


OPERATIONS = {
    "uid": lambda link: link.uid(),
    "authenticate": lambda link: link.authenticate(SPEND_BLOCK, bytes(6), KeySlot.A),
    "read": lambda link: link.read(SPEND_BLOCK),
    "write": lambda link: link.write(SPEND_BLOCK, NEW),
}


@pytest.fixture(params=OPERATIONS.values(), ids=OPERATIONS.keys())
def operation(request):
    return request.param


def test_success_without_an_answer_is_a_card_that_left(operation):
    """pcscd reports a pull during an APDU as success with nothing in it."""
    script = Script(then=b"")
    link = script.link()

    with pytest.raises(CardGone):
        operation(link)


def test_success_without_an_answer_from_a_card_that_is_still_there_is_garbled(operation):
    link = Script(b"").link()

    with pytest.raises(GarbledAnswer):
        operation(link)
    assert link.uid() == UID


@pytest.mark.parametrize("answer", [GONE, b"\x69\x82", b"\x6f\x00", b"\x90", b"", bytes(300) + OK])
def test_a_strange_answer_and_then_no_uid_is_a_card_that_left(operation, answer):
    link = Script(answer, GONE).link()

    with pytest.raises(CardGone):
        operation(link)
    with pytest.raises(CardGone):
        link.uid()


@pytest.mark.parametrize("answer", [GONE, b"\x69\x82", b"\x6f\x00"])
def test_a_strange_answer_and_then_another_uid_is_a_card_that_left(operation, answer):
    script = Script(answer, then=bytes.fromhex("04FFEEDD") + OK)
    link = script.link()

    with pytest.raises(CardGone):
        operation(link)
    sent = len(script.sent)
    with pytest.raises(CardGone):
        operation(link)
    assert len(script.sent) == sent


def test_a_strange_answer_from_a_reader_that_is_gone_says_so(operation):
    link = Script(GONE, GONE, reader_gone=True).link()

    with pytest.raises(ReaderGone):
        operation(link)


@pytest.mark.parametrize("reader_gone", [False, True])
def test_a_failed_call_is_card_or_reader_gone_by_looking_not_by_its_code(operation, reader_gone):
    link = Script(CallFailed("Command successful."), reader_gone=reader_gone).link()

    for _ in range(2):
        with pytest.raises(ReaderGone if reader_gone else CardGone):
            operation(link)


def test_a_call_that_hangs_is_the_end_of_the_reader(operation):
    script = Script(Stuck())
    link = script.link()

    for _ in range(2):
        with pytest.raises(ReaderGone):
            operation(link)
    assert len(script.sent) == 2


def test_an_operation_is_never_repeated_by_the_link(operation):
    """link.py: a link never repeats an operation by itself; only the UID is asked again."""
    script = Script(b"\x6f\x00")
    link = script.link()

    with pytest.raises(LinkError):
        operation(link)

    assert len(script.sent[1:]) == 2
    assert script.sent[-1] == STANDARD.get_uid()


@pytest.mark.parametrize("length", [0, 3, 5, 8, 10])
def test_a_uid_of_another_length_makes_no_link(length):
    with pytest.raises(LinkError):
        ApduLink(Script(then=bytes(length) + OK), STANDARD, lambda: False)


@pytest.mark.parametrize(("count", "refused"), [(0, False), (1, False), (2, True)])
def test_a_reader_that_can_count_refuses_company(count, refused):
    counting = ReaderProfile("counting", "", count_cards=b"\xff\x00")
    script = Script(bytes([0xD5, 0x4B, count]) + OK)

    if refused:
        with pytest.raises(SeveralCards):
            ApduLink(script, counting, lambda: False)
    else:
        assert ApduLink(script, counting, lambda: False).uid() == UID


def test_the_standard_commands_are_those_of_pcsc_part_3():
    script = Script(OK, OK, OLD + OK, OK)
    link = script.link()

    link.authenticate(SPEND_BLOCK, bytes.fromhex("A0A1A2A3A4A5"), KeySlot.B)
    link.read(SPEND_BLOCK)
    link.write(SPEND_BLOCK, NEW)

    assert [apdu.hex().upper() for apdu in script.sent] == [
        "FFCA000000",
        "FF82000006A0A1A2A3A4A5",
        "FF860000050100086100",
        "FFB0000810",
        "FFD6000810" + NEW.hex().upper(),
    ]


@pytest.mark.parametrize(
    ("name", "family", "load_key", "key_number"),
    [
        ("ACS ACR122U PICC Interface 00 00", "ACS ACR122U", "FF820000", 0x00),
        ("ACS ACR1281 1S Dual Reader PICC 00 00", "ACS ACR128", "FF820020", 0x20),
        ("ACS ACR1252 Dual Reader [ACR1252 Dual Reader PICC] 00 00", "ACS ACR125x", "FF820000", 0x00),
        ("HID Global OMNIKEY 5022 Smart Card Reader 00 00", "HID OMNIKEY", "FF822000", 0x00),
        ("Identiv uTrust 3700 F CL Reader 00 00", "Identiv uTrust", "FF820061", 0x01),
        ("SCM Microsystems Inc. SCL3711-NFC&RW 00 00", "SCM SCL3711", "FF820061", 0x01),
        ("Virtual PCD 00 00", "vpcd", "FF820000", 0x00),
        ("Somebody's Reader", "PC/SC part 3", "FF820000", 0x00),
    ],
)
def test_a_reader_is_spoken_to_in_the_dialect_of_its_family(name, family, load_key, key_number):
    profile = profile_for(name)

    assert profile.family == family
    assert profile.load_key(bytes(6), KeySlot.B).hex().upper() == load_key + "06" + "00" * 6
    assert profile.authenticate(8, KeySlot.B)[-2:] == bytes([0x61, key_number])


def test_no_dialect_takes_6300_after_a_write_for_a_refusal():
    assert all(0x6300 not in profile.write_refused for profile in (*PROFILES, STANDARD))
