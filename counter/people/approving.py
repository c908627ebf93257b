"""What of this area takes two people: a daily limit above the policy's maximum (V01)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.actors import AtCounter, WrongDoor
from accounts.approvals import RequestRow
from accounts.kinds import DocumentKind
from accounts.services import approvals, served
from accounts.services.errors import NotAllowed
from accounts.services.served import LIMIT_KIND, At
from counter.oversight import kinds
from counter.oversight.kinds import Deed, Fact, Kind, NotDone
from counter.oversight.words import WHY
from counter.people.words import OWN, money


def _facts(row: RequestRow) -> list[Fact]:
    return [Fact(_("新的日限额"), money(int(row.content["limit_fen"])))]


def _carry_out(deed: Deed) -> None:
    row = deed.row
    at = At(row.key, int(row.content["account"]), AtCounter(deed.actor, DocumentKind.NONE), deed.now)
    try:
        served.change_limit(at, int(row.content["limit_fen"]), policy=deed.policy, request_id=row.id)
    except NotAllowed as refused:
        raise NotDone(refused.message) from None
    except approvals.NotApproved as refused:
        raise NotDone(WHY[refused.why]) from None
    except WrongDoor:
        raise NotDone(OWN) from None


kinds.register(
    Kind(
        LIMIT_KIND,
        _("日限额超过上限"),
        _facts,
        carry_out=_carry_out,
        effect=_("同意后立即生效：一天累计消费到这个数以内不要消费密码。"),
    )
)
