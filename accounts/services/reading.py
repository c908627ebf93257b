"""Looking at what is somebody else's: the reason first, a line in the audit, then the sight (reliability.md P6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.checks import Rejected
from accounts.keys import Secrets
from accounts.models import Account
from accounts.services import audit
from accounts.services.holders import read_id_number


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A person, unmasked, for the eyes of whoever said why."""

    name: str
    school_no: str
    document: str
    id_number: str

    def __repr__(self) -> str:
        return "Identity(…)"


@transaction.atomic
def note_statement(account_id: int, *, reason: str, actor: Actor, now: datetime) -> None:
    """Say that somebody looks at this account's movements, and why. Raises ``Rejected`` without a reason."""
    if not reason.strip():
        raise Rejected(_("请填写查看流水的原因"))
    deed = audit.Deed("statement.read", "account", account_id, reason=reason)
    audit.record(deed, actor=actor, now=now)


@transaction.atomic
def read_identity(account_id: int, *, reason: str, actor: Actor, now: datetime, secrets: Secrets) -> Identity:
    """The whole name and numbers of a holder. Raises ``Rejected`` without a reason and ``Account.DoesNotExist``."""
    holder = Account.objects.select_related("holder").get(pk=account_id).holder
    number = read_id_number(holder, reason=reason, actor=actor, now=now, secrets=secrets)
    return Identity(holder.name, holder.school_no, holder.get_document_kind_display(), number)
