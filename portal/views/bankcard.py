"""The bank card that money can be loaded from: seen here, bound and ended at a card center only (guide L45-47)."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.wiring import policy
from banking.selectors import binding_of
from portal.access import HolderRequest, holder_required
from portal.pages import centers, own_page
from portal.places import bank_shown


@holder_required()
@require_safe
def bank_card(request: HolderRequest) -> HttpResponse:
    """Masked, where and when it was bound; or how to bind one."""
    context = {
        "binding": binding_of(request.account.id),
        "bank": bank_shown(),
        "bounds": policy(),
        **centers(),
    }
    return own_page(request, "portal/bank_card.html", context)
