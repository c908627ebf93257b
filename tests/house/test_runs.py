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
COUNTS = "from tests.faults import report\n\ndef test_{0}():\n    report('{1}', {2}, {3})\n"


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


def test_the_last_line_counts_what_happened(run):
    status, lines = run(PASSES, FAILS, BREAKS, SKIPS, WARNS)

    assert status == 1
    assert lines[-1] == "1 passed, 3 failed, 1 skipped"  # a broken fixture and a warning are failures too


def test_outside_ci_a_part_may_be_skipped_and_long_runs_wait_for_the_night(run):
    status, lines = run(PASSES, SKIPS, LONG)

    assert status == 0
    assert lines[-1] == "1 passed, 0 failed, 1 skipped"


def test_in_ci_a_skipped_test_fails_the_run(run):
    status, lines = run(PASSES, SKIPS, LONG, arguments=("--long",), ci=True)

    assert status == 1
    assert "CI refuses skipped tests." in lines
    assert lines[-1] == "2 passed, 0 failed, 1 skipped"


def test_faults_of_all_processes_are_added_up_and_a_violation_fails_the_run(run):
    texts = (
        COUNTS.format("a", "KEPT", 30, 0),
        COUNTS.format("b", "KEPT", 12, 0),
        COUNTS.format("c", "BROKEN", 7, 1),
    )

    status, lines = run(*texts, arguments=("-n", "2"))

    assert status == 1
    assert {"FAULTS KEPT 42 0", "FAULTS BROKEN 7 1"} <= set(lines)
    assert lines[-1] == "3 passed, 0 failed, 0 skipped"
