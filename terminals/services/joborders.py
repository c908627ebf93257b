"""What a job may be ordered with, and why an order is refused."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Any, Final

from terminals.models import JobKind
from transactions.models import Contra, EntryKind

LOAD_KINDS: Final = frozenset({EntryKind.TOP_UP, EntryKind.BANK_LOAD})
LOAD_CONTRAS: Final = frozenset({Contra.DRAWER, Contra.BANK})


class OrderProblem(StrEnum):
    """Why a job was not ordered; the screens have a sentence for each."""

    NOT_A_DESK = "not_a_desk"
    """No such terminal in service, or another kind of machine."""
    DESK_BUSY = "desk_busy"
    """Another job of this desk is not over; its id is ``OrderRefused.job``."""
    OWN_ACCOUNT = "own_account"
    """Nobody acts on an own account (reliability.md P4)."""
    WRONG_CARD = "wrong_card"
    """The card does not belong to the account, or is not in the life that this job needs."""
    BAD_PARAMS = "bad_params"
    """``OrderRefused.field`` names the parameter."""


class OrderRefused(Exception):
    """The job was not ordered; nothing was written."""

    def __init__(self, problem: OrderProblem, *, job: uuid.UUID | None = None, field: str = "") -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.job = job
        self.field = field


def checked(kind: JobKind, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters with their defaults. Raises ``OrderRefused`` naming the one that is wrong."""
    match kind:
        case JobKind.READ:
            wanted: dict[str, Any] = {"heal": params.pop("heal", False)}
            _require_flag(wanted, "heal")
        case JobKind.SET:
            wanted = {"despite_finding": params.pop("despite_finding", False)}
            _require_flag(wanted, "despite_finding")
        case JobKind.MARK:
            wanted = {"on": params.pop("on", None)}
            _require_flag(wanted, "on")
        case JobKind.LOAD:
            wanted = _checked_load(params)
        case JobKind.UNLOAD:
            wanted = {name: params.pop(name, None) for name in ("receipt", "request", "shift")}
            for name in wanted:
                _require_id(wanted, name)
        case _:
            wanted = {}
    if params:
        raise OrderRefused(OrderProblem.BAD_PARAMS, field=str(next(iter(params))))
    return wanted


def _require_flag(params: dict[str, Any], name: str) -> None:
    if not isinstance(params[name], bool):
        raise OrderRefused(OrderProblem.BAD_PARAMS, field=name)


def _require_id(params: dict[str, Any], name: str) -> None:
    if isinstance(params[name], bool) or not isinstance(params[name], int) or params[name] <= 0:
        raise OrderRefused(OrderProblem.BAD_PARAMS, field=name)


def _checked_load(params: dict[str, Any]) -> dict[str, Any]:
    if params.pop("claim", False) is True:
        return {"claim": True}
    fen, ref, note = params.pop("fen", None), params.pop("contra_ref", None), params.pop("note", "")
    kind, contra = params.pop("kind", EntryKind.TOP_UP.value), params.pop("contra", Contra.DRAWER.value)
    if isinstance(fen, bool) or not isinstance(fen, int) or fen <= 0:
        raise OrderRefused(OrderProblem.BAD_PARAMS, field="fen")
    if kind not in {each.value for each in LOAD_KINDS}:
        raise OrderRefused(OrderProblem.BAD_PARAMS, field="kind")
    if contra not in {each.value for each in LOAD_CONTRAS}:
        raise OrderRefused(OrderProblem.BAD_PARAMS, field="contra")
    if ref is not None and (isinstance(ref, bool) or not isinstance(ref, int)):
        raise OrderRefused(OrderProblem.BAD_PARAMS, field="contra_ref")
    if not isinstance(note, str) or len(note) > 200 or not note.isprintable():
        raise OrderRefused(OrderProblem.BAD_PARAMS, field="note")
    return {"fen": fen, "kind": str(kind), "contra": str(contra), "contra_ref": ref, "note": note}
