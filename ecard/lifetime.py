"""A child process that does not outlive its parent, however the parent ended."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Ask Linux to terminate this process when its parent dies; elsewhere nothing happens.

    Without it, the worker of a killed web server keeps the port, and the next server cannot start.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
