"""A worker ends with the process that started it, even when that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ecard.ctl.environment import ROOT

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {child!r}])
print(child.pid, flush=True)
child.wait()
"""
CHILD = """
import time
from ecard.lifetime import end_with_parent
end_with_parent()
print("up", flush=True)
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_does_not_outlive_its_killed_server():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT.format(child=CHILD)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        lines = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
        (worker,) = (int(line) for line in lines - {"up"})

        os.kill(parent.pid, signal.SIGKILL)

        deadline = time.monotonic() + 10
        while is_running(worker) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_running(worker)


def test_a_program_that_is_not_ours_is_bound_in_the_same_way():
    starts = "import subprocess, sys\nfrom ecard.lifetime import bound\n"
    starts += "child = subprocess.Popen(bound(['sleep', '60']))\nprint(child.pid, flush=True)\nchild.wait()\n"
    with subprocess.Popen(
        [sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        program = int(parent.stdout.readline())
        wait_until(lambda: Path(f"/proc/{program}/comm").read_text() == "sleep\n")

        os.kill(parent.pid, signal.SIGKILL)

        wait_until(lambda: not is_running(program))


def wait_until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
