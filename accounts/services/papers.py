"""Checking a document that is shown at a desk against the register, before anything is done on its strength."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, AtCounter
from accounts.checks import Rejected
from accounts.keys import Secrets
from accounts.models import Account, Holder
from accounts.papers import IDENTITY, SeenPaper
from accounts.services import audit
from accounts.services.holders import id_number_of

AGREES = "agrees"
"""The register holds this document and its last four characters are the same."""
UNKNOWN = "not in the register"
"""The register holds no such document; its last four characters are in the note."""


def at_counter(
    account_id: int,
    paper: SeenPaper,
    *,
    actor: Actor,
    own_holder_id: int | None,
    secrets: Secrets,
    now: datetime,
    card_on_reader: bool = False,
) -> AtCounter:
    """The door of a deed for one account, opened by a document that agrees with the register.

    A document that does not agree is in the audit as a deed of its own, so that trying digits shows. Raises
    ``Rejected``, ``Account.DoesNotExist`` and ``actors.WrongDoor``. Call it outside the transaction of the deed.
    """
    holder = Account.objects.select_related("holder").get(pk=account_id).holder
    note = check(holder, paper, actor=actor, now=now, secrets=secrets)
    return AtCounter(actor, paper.kind, card_on_reader, own_holder_id, note)


def check(holder: Holder, paper: SeenPaper, *, actor: Actor, now: datetime, secrets: Secrets) -> str:
    """How this document stands to the register, as the audit will say. Raises ``Rejected`` when it differs."""
    number = id_number_of(holder, secrets)
    if number is None or paper.kind not in IDENTITY:
        return f"{UNKNOWN}: {paper.tail}"
    if paper.kind.value == holder.document_kind and paper.ends(number):
        return AGREES
    with transaction.atomic():
        deed = audit.Deed("document.differs", "holder", holder.uid, after={"document": paper.kind.value})
        audit.record(deed, actor=actor, now=now)
    raise Rejected(_("证件种类或末四位与登记不符，没有办理。请核对证件；登记有误的请先更正登记"))
