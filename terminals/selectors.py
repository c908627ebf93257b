"""What screens read of terminals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from terminals.models import Terminal, TerminalKind

SILENT = timedelta(minutes=10)
"""A till speaks every minute; after this long without a word it is offline (screens.md 6.1)."""


def silent_tills(*, now: datetime) -> Sequence[Terminal]:
    """The tills in service that have not been heard of for ``SILENT``: they may sell offline without being asked."""
    silent = Q(contact__last_contact_at__isnull=True) | Q(contact__last_contact_at__lt=now - SILENT)
    in_service = Terminal.objects.filter(kind=TerminalKind.TILL, enrolled_at__isnull=False, revoked_at__isnull=True)
    return list(in_service.filter(silent).order_by("pk"))
