"""Is this request genuine, fresh, new, and may this terminal ask it? In that order; every doubt gets the same answer.

The MAC is checked with keys derived from the master, the rights with the registry of this process: no statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from terminals.api import wiring
from terminals.api.errors import ApiError, cloned, no_contract, not_allowed, replayed, revoked, unauthorized
from terminals.messages.signing import (
    Request,
    SignatureError,
    Stamp,
    TerminalKeys,
    parse_authorization,
    verify_request,
)
from terminals.models import SecurityEventKind
from terminals.services import clones, contact, events, registry, rights
from terminals.services.enrolment import OLD_EPOCH_UPLOADS
from terminals.services.registry import Machine
from terminals.services.rights import Call
from transactions.days import local_day


@dataclass(frozen=True, slots=True)
class Identity:
    """A known terminal. ``proven``: the request carries its signature; else only the answer can be signed."""

    machine: Machine
    stamp: Stamp
    keys: TerminalKeys
    proven: bool


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified terminal that may make this call, with the keys for its answer and the time of the server."""

    machine: Machine
    keys: TerminalKeys
    stamp: Stamp
    now: datetime
    unheard: contact.Contact | None = None
    """The contact that this call still has to note, with its own first statement."""


QUARANTINED_MAY = frozenset({Call.UPLOAD, Call.HEARTBEAT})
"""What is still heard of a copied terminal: its journal; and it is told that it may not sell offline any more."""

NOTES_ITSELF = frozenset({Call.DEBIT})
"""Calls on the hot path note the contact within their own first statement (``contact.prelude``)."""


def identify(message: Request, authorization: str, *, now: datetime, monotonic_s: float) -> Identity:
    """Find out who claims to ask, and whether it is so. Raises ``ApiError`` 401 for a terminal that we do not know."""
    try:
        stamp, mac = parse_authorization(authorization)
    except SignatureError:
        raise unauthorized() from None
    machine = wiring.registry().find(stamp.terminal, stamp.epoch, monotonic_s=monotonic_s)
    if machine is None:
        raise unauthorized()
    if machine.min_epoch <= stamp.epoch <= machine.epoch:
        for keys in wiring.keyring().candidates(machine.id, stamp.epoch):
            if _matches(keys, message, stamp, mac):
                return Identity(machine, stamp, keys, proven=True)
    events.note_bad_signature(machine.id, now=now)
    return Identity(machine, stamp, wiring.keyring().current(machine.id, machine.epoch), proven=False)


def admit(identity: Identity, call: Call, *, now: datetime) -> Caller:
    """Let the terminal make this call, once. Raises ``ApiError`` 401 or 403."""
    machine, stamp = identity.machine, identity.stamp
    if not identity.proven:
        raise unauthorized()
    if machine.revoked and call is not Call.UPLOAD:
        events.note(SecurityEventKind.REVOKED_CALL, machine.id, now=now, detail={"call": call.value})
        raise revoked()
    if machine.cloned and call not in QUARANTINED_MAY:
        raise cloned()
    if abs(int(now.timestamp() * 1000) - stamp.at_ms) > wiring.policy().clock_skew.total_seconds() * 1000:
        events.note(SecurityEventKind.CLOCK_WRONG, machine.id, now=now, detail={"at_ms": stamp.at_ms})
        raise unauthorized()
    if not rights.allowed(machine.kind, call):
        raise not_allowed()
    if call is Call.DEBIT and not machine.has_contract(local_day(now)):
        raise no_contract()
    if stamp.epoch < machine.epoch:
        _admit_old_keys(machine, call, now=now)
    elif call in NOTES_ITSELF:
        return Caller(machine, identity.keys, stamp, now, contact.Contact.of(stamp, now=now))
    elif not contact.advance(contact.Contact.of(stamp, now=now)):
        raise heard_before(machine, stamp, now=now)
    return Caller(machine, identity.keys, stamp, now)


def heard_before(machine: Machine, stamp: Stamp, *, now: datetime) -> ApiError:
    """The answer to a replay, after noting it; an old start that goes on speaking may give a copied terminal away."""
    events.note(SecurityEventKind.REPLAY, machine.id, now=now, detail={"boot": stamp.boot, "seq": stamp.seq})
    heard = contact.last_heard(machine.id)
    if clones.notice(machine, contact.Contact.of(stamp, now=now), signed_ms=stamp.at_ms, heard=heard):
        wiring.registry().forget()
    return replayed(heard.boot)


def _admit_old_keys(machine: Machine, call: Call, *, now: datetime) -> None:
    """After an enrolment anew the old keys still hand in a journal, for a month; uploading twice does no harm."""
    since = registry.enrolled_at(machine.id)
    too_late = since is None or now - since > OLD_EPOCH_UPLOADS
    if call is not Call.UPLOAD or (too_late and not machine.revoked):
        raise unauthorized()


def _matches(keys: TerminalKeys, message: Request, stamp: Stamp, mac: bytes) -> bool:
    try:
        verify_request(keys, message, stamp, mac)
    except SignatureError:
        return False
    return True
