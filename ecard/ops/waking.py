"""What must not live on in a database that went back in time: who was signed in, and codes that may be used up."""

from __future__ import annotations

from datetime import datetime

from django.contrib.sessions.models import Session
from django.db import transaction

from accounts.actors import Actor
from accounts.models import StaffSession
from accounts.services import audit
from terminals.models import EnrolmentCode


@transaction.atomic
def wake(*, made_at: str, now: datetime) -> dict[str, int]:
    """End every session, withdraw every open enrolment code, and say in the audit that the database was restored."""
    ended = {
        "sessions": Session.objects.all().delete()[0],
        "staff_sessions": StaffSession.objects.filter(ended_at__isnull=True).update(ended_at=now),
        "enrolment_codes": EnrolmentCode.objects.filter(
            used_at__isnull=True, withdrawn_at__isnull=True
        ).update(withdrawn_at=now),
    }
    deed = audit.Deed("database.restore", "database", "default", after={"made_at": made_at, **ended})
    audit.record(deed, actor=Actor.system("restore"), now=now)
    return ended
