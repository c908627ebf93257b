"""What a test run itself promises: counts at the end, no silent skips, faults that fail it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ecard.ctl.environment import ROOT

PASSES = "def test_passes():\n    pass\n"
SKIPS = "import pytest\n\ndef test_skips():\n    pytest.skip('planted')\n"
FAILS = "def test_fails():\n    assert False\n"
BREAKS = (
    "import pytest\n\n@pytest.fixture\ndef broken():\n    raise ValueError\n\ndef test_x(broken):\n    pass\n"
)
WARNS = "import warnings\n\ndef test_warns():\n    warnings.warn('planted')\n"
LONG = "import pytest\n\n@pytest.mark.long\ndef test_long():\n    pass\n"
COUNTS = "from tests.faults import report\n\ndef test_{0}():\n    report('PLANTED', {1}, {2})\n"


@pytest.fixture
def run(tmp_path):
    def run(*texts: str, arguments: tuple[str, ...] = (), ci: bool = False) -> tuple[int, list[str]]:
        for number, text in enumerate(texts):
            (tmp_path / f"test_planted_{number}.py").write_text(text)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-p",
                "tests.conftest",
                "-c",
                ROOT / "pyproject.toml",
                tmp_path,
                *arguments,
            ],
            env=os.environ | {"CI": "true" if ci else ""},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()

    return run


@pytest.mark.parametrize(
    ("texts", "status", "closing"),
    [
        ([PASSES], 0, "1 passed, 0 failed, 0 skipped"),
        ([PASSES, FAILS], 1, "1 passed, 1 failed, 0 skipped"),
        ([PASSES, BREAKS], 1, "1 passed, 1 failed, 0 skipped"),
        ([PASSES, SKIPS], 0, "1 passed, 0 failed, 1 skipped"),
        ([WARNS], 1, "0 passed, 1 failed, 0 skipped"),
    ],
    ids=["passed", "failed", "error", "skipped", "warning"],
)
def test_the_last_line_counts_what_happened(run, texts, status, closing):
    seen, lines = run(*texts)

    assert (seen, lines[-1]) == (status, closing)


def test_in_ci_a_skipped_test_fails_the_run(run):
    status, lines = run(PASSES, SKIPS, ci=True)

    assert status == 1
    assert "CI refuses skipped tests." in lines


@pytest.mark.parametrize("workers", ["0", "2"])
def test_fault_counts_are_added_up_over_all_processes(run, workers):
    status, lines = run(COUNTS.format("a", 30, 0), COUNTS.format("b", 12, 0), arguments=("-n", workers))

    assert status == 0
    assert "FAULTS PLANTED 42 0" in lines


def test_a_violation_fails_the_run_even_if_no_test_did(run):
    status, lines = run(COUNTS.format("a", 30, 1))

    assert status == 1
    assert "FAULTS PLANTED 30 1" in lines


@pytest.mark.parametrize(("arguments", "closing"), [((), "0 passed"), (("--long",), "1 passed")])
def test_long_runs_are_for_the_night(run, arguments, closing):
    _, lines = run(LONG, arguments=arguments)

    assert lines[-1].startswith(closing)
