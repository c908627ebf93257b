"""The virtual environment: made once, from hash-locked files, by whichever installer is there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
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
        _run([uv, "venv", "--quiet", "--clear", "--python", interpreter(), str(VENV)])
        return
    _run([interpreter(), "-m", "venv", "--clear", str(VENV)])


def interpreter(distribution: str = "/usr/bin/python3") -> str:
    """The Python that the environment is made of: the one that runs us, unless it was compiled without optimisation.

    A Python that somebody compiled at home takes half as long again for everything (docs/measurements.md). Where the
    system's own is here, new enough and able to make environments, it is taken instead.
    """
    if sys.base_prefix == "/usr" or is_optimised(sysconfig.get_config_var("CONFIG_ARGS")):
        return sys.executable
    able = "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))"
    try:
        done = subprocess.run([distribution, "-I", "-c", able], capture_output=True, check=False)
    except OSError:
        return sys.executable
    return distribution if done.returncode == 0 else sys.executable


def is_optimised(config_args: str | None) -> bool:
    """Whether a Python that was configured like this was compiled with what its own run had taught the compiler."""
    return "--enable-optimizations" in (config_args or "")


def has_headers() -> bool:
    """Whether C extensions can be compiled for the environment's Python."""
    ask = (
        "import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path('include') + '/Python.h'))"
    )
    python = str(PYTHON) if PYTHON.exists() else interpreter()
    return subprocess.run([python, "-I", "-c", ask], capture_output=True, check=False).returncode == 0


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
