"""Fault counts travel from the process of a test to the end of the output."""

from __future__ import annotations

import pytest

from tests import faults


def test_a_fault_run_without_cases_is_refused():
    with pytest.raises(ValueError, match="had no cases"):
        faults.report("EMPTY", 0, 0)
