"""How every deed about an account runs: who may, what is seen, what will be, one confirmation, one receipt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect

from accounts.actors import WrongDoor
from accounts.checks import Rejected
from accounts.pinhash import Busy
from accounts.services import approvals, deeds, standing
from accounts.services.errors import NotAllowed
from accounts.services.passwords import NotOffered
from banking.services.errors import NotBound
from counter.access import StaffRequest
from counter.jobs import panel
from counter.oversight.words import WHY
from counter.pages import staff_page
from counter.people.actions import ACTIONS, Action, Facts
from counter.people.views.account import facts_of
from counter.people.words import BUSY, KEY_REUSED, OWN, Words

Done = Callable[[], HttpResponse | UUID]


@dataclass(frozen=True, slots=True)
class Effect:
    """One line of the preview: what is, and what will be."""

    label: Words
    before: Words
    after: Words


@dataclass(frozen=True, slots=True)
class Look:
    """How the page of a deed looks. ``tone``: ``bad`` for what takes something away from the holder."""

    url_name: str
    intro: Words
    button: Words
    effects: tuple[Effect, ...] = ()
    tone: str = ""
    with_reader: bool = False
    template: str = "counter/people/deed.html"
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> Action:
        """The row of the registry that leads here."""
        return next(action for action in ACTIONS if action.url_name == self.url_name)


def run(
    request: StaffRequest,
    account_id: int,
    form: forms.Form,
    look: Callable[[Facts], Look],
    act: Callable[[Facts], HttpResponse | UUID],
) -> HttpResponse:
    """The page of one deed, or its doing: ``act`` returns the key of the deed, whose receipt is shown then."""
    facts = facts_of(request, account_id)
    if request.method != "POST":
        return deed_page(request, facts, form, look(facts))
    if not form.is_valid():
        return deed_page(request, facts, form, look(facts), status=400)
    try:
        outcome = act(facts)
    except (NotAllowed, Rejected, NotOffered, NotBound) as refused:
        form.add_error(None, str(refused.message))
    except approvals.NotApproved as refused:
        form.add_error(None, str(WHY[refused.why]))
    except (deeds.KeyReused, standing.KeyReused):
        form.add_error(None, str(KEY_REUSED))
    except WrongDoor:
        form.add_error(None, str(OWN))
    except Busy:
        form.add_error(None, str(BUSY))
    else:
        if isinstance(outcome, UUID):
            return redirect("counter:served", account_id=account_id, done_key=outcome)
        return outcome
    return deed_page(request, facts_of(request, account_id), form, look(facts), status=409)


def deed_page(
    request: StaffRequest, facts: Facts, form: forms.Form, look: Look, *, status: int = 200
) -> HttpResponse:
    """What will happen and one button; or why not. A key that was used stays, so that a repeat is the same deed."""
    kept = form["key"].value() if form.is_bound and "key" not in form.errors else None
    context: dict[str, Any] = {
        "account": facts.account,
        "facts": facts,
        "look": look,
        "action": look.action,
        "why_not": look.action.why_not(facts),
        "form": form,
        "key": kept or uuid4(),
        "reader": panel(request, account_id=facts.account.id) if look.with_reader else None,
        **look.extra,
    }
    return staff_page(request, look.template, context, status=status)
