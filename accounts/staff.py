"""Reading who works here: the list, one person with sign-ins and what he signs in with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.keys import Secrets
from accounts.models import LoginRecord, Operator, OperatorRole
from accounts.services import operators


@dataclass(frozen=True, slots=True)
class StaffRow:
    """A member of staff as administrators and auditors see him. ``campus_id`` None serves every campus."""

    id: int
    username: str
    name: str
    role: OperatorRole
    campus_id: int | None
    campus_code: str
    name_zh: str
    name_en: str
    """Of the campus; both empty for every campus."""
    active: bool
    back_office: bool
    has_own_card: bool
    has_password: bool
    must_change_password: bool
    has_authenticator: bool
    last_login_at: datetime | None
    created_at: datetime

    @property
    def can_sign_in(self) -> bool:
        """Whether nothing is missing."""
        return self.active and self.has_password and self.has_authenticator


def staff(*, active: bool | None = True, role: OperatorRole | None = None) -> tuple[StaffRow, ...]:
    """Everybody, by role and name. One statement."""
    found = _all()
    if active is not None:
        found = found.filter(is_active=active)
    if role is not None:
        found = found.filter(role=role)
    order = {each.value: place for place, each in enumerate(OperatorRole)}
    return tuple(
        sorted((_row(each) for each in found), key=lambda row: (order[row.role.value], row.username))
    )


def find(operator_id: int) -> StaffRow | None:
    """One person, or None."""
    found = _all().filter(pk=operator_id).first()
    return _row(found) if found else None


def logins(username: str, *, secrets: Secrets) -> list[LoginRecord]:
    """The latest passwords and codes tried at somebody's door, newest first."""
    return operators.logins_of(username, secrets=secrets)


def names(operator_ids: set[int]) -> dict[int, str]:
    """The names shown for these. One statement."""
    return {each.pk: each.get_full_name() for each in Operator.objects.filter(pk__in=operator_ids)}


def _all() -> QuerySet[Operator]:
    device = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
    return Operator.objects.select_related("campus").annotate(has_device=Exists(device))


def _row(found: Operator) -> StaffRow:
    campus = found.campus
    return StaffRow(
        id=found.pk,
        username=found.username,
        name=found.get_full_name(),
        role=OperatorRole(found.role),
        campus_id=found.campus_id,
        campus_code=campus.code if campus else "",
        name_zh=campus.name_zh if campus else "",
        name_en=campus.name_en if campus else "",
        active=found.is_active,
        back_office=found.is_staff,
        has_own_card=found.holder_id is not None,
        has_password=found.has_usable_password(),
        must_change_password=found.must_change_password,
        has_authenticator=bool(getattr(found, "has_device", False)),
        last_login_at=found.last_login,
        created_at=found.created_at,
    )
