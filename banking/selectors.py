"""What screens and other rooms read here. Numbers come out masked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from banking.models import ACTIVE, Binding, BindingState
from banking.numbers import masked


@dataclass(frozen=True, slots=True)
class BindingFacts:
    """The bank card of an account, as anybody may see it. ``confirmed`` False: only a center can make it count.

    ``name_zh`` and ``name_en`` name the desk where it was bound.
    """

    masked: str
    last_four: str
    state: BindingState
    bound_at: datetime
    name_zh: str
    name_en: str

    @property
    def confirmed(self) -> bool:
        """Whether money can be loaded from it."""
        return self.state is BindingState.CONFIRMED


def binding_of(account_id: int) -> BindingFacts | None:
    """The one bank card that is bound to this account now, or None: unbound. One statement."""
    row = Binding.objects.filter(account_id=account_id, state__in=ACTIVE).first()
    return facts_of(row) if row is not None else None


def bindings_of(account_id: int) -> list[BindingFacts]:
    """Every bank card that was ever bound to this account, newest first."""
    return [
        facts_of(row) for row in Binding.objects.filter(account_id=account_id).order_by("-bound_at", "-pk")
    ]


def facts_of(row: Binding) -> BindingFacts:
    """One row, masked."""
    return BindingFacts(
        masked=masked(row.first_four, row.last_four),
        last_four=row.last_four,
        state=BindingState(row.state),
        bound_at=row.bound_at,
        name_zh=row.bound_place_zh,
        name_en=row.bound_place_en,
    )
