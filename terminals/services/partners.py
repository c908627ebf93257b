"""Keys of other systems (A08): made by two people, turned with the old one kept for a while, revoked at once.

A secret is derived when it is shown and never stored. What a key may ask is never changed; a different right is a
different key, agreed to anew.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from ipaddress import ip_network
from typing import Any, Final

from django.db import transaction

from accounts.actors import Actor
from accounts.services import approvals
from accounts.services.audit import Deed, record
from terminals.models import Partner, PartnerContact
from terminals.services.keyring import Keyring

KIND: Final = "partner.register"
"""The kind of request: an administrator asks, a supervisor of the campus agrees (of all, for a key of several)."""
ADDRESSES_MAX: Final = 8
LONGEST: Final = timedelta(days=730)
"""A key that nobody renews ends by itself."""
KEPT: Final = (timedelta(0), timedelta(days=1), timedelta(days=7), timedelta(days=30))
"""For how long the key of before may still be used after a change; none at all when it is in wrong hands."""


class BadAddress(ValueError):
    """What was typed is no network, such as ``10.8.0.0/24`` or ``2001:db8::7``; the message names it."""


class NoLongerSo(Exception):
    """The key was turned or revoked since the page was shown; nothing was changed."""


@dataclass(frozen=True, slots=True)
class NewPartner:
    """What two people agree on: every word of a key. Days in ISO form, campuses by id."""

    name_zh: str
    contact: str
    services: tuple[str, ...]
    campus_ids: tuple[int, ...]
    expires_on: str
    name_en: str = ""
    tells_name: bool = False
    tells_school_no: bool = False
    by_number: bool = False
    addresses: tuple[str, ...] = ()
    per_minute: int = 600

    def content(self) -> dict[str, Any]:
        """As JSON values."""
        told = asdict(self)
        return told | {name: list(told[name]) for name in ("services", "campus_ids", "addresses")}

    @classmethod
    def from_content(cls, content: Any) -> NewPartner:
        """Inverse of ``content``."""
        told = dict(content)
        return cls(**told | {name: tuple(told[name]) for name in ("services", "campus_ids", "addresses")})


@dataclass(frozen=True, slots=True)
class HandedKey:
    """A key to be handed to the other system's people, shown once: ``id.epoch.secret``, the secret in hex."""

    partner: int
    epoch: int
    token: str = field(repr=False)


def networks(text: str) -> tuple[str, ...]:
    """Networks as typed, separated by spaces, commas or lines. Raises ``BadAddress``, its argument what is wrong."""
    words = text.replace(",", " ").replace("，", " ").replace("、", " ").split()
    if len(words) > ADDRESSES_MAX:
        raise BadAddress(words[ADDRESSES_MAX])
    found = []
    for word in words:
        try:
            found.append(str(ip_network(word)))
        except ValueError:
            raise BadAddress(word[:60]) from None
    return tuple(dict.fromkeys(found))


@transaction.atomic(durable=True)
def register_agreed(
    request_id: int, wanted: NewPartner, *, keyring: Keyring, actor: Actor, now: datetime
) -> HandedKey:
    """Make the key that a second person agreed to, once. Raises ``approvals.NotApproved``."""
    if not wanted.campus_ids:
        raise ValueError("a key belongs to a campus")
    approvals.use(request_id, kind=KIND, content=wanted.content(), actor=actor, now=now)
    partner = Partner.objects.create(
        name_zh=wanted.name_zh,
        name_en=wanted.name_en,
        contact=wanted.contact,
        services=list(wanted.services),
        tells_name=wanted.tells_name,
        tells_school_no=wanted.tells_school_no,
        by_number=wanted.by_number,
        addresses=list(wanted.addresses),
        per_minute=wanted.per_minute,
        expires_on=date.fromisoformat(wanted.expires_on),
        made_at=now,
        turned_at=now,
    )
    partner.campuses.add(*wanted.campus_ids)
    PartnerContact.objects.create(partner=partner)
    after = {"services": list(wanted.services), "by_number": wanted.by_number, "until": wanted.expires_on}
    record(Deed("partner.register", "partner", partner.pk, after=after), actor=actor, now=now)
    return _handed(partner, keyring)


@transaction.atomic(durable=True)
def turn(
    partner_id: int, shown_epoch: int, *, kept: timedelta, keyring: Keyring, actor: Actor, now: datetime
) -> HandedKey:
    """A new key; the newest one that was ever used stays good for ``kept``, so that nothing stands still meanwhile.

    A new key that nobody has used yet is not what is kept: it may have reached nobody. What is shut out already stays
    out. Raises ``NoLongerSo`` and ``Partner.DoesNotExist``.
    """
    partner = Partner.objects.select_for_update().get(pk=partner_id)
    if partner.revoked_at is not None or partner.epoch != shown_epoch:
        raise NoLongerSo
    used_epoch = PartnerContact.objects.values_list("used_epoch", flat=True).get(partner=partner)
    old = partner.epoch if used_epoch >= partner.epoch else _still_kept(partner, now=now)
    keeps = old > 0 and kept > timedelta(0)
    partner.epoch += 1
    partner.kept_epoch = old if keeps else 0
    partner.kept_until = now + kept if keeps else None
    partner.turned_at = now
    partner.save(update_fields=["epoch", "kept_epoch", "kept_until", "turned_at"])
    after = {"epoch": partner.epoch, "kept_days": kept.days if keeps else 0}
    record(Deed("partner.turn", "partner", partner.pk, after=after), actor=actor, now=now)
    return _handed(partner, keyring)


@transaction.atomic(durable=True)
def revoke(partner_id: int, *, actor: Actor, now: datetime, reason: str) -> bool:
    """Shut a key out for good, from the next question on. False when it was shut out already.

    Raises ``Partner.DoesNotExist``.
    """
    partner = Partner.objects.select_for_update().get(pk=partner_id)
    if partner.revoked_at is not None:
        return False
    partner.revoked_at = now
    partner.save(update_fields=["revoked_at"])
    deed = Deed("partner.revoke", "partner", partner.pk, after={"revoked": True}, reason=reason)
    record(deed, actor=actor, now=now)
    return True


def _still_kept(partner: Partner, *, now: datetime) -> int:
    """The key of before that is good at this moment, or 0."""
    return partner.kept_epoch if partner.kept_until is not None and now < partner.kept_until else 0


def _handed(partner: Partner, keyring: Keyring) -> HandedKey:
    secret = keyring.partner_secret(partner.pk, partner.epoch)
    return HandedKey(partner.pk, partner.epoch, f"{partner.pk}.{partner.epoch}.{secret.hex()}")
