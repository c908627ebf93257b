"""What terminals may ask, one handler a call: parse, ONE service call, answer."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from accounts.wiring import client_address
from accounts.wiring import now as present
from terminals.api import wiring
from terminals.api.authentication import Caller
from terminals.api.door import signed, unsigned
from terminals.api.errors import ApiError
from terminals.messages import plain
from terminals.messages.records import UploadAnswer, UploadRequest
from terminals.messages.taker import Taker
from terminals.messages.upkeep import EnrolRequest, HeartbeatAnswer, HeartbeatRequest, HotlistRequest
from terminals.messages.wire import (
    MAX_OUTCOMES,
    DebitRequest,
    OutcomeReport,
    SightingRequest,
    TapAnswer,
    VoidRequest,
)
from terminals.services import contact, enrolment, hotlist, taps, uploads
from terminals.services import heartbeat as heartbeats
from terminals.services.postings import Poster
from terminals.services.rights import Call
from transactions.days import local_day

Json = dict[str, Any]


@signed(Call.DEBIT, read=plain.read_debit, write=plain.dump_answer)
def debit(caller: Caller, asked: DebitRequest) -> TapAnswer:
    """A purchase."""
    return taps.debit(asked, of=counterpart(caller))


@signed(Call.VOID)
def void(caller: Caller, message: Json) -> Json:
    """Taking a purchase back."""
    return taps.void(VoidRequest.parse(message), of=counterpart(caller)).to_json()


@signed(Call.SIGHTING)
def sighting(caller: Caller, message: Json) -> Json:
    """A look at the card."""
    return taps.sighting(SightingRequest.parse(message), of=counterpart(caller)).to_json()


@signed(Call.OUTCOMES)
def outcomes(caller: Caller, message: Json) -> Json:
    """How earlier card writes ended, when no tap comes that could carry it."""
    take = Taker(message, "body")
    reports = take.done([OutcomeReport.parse(item) for item in take.items("outcomes", MAX_OUTCOMES)])
    asking = counterpart(caller)
    settled = taps.tell_outcomes(reports, of=asking)
    return {"recorded": [list(pair) for pair in taps.recorded_pairs(reports, settled, asking)]}


@signed(Call.UPLOAD)
def upload(caller: Caller, message: Json) -> Json:
    """Offline records."""
    asked = UploadRequest.parse(message)
    answers = uploads.take_in(
        asked.records,
        caller.machine,
        keyring=wiring.keyring(),
        post=Poster(caller.machine, wiring.policy(), caller.now),
        now=caller.now,
    )
    return UploadAnswer(answers).to_json()


@signed(Call.HEARTBEAT)
def heartbeat(caller: Caller, message: Json) -> Json:
    """How the terminal does, and what changed for it."""
    told = HeartbeatRequest.parse(message)
    heartbeats.take_in(caller.machine.id, told, now=caller.now)
    uploads.reconsider(policy=wiring.policy(), now=caller.now, terminal=caller.machine.id)
    answer = HeartbeatAnswer(
        server_ms=int(caller.now.timestamp() * 1000),
        hotlist_version=hotlist.keep_fresh(now=caller.now),
        may_sell_offline=caller.machine.sells_offline and caller.machine.has_contract(local_day(caller.now)),
        policy=wiring.policy(),
        again_from=heartbeats.lacking_from(caller.machine.id, told),
    )
    return answer.to_json()


@signed(Call.HOTLIST)
def hotlist_changes(caller: Caller, message: Json) -> Json:
    """What changed on the hotlist, and which cards were seen where."""
    return hotlist.deltas(HotlistRequest.parse(message), now=caller.now).to_json()


@signed(Call.KEYS)
def card_keys(caller: Caller, message: Json) -> Json:
    """The card keys for what this terminal may do now; its rights may have changed since it was enrolled."""
    Taker(message, "body").done(None)
    return enrolment.hand_keys(caller.machine, caller.keys, keyring=wiring.keyring()).to_json()


@unsigned
def enrol(message: Json, request: HttpRequest) -> Json:
    """A one-time code becomes a terminal."""
    asked = EnrolRequest.parse(message)
    try:
        answer = enrolment.enrol(
            asked.code,
            source=client_address(request),
            keyring=wiring.keyring(),
            policy=wiring.policy(),
            now=present(),
        )
    except enrolment.CodeRefused:
        raise ApiError(
            403, "code_refused", "注册码无效或已使用，请向管理员索取新的注册码", field="code"
        ) from None
    wiring.registry().forget()
    return answer.to_json()


def counterpart(caller: Caller) -> taps.Counterpart:
    """The caller with all that a service needs to act for it."""
    return taps.Counterpart(
        machine=caller.machine,
        keys=caller.keys,
        book=wiring.book_for(caller.machine.id, now=caller.now),
        hotlist_version=wiring.registry().hotlist_version,
        prelude=contact.prelude(caller.unheard) if caller.unheard else None,
    )
