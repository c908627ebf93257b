"""What a desk asks about card jobs, one handler a call: parse, ONE service call, answer."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from accounts.models import Card
from accounts.wiring import secrets
from terminals.api.authentication import Caller
from terminals.api.door import signed
from terminals.api.views import counterpart
from terminals.messages.jobs import (
    JobAnswer,
    JobCardRequest,
    JobProgressRequest,
    JobRequest,
    JobResultRequest,
    JobTicket,
)
from terminals.services import jobwork
from terminals.services.rights import Call

Json = dict[str, Any]

LOOK_S: Final = 0.15
"""How often a waiting call looks for a job."""
WAITERS: Final = 2
"""How many calls of one process may wait at a time; the other threads are for tills. Further desks are answered at
once and ask again."""
_waiters = threading.BoundedSemaphore(WAITERS)


@signed(Call.JOB)
def job(caller: Caller, message: Json) -> Json:
    """The desk's open job, as soon as there is one. Between two looks no statement runs and no transaction is open."""
    asked = JobRequest.parse(message)
    found = _look(caller)
    if found is None and asked.wait_ms and _waiters.acquire(blocking=False):
        try:
            found = _wait(caller, asked.wait_ms / 1000)
        finally:
            _waiters.release()
    return JobAnswer(found).to_json()


@signed(Call.JOB_PROGRESS)
def job_progress(caller: Caller, message: Json) -> Json:
    """How far the desk is."""
    asked = JobProgressRequest.parse(message)
    return jobwork.progress(asked, desk_id=caller.machine.id, now=caller.now).to_json()


@signed(Call.JOB_CARD)
def job_card(caller: Caller, message: Json) -> Json:
    """A card on the desk's reader."""
    asked = JobCardRequest.parse(message)
    return jobwork.show_card(asked, of=counterpart(caller), school_mac=_school_mac).to_json()


@signed(Call.JOB_RESULT)
def job_result(caller: Caller, message: Json) -> Json:
    """How a card write ended."""
    asked = JobResultRequest.parse(message)
    return jobwork.take_result(asked, of=counterpart(caller)).to_json()


def _look(caller: Caller) -> JobTicket | None:
    return jobwork.next_job(caller.machine.id, now=caller.now)


def _wait(caller: Caller, seconds: float) -> JobTicket | None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(LOOK_S)
        found = _look(caller)
        if found is not None:
            return found
    return None


def _school_mac(card: Card) -> bytes:
    """What the chip says of the school number: eight bytes that only we can compute."""
    return secrets().blind("card", card.account.holder.school_no)[:8]
