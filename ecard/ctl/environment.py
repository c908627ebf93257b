"""The virtual environment: made once, from hash-locked files, by whichever installer is there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
VAR = ROOT / "var"
PYTHON = VENV / "bin" / "python"

RUNTIME = "requirements.txt"
DEVELOPMENT = "requirements-dev.txt"
READER = "requirements-reader.txt"


class SetupProblem(Exception):
    """The environment cannot be made; the text says why."""


def ensure(*files: str) -> None:
    """Install the given requirement files unless exactly these contents are installed already.

    Several commands may call this at once: one installs, the others wait.

    Raises:
        SetupProblem: the installer failed.
    """
    if all(_is_current(file) for file in files):
        return
    VAR.mkdir(exist_ok=True)
    with _one_at_a_time():
        missing = [file for file in files if not _is_current(file)]
        if not missing:
            return
        _make_venv()
        _install(missing)
        for file in missing:
            _stamp(file).write_text(_digest(file))


def site_packages() -> Path:
    """The directory the environment's packages are in."""
    return next((VENV / "lib").glob("python3*/site-packages"))


def _is_current(file: str) -> bool:
    stamp = _stamp(file)
    return PYTHON.exists() and stamp.exists() and stamp.read_text() == _digest(file)


def _stamp(file: str) -> Path:
    return VENV / f"{file}.installed"


def _digest(file: str) -> str:
    return hashlib.sha256((ROOT / file).read_bytes()).hexdigest()


def _make_venv() -> None:
    if PYTHON.exists() and subprocess.run([PYTHON, "-c", ""], check=False).returncode == 0:
        return
    print("ecardctl: making .venv …", file=sys.stderr)
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)])
        return
    _run([sys.executable, "-m", "venv", "--clear", str(VENV)])


def _install(files: list[str]) -> None:
    print(f"ecardctl: installing {', '.join(files)} …", file=sys.stderr)
    named = [part for file in files for part in ("-r", str(ROOT / file))]
    if uv := shutil.which("uv"):
        _run([uv, "pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes", *named])
        return
    if subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        _run([str(PYTHON), "-m", "ensurepip", "--upgrade"])  # an environment once made by uv has no pip
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", *named])


def _run(command: list[str]) -> None:
    if subprocess.run(command, stdout=sys.stderr, check=False, cwd=ROOT).returncode != 0:
        raise SetupProblem(f"failed: {' '.join(command)}")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    descriptor = os.open(VAR / "venv.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
