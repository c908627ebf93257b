"""Two machines with the keys of one terminal (reliability.md B8): noticed by their start numbers, then quarantined.

Each of the two is told that its start number is too low and takes a higher one, which makes the other's too low. A
genuine machine does so once, after an enrolment with an old clock, say. A request that was merely overtaken tells
nothing: it was signed before the newer start was heard.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import transaction

from accounts.actors import Actor
from accounts.services.audit import Deed, record
from terminals.models import SecurityEvent, SecurityEventKind, Terminal
from terminals.services import events
from terminals.services.contact import Contact, Heard
from terminals.services.registry import Machine

STARTS: Final = 3
"""So many old starts that go on speaking prove a second machine. Between two machines the third comes at the latest
when each has spoken twice; a disk that was put back makes one."""
WITHIN: Final = timedelta(days=30)

_ACTOR: Final = Actor.system("terminals")


def notice(machine: Machine, late: Contact, *, signed_ms: int, heard: Heard) -> bool:
    """Note that an old start speaks still though a newer one was heard. True: with that the terminal is quarantined.

    ``late`` is a genuine request with the present keys that did not raise the contact ``heard``; ``signed_ms`` is
    the Unix time that it was signed at.
    """
    heard_ms = int(heard.at.timestamp() * 1000) if heard.at else 0
    if machine.cloned or late.boot >= heard.boot or signed_ms <= heard_ms:
        return False
    told = {"boot": late.boot, "epoch": machine.epoch}
    kind, since = SecurityEventKind.STALE_START, late.at - WITHIN
    detail = told | {"last_boot": heard.boot, "seq": late.seq}
    events.note(kind, machine.id, now=late.at, detail=detail, quiet=WITHIN, alike=told)
    noted = SecurityEvent.objects.filter(
        terminal_id=machine.id, kind=kind, at__gt=since, detail__epoch=machine.epoch
    )
    starts = sorted(set(noted.values_list("detail__boot", flat=True)))
    return len(starts) >= STARTS and _quarantine(machine, starts, late)


@transaction.atomic(durable=True)
def _quarantine(machine: Machine, starts: list[int], late: Contact) -> bool:
    """Shut these keys out of everything but handing in a journal; only other keys, of a new enrolment, end it."""
    still_good = Terminal.objects.filter(id=machine.id, cloned_epoch__lt=machine.epoch)
    if not still_good.update(cloned_epoch=machine.epoch):
        return False
    detail = {"epoch": machine.epoch, "boots": starts}
    events.note(SecurityEventKind.CLONED, machine.id, now=late.at, detail=detail, quiet=timedelta(0))
    deed = Deed("terminal.quarantine", "terminal", machine.id, after=detail)
    record(deed, actor=_ACTOR, now=late.at)
    return True
