"""TEAR through the real stack, pyscard → pcscd → vpcd: a debit cut at every operation, and finished by the next tap."""

from __future__ import annotations

import pytest

from purse.procedures import Outcome
from terminals.device.reader.field import Kind
from terminals.device.reader.tearing import Tear
from tests import faults
from tests.readers.test_purse_on_readers import debit_cut, operations_of_a_debit

pytestmark = pytest.mark.xdist_group("pcscd")
TURNS = 6
"""Torn writes choose their bits at random, and weak cells how they read: each picture several times."""


def cases():
    kinds = operations_of_a_debit()
    for after, kind in enumerate(kinds):
        for tear in Tear if kind is Kind.WRITE else [Tear.BEFORE, Tear.AFTER]:
            for turn in range(TURNS if kind is Kind.WRITE else 2):
                yield after, tear, turn


def test_a_debit_cut_anywhere_over_pcsc_ends_as_it_says(pcsc_bench):
    """Confirmed stays confirmed, not written stays not written, and what is in doubt is finished by the same card."""
    kinds, violations, count = operations_of_a_debit(), [], 0
    write = kinds.index(Kind.WRITE)
    for after, tear, turn in cases():
        count += 1
        outcome, ended, right = debit_cut(pcsc_bench, after, tear)
        allowed = {Outcome.UNKNOWN} if after >= write else {None, Outcome.NOT_WRITTEN}
        if outcome not in allowed or ended is Outcome.UNKNOWN or not right:
            violations.append((after, tear, turn, outcome, ended, right))

    faults.report("TEAR-pcsc", count, len(violations))
    assert violations == []
    assert count >= 100
