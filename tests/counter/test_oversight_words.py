"""Everything that can stand in the audit has words in both languages, and so has every reason against a request."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.translation import override

from accounts.actors import Channel
from accounts.approvals import RequestState, Why
from accounts.kinds import FoundEventKind
from accounts.models import CardLife
from accounts.services.cards import NEXT_LIVES
from accounts.services.staffing import Problem
from accounts.trail import READS
from counter.oversight.auditwords import DEEDS, DOORS, FIELDS, NOUNS
from counter.oversight.staff_kinds import PROBLEMS
from counter.oversight.words import REQUEST_STATES, WHY
from reconciliation.kinds import DisputeEventKind, NoteKind
from transactions.services import corrections, levelling

ROOMS = ("accounts", "transactions", "terminals", "banking", "reconciliation")
_DEED = re.compile(r"[a-z_]{2,}\.[a-z_]{2,}")
BY_PEOPLE = (NoteKind.TAKEN, NoteKind.ASSIGNED, NoteKind.HELD, NoteKind.ESCALATED, NoteKind.REMARK)
NO_DEEDS = {
    "desktop.ini", "ecard.policy", "ecard.terminals", "holder.school_no", "limit.above_max", "policy.unknown_value",
    "roster.encoding", "terminal.code", "top_up.void", "upload.duplicate",
}  # fmt: skip
"""Strings of the same form that are names of other things: loggers, codes, kinds of requests, files."""
HAND_MADE = {
    *(f"case.{kind}" for kind in BY_PEOPLE),
    *(f"found.{kind}" for kind in FoundEventKind.values),
    *(f"dispute.{kind}" for kind in DisputeEventKind.values),
    *(f"card.{life}" for life in NEXT_LIVES if life not in (CardLife.BLANK, CardLife.ISSUED, CardLife.REPLACED)),
    *(f"cash.{kind}" for kind in ("fee", "deposit", "payout", "top_up", "void")),
    *(f"account.{op}" for op in (levelling.OP, *corrections.__all__) if op.islower()),
}  # fmt: skip
"""Deeds whose name is put together; where: the services of cases, found cards, disputes, cash, corrections."""


def written() -> Iterator[tuple[str, str]]:
    """(deed, file) of every string of that form in the services."""
    for room in ROOMS:
        for path in sorted(Path(settings.BASE_DIR, room).rglob("*.py")):
            if {"migrations", "device", "api", "messages"} & set(path.parts):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and _DEED.fullmatch(node.value)
                ):
                    yield node.value, path.name


def test_every_deed_in_the_code_has_words():
    found = dict(written())
    missing = {deed: file for deed, file in found.items() if deed not in DEEDS and deed not in NO_DEEDS}
    assert missing == {}, "add them to counter/oversight/auditwords.py (and its English)"
    assert DEEDS.keys() >= HAND_MADE
    assert len(found) > 60


def nouns() -> set[str]:
    """What every ``Deed(…, "noun", …)`` of the services is done to."""
    found = set()
    for room in ROOMS:
        for path in Path(settings.BASE_DIR, room).rglob("*.py"):
            found |= {
                str(call.args[1].value)
                for call in ast.walk(ast.parse(path.read_text()))
                if isinstance(call, ast.Call)
                and getattr(call.func, "attr", getattr(call.func, "id", "")) == "Deed"
                and len(call.args) > 1
                and isinstance(call.args[1], ast.Constant)
            }
    return found


def test_whatever_a_deed_is_done_to_has_a_word():
    found = nouns()

    assert len(found) > 20
    assert found - NOUNS.keys() == set()


def test_words_for_every_door_and_reason():
    assert set(DOORS) == set(Channel)
    assert set(WHY) == set(Why)
    assert set(REQUEST_STATES) == set(RequestState)
    assert set(PROBLEMS) == set(Problem)
    assert set(READS) <= DEEDS.keys()


@pytest.mark.parametrize("table", [DEEDS, DOORS, FIELDS, NOUNS, WHY, PROBLEMS])
def test_in_english_too(table):
    with override("en"):
        left = {key: str(word) for key, word in table.items() if re.search(r"[\u4e00-\u9fff]", str(word))}
    assert left == {}
