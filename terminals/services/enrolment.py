"""From a one-time code to a working terminal, and back out again.

A code is 128 random bits, good once and for a day; only its SHA-256 is kept. Whoever exchanges it gets keys that the
server can derive again at any time but never stores.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_bytes, token_hex
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from accounts.actors import Actor
from accounts.services import approvals
from accounts.services.audit import Deed, record
from purse.policy import Policy
from terminals.messages.signing import SEAL_NONCE_BYTES, TerminalKeys, seal_keys
from terminals.messages.upkeep import EnrolAnswer, KeysAnswer
from terminals.models import EnrolmentCode, SecurityEventKind, Terminal, TerminalContact, TerminalKind
from terminals.services import events, rights
from terminals.services.keyring import Keyring
from terminals.services.places import stand_terminal_at
from terminals.services.registry import Machine

_log = logging.getLogger("ecard.terminals")

CODE_BYTES: Final = 16
CODE_LIFETIME: Final = timedelta(hours=24)
OLD_EPOCH_UPLOADS: Final = timedelta(days=30)
"""How long the keys of the epoch before still hand in a journal after a terminal was enrolled anew."""


KIND_REGISTER: Final = "terminal.register"
KIND_CODE: Final = "terminal.code"
"""The kinds of request of a terminal, and of a new code for one that loads cards."""


class CodeRefused(Exception):
    """The code is unknown, used, withdrawn or too old. Which of these is not said to whoever typed it."""


class AlreadyRevoked(Exception):
    """A revoked terminal stays revoked; a repaired machine becomes a new terminal."""


@dataclass(frozen=True, slots=True)
class NewTerminal:
    """What an administrator says about a machine before it is enrolled."""

    name_zh: str
    kind: str
    campus_id: int
    merchant_id: int | None = None
    name_en: str = ""
    place: str = ""
    may_sell_offline: bool = False
    place_id: int | None = None
    """The service point at which a kiosk stands."""


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code to type at the machine, shown once: groups of four hex digits."""

    terminal: int
    code: str = field(repr=False)
    expires_at: datetime


@transaction.atomic(durable=True)
def register(wanted: NewTerminal, *, actor: Actor, now: datetime) -> IssuedCode:
    """Add a terminal and issue its first code. The row's checks refuse a till without merchant."""
    return _register(wanted, actor=actor, now=now)


@transaction.atomic(durable=True)
def register_agreed(request_id: int, wanted: NewTerminal, *, actor: Actor, now: datetime) -> IssuedCode:
    """The same on the agreement of a second person to exactly this terminal, once (security.md section 5).

    Raises ``approvals.NotApproved``, and ``NoSuchPlace`` when another kiosk stands there by now.
    """
    approvals.use(request_id, kind=KIND_REGISTER, content=content_of(wanted), actor=actor, now=now)
    return _register(wanted, actor=actor, now=now)


@transaction.atomic(durable=True)
def issue_code_agreed(request_id: int, terminal_id: int, *, actor: Actor, now: datetime) -> IssuedCode:
    """A new code on the agreement of a second person: for machines that may put money on cards.

    Raises ``approvals.NotApproved``, ``Terminal.DoesNotExist`` and ``AlreadyRevoked``.
    """
    approvals.use(request_id, kind=KIND_CODE, content={"terminal_id": terminal_id}, actor=actor, now=now)
    return _issue_again(terminal_id, actor=actor, now=now)


def content_of(wanted: NewTerminal) -> dict[str, Any]:
    """What a second person agrees to: every word of the terminal. ``NewTerminal(**content)`` is its inverse."""
    return asdict(wanted)


def needs_two_for_code(kind: str) -> bool:
    """Whether a new code for such a machine takes two people: it holds the keys that put money on a card."""
    return kind in (TerminalKind.DESK, TerminalKind.KIOSK)


def _register(wanted: NewTerminal, *, actor: Actor, now: datetime) -> IssuedCode:
    terminal = Terminal.objects.create(
        name_zh=wanted.name_zh,
        name_en=wanted.name_en,
        kind=wanted.kind,
        campus_id=wanted.campus_id,
        merchant_id=wanted.merchant_id,
        place=wanted.place,
        may_sell_offline=wanted.may_sell_offline,
    )
    TerminalContact.objects.create(terminal=terminal)
    after = {"kind": wanted.kind, "merchant": wanted.merchant_id, "offline": wanted.may_sell_offline}
    record(Deed("terminal.register", "terminal", terminal.id, after=after), actor=actor, now=now)
    if wanted.place_id is not None:
        stand_terminal_at(terminal.id, wanted.place_id)
    return _issue(terminal, actor=actor, now=now)


@transaction.atomic(durable=True)
def issue_code(terminal_id: int, *, actor: Actor, now: datetime) -> IssuedCode:
    """Issue a new code, after a repair or for the yearly change of keys; an earlier unused one is withdrawn.

    With it a terminal that was quarantined comes back: its keys of then stay shut out, in whatever machine they are.
    Raises ``Terminal.DoesNotExist`` and ``AlreadyRevoked``.
    """
    return _issue_again(terminal_id, actor=actor, now=now)


def _issue_again(terminal_id: int, *, actor: Actor, now: datetime) -> IssuedCode:
    terminal = Terminal.objects.select_for_update().get(id=terminal_id)
    if terminal.revoked_at is not None:
        raise AlreadyRevoked
    record(Deed("terminal.issue_code", "terminal", terminal_id), actor=actor, now=now)
    return _issue(terminal, actor=actor, now=now)


def enrol(code: str, *, source: str, keyring: Keyring, policy: Policy, now: datetime) -> EnrolAnswer:
    """Exchange a code for identity and keys. Raises ``CodeRefused``; a used or old code also raises an alarm.

    The epoch goes up by one, so a machine that was enrolled before loses its rights now, except to hand in its journal.
    """
    found = _exchange(_hash(code), source=source, now=now)
    if found is None:
        _alarm(_hash(code), source=source, now=now)
        raise CodeRefused
    bundle = rights.card_keys(found.kind, may_sell_offline=found.may_sell_offline, every_key=keyring.card)
    return EnrolAnswer(
        terminal=found.id,
        epoch=found.epoch,
        secret=keyring.secret(found.id, found.epoch).hex(),
        card_keys=bundle.to_json(),
        kind=found.kind,
        name_zh=found.name_zh,
        name_en=found.name_en,
        campus=found.campus.code,
        merchant=found.merchant.name_zh if found.merchant else "",
        may_sell_offline=found.may_sell_offline,
        policy=policy,
        server_ms=int(now.timestamp() * 1000),
    )


def hand_keys(machine: Machine, keys: TerminalKeys, *, keyring: Keyring) -> KeysAnswer:
    """The card keys that this machine may have now, sealed for it alone; a till may have learnt to sell offline."""
    bundle = rights.card_keys(machine.kind, may_sell_offline=machine.sells_offline, every_key=keyring.card)
    _log.info("terminal.keys_handed", extra={"terminal": machine.id, "roles": sorted(bundle.keys)})
    nonce = token_bytes(SEAL_NONCE_BYTES)
    return KeysAnswer(
        seal_keys(keys.seal, bundle.to_json(), terminal=machine.id, epoch=machine.epoch, nonce=nonce)
    )


@transaction.atomic(durable=True)
def revoke(terminal_id: int, *, actor: Actor, now: datetime, reason: str) -> bool:
    """Shut a terminal out for good: stolen, sold, broken. False when it was shut out already.

    What it still uploads is kept in quarantine. Raises ``Terminal.DoesNotExist``.
    """
    terminal = Terminal.objects.select_for_update().get(id=terminal_id)
    if terminal.revoked_at is not None:
        return False
    terminal.revoked_at = now
    terminal.save(update_fields=["revoked_at"])
    EnrolmentCode.objects.filter(terminal=terminal, used_at=None, withdrawn_at=None).update(withdrawn_at=now)
    events.note(SecurityEventKind.REVOKED, terminal_id, now=now, detail={"reason": reason})
    deed = Deed("terminal.revoke", "terminal", terminal_id, after={"revoked": True}, reason=reason)
    record(deed, actor=actor, now=now)
    return True


def _issue(terminal: Terminal, *, actor: Actor, now: datetime) -> IssuedCode:
    EnrolmentCode.objects.filter(terminal=terminal, used_at=None, withdrawn_at=None).update(withdrawn_at=now)
    digits = token_hex(CODE_BYTES)
    code = "-".join(digits[start : start + 4] for start in range(0, len(digits), 4))
    EnrolmentCode.objects.create(
        code_hash=_hash(code),
        terminal=terminal,
        issued_at=now,
        issued_by=actor.who,
        expires_at=now + CODE_LIFETIME,
    )
    return IssuedCode(terminal.id, code, now + CODE_LIFETIME)


@transaction.atomic(durable=True)
def _exchange(code_hash: bytes, *, source: str, now: datetime) -> Terminal | None:
    """Use the code up. The condition stands in the UPDATE, so of two exchanges at once one finds nothing."""
    open_codes = EnrolmentCode.objects.filter(
        code_hash=code_hash, used_at=None, withdrawn_at=None, expires_at__gt=now
    )
    terminal_id = open_codes.values_list("terminal_id", flat=True).first()
    if terminal_id is None or not open_codes.update(used_at=now, used_from=source):
        return None
    Terminal.objects.filter(id=terminal_id).update(epoch=F("epoch") + 1, enrolled_at=now)
    events.note(
        SecurityEventKind.ENROLLED, terminal_id, now=now, detail={"source": source}, quiet=timedelta(0)
    )
    return Terminal.objects.select_related("campus", "merchant").get(id=terminal_id)


def _alarm(code_hash: bytes, *, source: str, now: datetime) -> None:
    """An unknown code is a typing error; one that was used or has ended is in the wrong hands."""
    code = EnrolmentCode.objects.filter(code_hash=code_hash).first()
    if code is None:
        return
    kind = SecurityEventKind.CODE_EXPIRED if code.used_at is None else SecurityEventKind.CODE_REUSED
    events.note(kind, code.terminal_id, now=now, detail={"source": source}, quiet=timedelta(0))


def _hash(code: str) -> bytes:
    return sha256(code.replace("-", "").strip().lower().encode("utf-8", "surrogatepass")).digest()
