"""What `ecardctl check` runs: every static check, all of them even when an early one fails."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ecard.ctl import catalogues
from ecard.ctl.environment import PYTHON, ROOT, VENV

MAXIMUM_LINES = 400
MAXIMUM_TEST_LINES = 550
"""A test file that tells one subject to its end is easier to read than two halves of it."""
PRODUCTION_LIKE = {
    "ECARD_DEMO": "0",
    "SITE_URL": "https://ecard.example.edu.cn",
    "TRUSTED_PROXY_HOPS": "1",
}
"""A machine in production sets these; the keys and databases of the run are used besides."""


def run(arguments: Sequence[str], variables: dict[str, str]) -> int:
    """Run all checks, print the output of those that failed, and return 1 if any did."""
    del arguments
    failed = []
    for name, command, extra in _commands():
        done = subprocess.run(
            command, env=variables | extra, cwd=ROOT, capture_output=True, text=True, check=False
        )
        print(f"{'ok    ' if done.returncode == 0 else 'FAILED'} {name}", flush=True)
        if done.returncode != 0:
            print(done.stdout + done.stderr, flush=True)
            failed.append(name)
    for name, complaints in (("translations", _stale_catalogues()), ("file length", _long_files())):
        print(f"{'FAILED' if complaints else 'ok    '} {name}", *complaints, sep="\n")
        failed += [name] if complaints else []
    print(f"{len(failed)} checks failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def _commands() -> list[tuple[str, list[str], dict[str, str]]]:
    binary = VENV / "bin"
    manage = [str(PYTHON), "manage.py"]
    deploy = [*manage, "check", "--deploy", "--fail-level", "WARNING", "--database", "default"]
    return [
        ("ruff check", [str(binary / "ruff"), "check", "--output-format", "concise", "."], {}),
        ("ruff format", [str(binary / "ruff"), "format", "--check", "--output-format", "concise", "."], {}),
        ("import rules", [str(binary / "lint-imports")], {}),
        ("mypy", [str(binary / "mypy")], {}),
        ("migrations", [*manage, "makemigrations", "--check", "--dry-run"], {}),
        ("deployment", deploy, PRODUCTION_LIKE | {"SECRET_KEY": secrets.token_urlsafe(64)}),
    ]


def _stale_catalogues() -> list[str]:
    return [complaint for source in catalogues.sources() for complaint in catalogues.complaints(source)]


def _long_files() -> list[str]:
    names = subprocess.run(
        ["git", "ls-files", "*.py", "*.html", "*.js", "*.css"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    sizes = {
        name: len(Path(ROOT, name).read_text().splitlines())
        for name in names
        if (ROOT / name).exists() and "/migrations/" not in name
    }
    return [
        f"{name}: {lines} lines"
        for name, lines in sizes.items()
        if lines > (MAXIMUM_TEST_LINES if name.startswith("tests/") else MAXIMUM_LINES)
    ]
