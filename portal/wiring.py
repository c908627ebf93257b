"""The one place where the portal meets the settings for letters: which ways are offered, and who carries them."""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils.module_loading import import_string

from accounts.kinds import AlertWay
from accounts.services.alertpost import Carrier
from portal.alertmail import Links, Mail, Sms

_SALT = "portal.alerts.off"


def ways_offered() -> tuple[AlertWay, ...]:
    """By which ways this installation can write to holders."""
    offered = {AlertWay.MAIL: settings.MAIL_OFFERED, AlertWay.SMS: bool(settings.SMS_GATEWAY)}
    return tuple(way for way, is_offered in offered.items() if is_offered)


def carriers() -> dict[AlertWay, Carrier]:
    """Who carries the letters of each way that is offered."""
    made: dict[AlertWay, Carrier] = {}
    for way in ways_offered():
        made[way] = Mail(links()) if way is AlertWay.MAIL else Sms(import_string(settings.SMS_GATEWAY)())
    return made


def links() -> Links:
    """Where letters of this installation lead."""
    site = settings.SITE_URL
    return Links(
        overview=site + reverse("portal:overview"),
        choices=site + reverse("portal:alerts"),
        stop=lambda uid: site + reverse("portal:alerts_off", args=[off_token(uid)]),
        host=urlsplit(site).hostname or "localhost",
    )


def off_token(contact_uid: UUID) -> str:
    """What the link in a letter says: whose letters to stop, signed."""
    return Signer(salt=_SALT, sep=".").sign(contact_uid.hex)


def contact_of(token: str) -> UUID | None:
    """Whose letters to stop; None if we never signed that."""
    try:
        return UUID(Signer(salt=_SALT, sep=".").unsign(token))
    except (BadSignature, ValueError):
        return None
