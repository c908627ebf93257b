"""What every personal page has in its frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from django.http import HttpResponse
from django.shortcuts import render

from accounts.found import kept_for
from accounts.notices import waiting_for
from accounts.wiring import now
from portal.access import HolderRequest
from portal.menu import tabs_for
from portal.places import centers_shown
from portal.words import status_chip


def centers() -> dict[str, Any]:
    """Where the card centers are and when they are open."""
    return centers_shown(now=now())


def own_page(
    request: HolderRequest, template: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render a personal page, with what its frame shows."""
    session, account_id = request.holder_session, request.account.id
    waiting = waiting_for(account_id)
    frame = {
        "account": request.account,
        "must_change": request.must_change,
        "chip": status_chip(request.account),
        "frozen": request.account.frozen_at is not None,
        "tabs": tabs_for(request.path, initial_password=request.must_change, unread=waiting.unread),
        "kept": kept_for(account_id) if waiting.kept else (),
        "seconds_left": int((session.ends_at - now()).total_seconds()),
        "extendable": session.extendable,
        "new_key": uuid4(),
    }
    return render(request, template, frame | dict(context), status=status)
