"""What only a real PC/SC service can do wrong, and what the reader makes of it (card.md, "PC/SC through pyscard")."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from purse.link import CardGone, ReaderGone
from terminals.device.reader import ReaderState, open_reader
from terminals.device.reader.field import Fault, Field
from terminals.device.reader.pcsc import MAX_STUCK, PcscReader
from terminals.device.reader.profile import profile_for
from terminals.device.reader.vpcd import VirtualCard
from tests.readers.bench import (
    NEW,
    OLD,
    SOON_S,
    SPEND_BLOCK,
    open_for_writing,
    school_card,
)
from tests.readers.conftest import READER
from tests.readers.pcscd import until

pytestmark = pytest.mark.xdist_group("pcscd")

QUICK = replace(profile_for(READER), operation_timeout_s=0.8)


@pytest.fixture
def quick_reader(pcsc_bench):
    """A reader whose watchdog bites after 0.8 s instead of 2, and that waits 0.5 s for the service."""
    reader = PcscReader(f"{READER} 00 00", profile=QUICK, patience_s=0.5)
    yield reader
    reader.close()


# ------------------------------------------------------------------------------------------ service


def test_the_virtual_reader_listens_on_loopback_only(vpcd_stack):
    assert until(lambda: vpcd_stack.listeners() == {"127.0.0.1"}), vpcd_stack.listeners()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["crash", "orderly"])
def test_a_service_restarted_while_waiting_for_a_card_is_survived(pcsc_bench, vpcd_stack, how):
    """pyscard's own monitors die for good here."""
    found = []
    waiting = threading.Thread(target=lambda: found.append(pcsc_bench.reader.wait_for_card(20.0)))
    waiting.start()

    vpcd_stack.stop(how)
    assert until(lambda: pcsc_bench.reader.state() is ReaderState.NO_SERVICE)
    vpcd_stack.start()
    pcsc_bench.field.place(school_card())
    waiting.join(timeout=20)

    assert found[0].uid() == school_card().uid


def test_a_service_that_dies_under_an_open_link_takes_the_reader_with_it(pcsc_bench, vpcd_stack):
    card = school_card()
    link = pcsc_bench.lay(card)
    open_for_writing(link)

    vpcd_stack.stop()
    with pytest.raises(ReaderGone):
        link.write(SPEND_BLOCK, NEW)
    assert pcsc_bench.reader.state() is ReaderState.NO_SERVICE
    vpcd_stack.start()
    again = pcsc_bench.reader.wait_for_card(SOON_S)

    with pytest.raises(ReaderGone):
        link.uid()
    assert again.uid() == card.uid
    assert card.blocks[SPEND_BLOCK] == OLD


def test_a_service_restarted_between_two_operations_ends_the_link(pcsc_bench, vpcd_stack):
    link = pcsc_bench.lay(school_card())

    vpcd_stack.stop()
    vpcd_stack.start()

    with pytest.raises(ReaderGone):
        link.uid()
    assert pcsc_bench.reader.wait_for_card(SOON_S).uid() == school_card().uid


def test_without_a_service_the_reader_waits_as_long_as_told_and_says_why(pcsc_bench, vpcd_stack):
    vpcd_stack.stop()
    pcsc_bench.field.place(school_card())

    began = time.monotonic()
    assert pcsc_bench.reader.wait_for_card(0.5) is None
    waited = time.monotonic() - began

    assert 0.5 <= waited < 3.0
    assert pcsc_bench.reader.state() is ReaderState.NO_SERVICE
    assert pcsc_bench.reader.wait_for_removal(0.0)
    vpcd_stack.start()
    assert pcsc_bench.reader.wait_for_card(SOON_S).uid() == school_card().uid


def test_a_service_that_hangs_blocks_nobody_and_is_tried_a_bounded_number_of_times(
    pcsc_bench, vpcd_stack, quick_reader
):
    pcsc_bench.field.place(school_card())
    assert quick_reader.wait_for_card(SOON_S)
    before = threading.active_count()

    vpcd_stack.freeze(True)
    states = {quick_reader.state() for _ in range(MAX_STUCK)}
    hanging = threading.active_count() - before
    began = time.monotonic()
    states.add(quick_reader.state())
    asked = time.monotonic() - began
    vpcd_stack.freeze(False)

    assert states == {ReaderState.NO_SERVICE}
    assert hanging < MAX_STUCK
    assert asked < 0.4
    assert until(lambda: quick_reader.wait_for_card(1.0), SOON_S)
    assert until(lambda: threading.active_count() <= before), threading.enumerate()


@pytest.mark.parametrize("module", ["smartcard", "smartcard.pcsc.PCSCExceptions"])
def test_without_pyscard_there_is_no_service_but_no_crash(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)

    reader = open_reader("pcsc:")

    assert reader.state() is ReaderState.NO_SERVICE
    assert reader.wait_for_card(0.0) is None


def test_pyscard_is_not_imported_until_a_reader_is_used():
    """Importing it costs nothing, but machines without a reader do not have it."""
    program = (
        "import sys; from terminals.device.reader import open_reader; open_reader('sim:.'); open_reader('pcsc:');"
        "assert not [name for name in sys.modules if name.startswith('smartcard')]"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def raisers():
    """One exception of every family pyscard raises, and the bare one of its C layer."""
    from smartcard import scard
    from smartcard.Exceptions import CardConnectionException, NoCardException
    from smartcard.pcsc.PCSCExceptions import EstablishContextException, ListReadersException

    return [
        EstablishContextException(0x8010001D),
        ListReadersException(0x8010002E),
        CardConnectionException("failed to transmit", hresult=0),
        NoCardException("no card", hresult=0),
        scard.error("no PC/SC library"),
    ]


@pytest.mark.parametrize(
    "function", ["SCardEstablishContext", "SCardListReaders", "SCardGetStatusChange", "SCardConnect"]
)
@pytest.mark.parametrize("family", range(5))
def test_no_exception_of_pyscard_reaches_the_till_while_it_waits(pcsc_bench, monkeypatch, function, family):
    from smartcard import scard

    error = raisers()[family]
    pcsc_bench.field.place(school_card())
    with monkeypatch.context() as broken:
        broken.setattr(scard, function, thrower(error))
        assert pcsc_bench.reader.wait_for_card(0.05) is None

    assert pcsc_bench.reader.wait_for_card(SOON_S).uid() == school_card().uid


@pytest.mark.parametrize("family", range(5))
def test_an_exception_during_an_operation_means_card_or_reader_gone_whatever_its_code(
    pcsc_bench, monkeypatch, family
):
    """A pull during an APDU raises with hresult 0: the code decides nothing."""
    from smartcard import scard

    link = pcsc_bench.lay(school_card())
    open_for_writing(link)
    monkeypatch.setattr(scard, "SCardTransmit", thrower(raisers()[family]))

    with pytest.raises(CardGone):
        link.write(SPEND_BLOCK, NEW)
    monkeypatch.undo()

    with pytest.raises(CardGone):
        link.uid()


def thrower(error):
    def throw(*_):
        raise error

    return throw


# ------------------------------------------------------------------------------------------ readers


def test_a_reader_that_is_not_there_is_a_state(vpcd_stack):
    reader = PcscReader("ACR122")

    assert reader.wait_for_card(0.0) is None
    assert reader.state() is ReaderState.NO_READER
    reader.close()


def test_a_reader_unplugged_and_plugged_in_again_goes_on(pcsc_bench, vpcd_stack):
    link = pcsc_bench.lay(school_card())

    vpcd_stack.replug(READER, False)
    assert until(lambda: pcsc_bench.reader.state() is ReaderState.NO_READER), pcsc_bench.reader.state()
    with pytest.raises(ReaderGone):
        link.uid()
    assert pcsc_bench.reader.wait_for_card(0.1) is None
    vpcd_stack.replug(READER, True)

    assert pcsc_bench.reader.wait_for_card(SOON_S).uid() == school_card().uid


def test_two_readers_are_told_apart_by_their_names(pcsc_bench, vpcd_stack):
    second = VirtualCard(Field(), vpcd_stack.readers[READER] + 1)
    other = PcscReader("virtual pcd 00 01")

    pcsc_bench.field.place(school_card("04A1B2C3"))
    assert pcsc_bench.reader.wait_for_card(SOON_S).uid() == bytes.fromhex("04A1B2C3")
    assert other.state() is ReaderState.EMPTY
    second.field.place(school_card("04FFEEDD"))
    assert other.wait_for_card(SOON_S).uid() == bytes.fromhex("04FFEEDD")
    pcsc_bench.field.lift()
    assert pcsc_bench.reader.wait_for_removal(SOON_S)

    assert other.state() is ReaderState.CARD
    other.close()
    second.close()


def test_a_reader_without_a_name_is_the_first_one(pcsc_bench):
    reader = open_reader("pcsc:")

    pcsc_bench.field.place(school_card())

    assert reader.wait_for_card(SOON_S).uid() == school_card().uid
    reader.close()


def test_a_card_another_program_holds_is_waited_for(pcsc_bench, vpcd_stack):
    holder = PcscReader(READER)
    pcsc_bench.field.place(school_card())
    held = holder.wait_for_card(SOON_S)

    assert pcsc_bench.reader.wait_for_card(0.3) is None
    assert held.uid() == school_card().uid
    holder.close()

    assert pcsc_bench.reader.wait_for_card(SOON_S).uid() == school_card().uid


# ------------------------------------------------------------------------------------------ watchdog


def test_a_card_that_never_answers_costs_one_time_out_and_not_the_till(pcsc_bench, quick_reader):
    card = school_card()
    pcsc_bench.field.place(card)
    link = quick_reader.wait_for_card(SOON_S)
    open_for_writing(link)
    pcsc_bench.virtual.silence(True)

    began = time.monotonic()
    with pytest.raises(ReaderGone):
        link.write(SPEND_BLOCK, NEW)
    waited = time.monotonic() - began
    with pytest.raises(ReaderGone):
        link.uid()
    pcsc_bench.field.lift()
    pcsc_bench.virtual.silence(False)
    pcsc_bench.field.place(card)

    assert 0.8 <= waited < 3.0
    assert until(lambda: quick_reader.wait_for_card(1.0), 3 * SOON_S)


def test_a_late_answer_reaches_nobody(pcsc_bench, quick_reader):
    """The write that the watchdog gave up is carried out after all: the link must stay dead."""
    card = school_card()
    pcsc_bench.field.place(card)
    link = quick_reader.wait_for_card(SOON_S)
    open_for_writing(link)
    pcsc_bench.virtual.silence(True)
    with pytest.raises(ReaderGone):
        link.write(SPEND_BLOCK, NEW)

    pcsc_bench.virtual.silence(False)
    assert until(lambda: card.blocks[SPEND_BLOCK] == NEW)

    with pytest.raises(ReaderGone):
        link.read(SPEND_BLOCK)


# ------------------------------------------------------------------------------------------ cards


def test_a_swap_that_the_service_does_not_notice_is_found_by_the_uid(pcsc_bench):
    """The first APDU fails and later ones silently reach the other card: so there are no later ones."""
    mine, other = school_card("04A1B2C3"), school_card("04FFEEDD")
    link = pcsc_bench.lay(mine)
    open_for_writing(link)
    pcsc_bench.virtual.notices_swaps = False
    pcsc_bench.field.swap(other)

    with pytest.raises(CardGone):
        link.write(SPEND_BLOCK, NEW)
    sent = len(pcsc_bench.virtual.apdus)
    with pytest.raises(CardGone):
        open_for_writing(link)

    assert len(pcsc_bench.virtual.apdus) == sent
    assert (mine.blocks[SPEND_BLOCK], other.blocks[SPEND_BLOCK]) == (OLD, OLD)


def test_a_swap_before_the_commit_is_found_by_asking_the_uid(pcsc_bench):
    link = pcsc_bench.lay(school_card("04A1B2C3"))
    pcsc_bench.virtual.notices_swaps = False
    pcsc_bench.field.swap(school_card("04FFEEDD"))

    with pytest.raises(CardGone):
        link.uid()


def test_a_card_that_goes_while_connecting_gives_no_link(pcsc_bench):
    """connect() may succeed on a card already gone: the UID is asked first."""
    pcsc_bench.field.place(school_card(), fault=Fault(0))

    assert pcsc_bench.reader.wait_for_card(1.0) is None


def test_a_card_that_goes_while_connecting_and_comes_back_gives_a_link(pcsc_bench):
    pcsc_bench.field.place(school_card(), fault=Fault(0, stays=True))

    assert pcsc_bench.reader.wait_for_card(SOON_S).uid() == school_card().uid
