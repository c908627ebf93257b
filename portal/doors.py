"""The web as a door: which source guesses are counted for, and who acts."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest

from accounts.actors import Actor, Channel
from accounts.services.throttle import Source
from accounts.wiring import client_address


def source_of(request: HttpRequest) -> Source:
    """The network address that password guesses are counted for."""
    return Source.web(client_address(request))


def actor_of(request: HttpRequest, holder_uid: UUID) -> Actor:
    """The signed-in holder, as the audit names him."""
    return Actor.holder(holder_uid, channel=Channel.WEB, place=client_address(request))
