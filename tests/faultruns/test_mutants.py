"""MUTANT: bugs planted one by one into a copy of the source; the test that is named for each must fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ecard import localdb
from tests import faults
from tests.faultruns.mutants import MUTANTS
from tests.faultruns.test_pgcrash import throwaway

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "var", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache"
)


def test_every_planted_bug_fits_its_file_exactly_once():
    """Runs always: a table that nobody notices rotting proves nothing."""
    odd = [one.name for one in MUTANTS if (ROOT / one.path).read_text().count(one.old) != 1]

    assert odd == []
    assert len({one.name for one in MUTANTS}) == len(MUTANTS) >= 25
    told = (ROOT / "docs/reliability.md").read_text()
    assert [one.name for one in MUTANTS if f"| {one.name} |" not in told] == []
    for one in MUTANTS:
        path, _, name = one.test.partition("::")
        assert f"def {name}" in (ROOT / path).read_text()


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The source in a directory of its own, with a database server of its own."""
    there = tmp_path_factory.mktemp("mutants") / "copy"
    shutil.copytree(ROOT, there, ignore=LEFT_OUT, symlinks=True)
    (there / "var" / "static").mkdir(parents=True)
    with throwaway() as cluster:
        yield there, cluster


def outcome(copy, test):
    """How many tests passed, failed and could not be run."""
    there, cluster = copy
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    variables["DATABASE_URL"] = cluster.url(localdb.APP_ROLE)
    variables["DATABASE_OWNER_URL"] = cluster.url(localdb.OWNER_ROLE)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-n0", *test],
        cwd=there, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {
        word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)\b", ended.stdout)
    }
    assert found, ended.stdout + ended.stderr
    print(ended.stdout[-5000:])
    return found


@pytest.mark.long
def test_without_a_planted_bug_the_named_tests_pass(copy):
    found = outcome(copy, sorted({one.test for one in MUTANTS}))

    assert found["passed"]
    assert not found.get("failed")
    assert not found.get("error")


@pytest.mark.long
@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.name)
def test_a_planted_bug_is_caught(copy, one):
    path = copy[0] / one.path
    sound = path.read_text()
    path.write_text(sound.replace(one.old, one.new))
    try:
        found = outcome(copy, [one.test])
    finally:
        path.write_text(sound)

    faults.report("MUTANT", 1, not found.get("failed"))
    assert found.get("failed")
