"""The device programs: ``python -m terminals.device till|desk --server URL --config FILE --reader sim:DIR``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from terminals.device import config as configuration
from terminals.device.client import NoAnswer, Rejected, enrol
from terminals.device.console import Console
from terminals.device.desk import DeskParts, DeskStation
from terminals.device.desk_ui import DeskConsole, DeskPage
from terminals.device.line import BadAddress
from terminals.device.reader import open_reader
from terminals.device.station import Parts, Station
from terminals.device.store import Store
from terminals.device.ui import LocalPage, Page


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a device until it is told to stop. Returns the exit code: 2 for a wrong call, 1 for a problem."""
    asked = _parser().parse_args(arguments)
    if asked.device not in _PROGRAMS:
        print(f"The {asked.device} program comes with a later release.", file=sys.stderr)
        return 2
    path = Path(asked.config)
    try:
        if asked.enrol:
            return _enrol(path, asked)
        config = configuration.load(path)
        if config.enrolled.kind != asked.device:
            raise configuration.ConfigProblem(f"{path} is the file of a {config.enrolled.kind}")
        return _run(_PROGRAMS[asked.device](config, path, asked), asked)
    except (configuration.ConfigProblem, BadAddress, NoAnswer, Rejected, OSError, ValueError) as problem:
        print(f"{asked.device}: {problem}", file=sys.stderr)
        return 1


class _Machine(Protocol):
    """A device that moves by itself; ``ended`` is called when it stands still."""

    ended: Callable[[], None]

    def start(self) -> None: ...

    def stop(self) -> None: ...


class _Console(Protocol):
    def run(self, lines: Iterable[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Program:
    """A device and its faces."""

    machine: _Machine
    console: _Console | None
    page: Callable[[str], LocalPage]


def _till(config: configuration.Config, path: Path, asked: argparse.Namespace) -> _Program:
    reader = open_reader(asked.reader)
    parts = Parts.assemble(config, asked.server, lambda: Store(configuration.journal_path(path, config)))
    if parts.problem:
        print(f"till: nothing can be sold, the journal is broken: {parts.problem}", file=sys.stderr)
    station = Station(config, parts, reader)
    console = Console(station, sys.stdout, language=asked.lang) if asked.console else None
    return _Program(station, console, lambda place: Page(station, place))


def _desk(config: configuration.Config, path: Path, asked: argparse.Namespace) -> _Program:
    reader = open_reader(asked.reader)
    parts = DeskParts.assemble(config, asked.server, lambda: Store(configuration.journal_path(path, config)))
    if parts.problem:
        print(f"desk: no card is written, the journal is broken: {parts.problem}", file=sys.stderr)
    station = DeskStation(config, parts, reader)
    console = DeskConsole(station, sys.stdout) if asked.console else None
    return _Program(station, console, lambda place: DeskPage(station, place))


_PROGRAMS = {"till": _till, "desk": _desk}


def _run(program: _Program, asked: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    program.machine.ended = stop.set
    page = None
    try:
        if asked.ui:
            page = program.page(asked.ui)
            print(f"{asked.device}: {page.url}", file=sys.stderr)
        program.machine.start()
        if page is not None:
            page.start()
        if program.console is not None:
            # A thread of its own, because reading standard input cannot be interrupted.
            threading.Thread(target=_obey, args=(program.console, stop), daemon=True).start()
        stop.wait()
    finally:
        if page is not None:
            page.stop()
        program.machine.stop()
    return 0


def _obey(console: _Console, stop: threading.Event) -> None:
    try:
        console.run(sys.stdin)
    finally:
        stop.set()


def _enrol(path: Path, asked: argparse.Namespace) -> int:
    """Exchange the code for this device's keys and keep them."""
    if path.exists():
        print(
            f"{asked.device}: {path} exists; a device is enrolled once, move the file away to enrol anew",
            file=sys.stderr,
        )
        return 1
    enrolled = enrol(asked.server, asked.enrol, ca=asked.ca)
    configuration.save(path, enrolled, ca=asked.ca)
    print(f"{asked.device}: enrolled as terminal {enrolled.terminal}, {enrolled.name_zh}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m terminals.device", description=__doc__)
    parser.add_argument("device", choices=["till", "desk", "kiosk"])
    parser.add_argument("--server", required=True, metavar="URL")
    parser.add_argument(
        "--config", required=True, metavar="FILE", help="what enrolment wrote; keys are in it"
    )
    parser.add_argument("--reader", default="pcsc:", metavar="pcsc:NAME|sim:DIR")
    parser.add_argument("--ui", metavar="HOST:PORT", help="serve the device's own face in the browser")
    parser.add_argument(
        "--console", choices=["json"], help="commands on standard input, events on standard output"
    )
    parser.add_argument("--lang", choices=["zh", "en"], default="zh")
    parser.add_argument("--enrol", metavar="CODE", help="enrol this device with a one-time code, then exit")
    parser.add_argument(
        "--ca", metavar="FILE", help="the CA that signed the server's certificate (with --enrol)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
