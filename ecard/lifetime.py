"""A child process that does not outlive its parent, however the parent ended.

For a program that is not ours: `python -m ecard.lifetime PROGRAM …` becomes that program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Ask Linux to terminate this process when its parent dies; elsewhere nothing happens.

    Without it, the worker of a killed web server keeps the port, and the next server cannot start.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def bound(command: list[str]) -> list[str]:
    """The command line that runs `command` so that it ends with whoever starts it."""
    return [sys.executable, "-m", "ecard.lifetime", *command]


if __name__ == "__main__":
    end_with_parent()
    os.execvp(sys.argv[1], sys.argv[1:])
