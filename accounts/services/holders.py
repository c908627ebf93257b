"""Registering people: checked, sealed, and never the same person twice."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.checks import Rejected
from accounts.keys import Secrets
from accounts.models import (
    Account,
    AccountLife,
    AlertContact,
    Campus,
    DocumentKind,
    Holder,
    HolderKind,
    Photo,
    RosterMember,
)
from accounts.sealing import Place, seal, sealed_with, unseal
from accounts.services import audit

KEPT_AFTER_CLOSING = timedelta(days=365)
"""Personal data is erased a year after the account was closed (PIPL art. 19; security.md section 6)."""


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """What is registered of a person, all fields already parsed by ``accounts.checks``."""

    school_no: str
    name: str
    kind: HolderKind
    campus: Campus
    unit: str = ""
    document_kind: DocumentKind = DocumentKind.NONE
    id_number: str = ""

    def __repr__(self) -> str:
        return "Person(…)"


class AlreadyRegistered(Exception):
    """A holder with this school number or this document exists; says neither whose nor which (item 42)."""

    message = _("该人员已存在")


@transaction.atomic
def register(person: Person, *, actor: Actor, now: datetime, secrets: Secrets) -> Holder:
    """Create a holder. Raises ``AlreadyRegistered``."""
    uid = uuid.uuid4()
    sealed, index = _sealed(person.id_number, uid, secrets)
    try:
        with transaction.atomic():
            holder = Holder.objects.create(
                uid=uid,
                school_no=person.school_no,
                name=person.name,
                kind=person.kind,
                campus=person.campus,
                unit=person.unit,
                document_kind=person.document_kind,
                id_number_sealed=sealed,
                id_number_index=index,
            )
    except IntegrityError as error:
        if "unique" in str(error):
            raise AlreadyRegistered from None
        raise
    after = {"kind": person.kind, "campus": person.campus.code, "document": person.document_kind}
    audit.record(audit.Deed("holder.register", "holder", uid, after=after), actor=actor, now=now)
    return holder


@transaction.atomic
def read_id_number(holder: Holder, *, reason: str, actor: Actor, now: datetime, secrets: Secrets) -> str:
    """Show the whole number to a clerk who says why; every reading is in the audit. Raises ``Rejected``."""
    if not reason.strip():
        raise Rejected(_("请填写查看身份证号码的原因"))
    deed = audit.Deed("holder.read_id_number", "holder", holder.uid, reason=reason)
    audit.record(deed, actor=actor, now=now)
    return id_number_of(holder, secrets) or ""


def id_number_of(holder: Holder, secrets: Secrets) -> str | None:
    """Open the sealed number for a computation; what is shown goes through ``read_id_number`` or a mask."""
    if holder.id_number_sealed is None:
        return None
    return unseal(bytes(holder.id_number_sealed), _place(holder.uid), secrets)


def index_of(id_number: str, secrets: Secrets) -> bytes:
    """The blind index under which a holder with this number is found."""
    return secrets.blind("id_number", id_number.upper())


@transaction.atomic
def reseal(holder_id: int, secrets: Secrets) -> bool:
    """Seal a number anew with the current field key; False when it already is. For the rotation command."""
    holder = Holder.objects.select_for_update().get(pk=holder_id)
    number = id_number_of(holder, secrets)
    if number is None or _is_current(holder, secrets):
        return False
    holder.id_number_sealed = seal(number, _place(holder.uid), secrets)
    holder.save(update_fields=["id_number_sealed"])
    return True


def to_erase(*, now: datetime) -> QuerySet[Holder]:
    """The holders whom ``erase`` would take the personal data from, and who still have some."""
    return _done_with(now).filter(name__gt="")


def account_ids(holder_id: int) -> list[int]:
    """All accounts that somebody ever had."""
    return list(Account.objects.filter(holder_id=holder_id).values_list("pk", flat=True))


@transaction.atomic
def erase(holder_id: int, *, actor: Actor, now: datetime) -> bool:
    """Take away the personal data of a holder whose accounts have been closed for a year; the ``uid`` stays.

    So it goes with somebody who never had one and left the roster a year ago. Returns False, and changes nothing, while
    any account is in use, holds money or was closed later.
    """
    holder = Holder.objects.select_for_update().get(pk=holder_id)
    if not _done_with(now).filter(pk=holder_id).exists():
        return False
    Holder.objects.filter(pk=holder_id).update(
        school_no=f"X{holder.uid.hex[:19].upper()}",
        name="",
        unit="",
        document_kind=DocumentKind.NONE,
        id_number_sealed=None,
        id_number_index=None,
    )
    Photo.objects.filter(holder=holder).delete()
    RosterMember.objects.filter(holder=holder).update(group="", year=None)
    empty = {"sealed": None, "confirmed_at": None, "pending": None, "asked_at": None}
    AlertContact.objects.filter(account__holder=holder).update(**empty)
    audit.record(audit.Deed("holder.erase", "holder", holder.uid), actor=actor, now=now)
    return True


def _done_with(now: datetime) -> QuerySet[Holder]:
    since = now - KEPT_AFTER_CLOSING
    long_closed = Q(life=AccountLife.CLOSED, closed_at__lte=since, book_fen=0, unclaimed_fen=0)
    ever = Account.objects.filter(holder=OuterRef("pk"))
    gone = RosterMember.objects.filter(holder=OuterRef("pk"), left_at__lte=since)
    return Holder.objects.filter(Exists(ever) | Exists(gone), ~Exists(ever.exclude(long_closed)))


def _is_current(holder: Holder, secrets: Secrets) -> bool:
    sealed = holder.id_number_sealed
    return sealed is not None and sealed_with(bytes(sealed)) == secrets.field_key_id


def _sealed(id_number: str, uid: uuid.UUID, secrets: Secrets) -> tuple[bytes | None, bytes | None]:
    if not id_number:
        return None, None
    return seal(id_number, _place(uid), secrets), index_of(id_number, secrets)


def _place(uid: uuid.UUID) -> Place:
    return Place("accounts_holder", "id_number", uid)
