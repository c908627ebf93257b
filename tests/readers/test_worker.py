"""The thread for calls that may never come back."""

from __future__ import annotations

import threading
import time

import pytest

from terminals.device.reader.worker import Stuck, Worker
from tests.readers.pcscd import until


@pytest.fixture
def worker():
    worker = Worker("test")
    yield worker
    worker.finish(lambda: None)


def test_a_result_comes_back_from_the_other_thread(worker):
    assert worker.call(threading.get_ident, 5.0) != threading.get_ident()


def test_an_exception_comes_back_too_and_the_worker_goes_on(worker):
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 // 0, 5.0)

    assert worker.call(lambda: 7, 5.0) == 7


def test_a_call_that_hangs_is_left_alone_after_its_time(worker):
    release = threading.Event()

    began = time.monotonic()
    with pytest.raises(Stuck):
        worker.call(release.wait, 0.1)
    waited = time.monotonic() - began
    with pytest.raises(Stuck):  # at once: nothing is queued behind a call that hangs
        worker.call(lambda: 7, 5.0)
    refused = time.monotonic() - began - waited
    release.set()

    assert 0.1 <= waited < 1.0
    assert refused < 1.0


def test_a_hung_worker_clears_up_when_it_comes_back():
    worker, release, cleaned = Worker("test"), threading.Event(), threading.Event()
    with pytest.raises(Stuck):
        worker.call(release.wait, 0.01)

    worker.finish(cleaned.set)
    assert worker.alive
    assert not cleaned.is_set()
    release.set()

    assert cleaned.wait(5.0)
    assert until(lambda: not worker.alive)


def test_a_failing_clean_up_ends_the_thread_all_the_same():
    worker = Worker("test")

    worker.finish(lambda: 1 // 0)

    assert until(lambda: not worker.alive)
