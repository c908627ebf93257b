"""The device programs: ``python -m terminals.device till --server URL --config FILE --reader sim:DIR``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from terminals.device import config as configuration
from terminals.device.client import NoAnswer, Rejected, enrol
from terminals.device.console import Console
from terminals.device.line import BadAddress
from terminals.device.reader import open_reader
from terminals.device.station import Parts, Station
from terminals.device.store import Store


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a device until it is told to stop. Returns the exit code: 2 for a wrong call, 1 for a problem."""
    asked = _parser().parse_args(arguments)
    if asked.device != "till":
        print(
            f"The {asked.device} program comes with a later release; this one has the till.", file=sys.stderr
        )
        return 2
    path = Path(asked.config)
    try:
        if asked.enrol:
            return _enrol(path, asked.server, asked.enrol, asked.ca)
        config = configuration.load(path)
        reader = open_reader(asked.reader)
        parts = Parts.assemble(config, asked.server, lambda: Store(configuration.journal_path(path, config)))
    except (configuration.ConfigProblem, BadAddress, NoAnswer, Rejected, ValueError) as problem:
        print(f"till: {problem}", file=sys.stderr)
        return 1
    if parts.problem:
        print(f"till: nothing can be sold, the journal is broken: {parts.problem}", file=sys.stderr)
    return _run(Station(config, parts, reader), asked)


def _run(station: Station, asked: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    console = Console(station, sys.stdout, language=asked.lang) if asked.console else None
    station.ended = stop.set
    page = None
    try:
        if asked.ui:
            from terminals.device.ui import Page

            page = Page(station, asked.ui)
            print(f"till: {page.url}", file=sys.stderr)
        station.start()
        if page is not None:
            page.start()
        if console is None:
            stop.wait()
        else:
            reading = threading.Thread(target=_obey, args=(console, stop), daemon=True)
            reading.start()  # a thread of its own, because reading standard input cannot be interrupted
            stop.wait()
    except OSError as problem:
        print(f"till: {problem}", file=sys.stderr)
        return 1
    finally:
        if page is not None:
            page.stop()
        station.stop()
    return 0


def _obey(console: Console, stop: threading.Event) -> None:
    try:
        console.run(sys.stdin)
    finally:
        stop.set()


def _enrol(path: Path, server: str, code: str, ca: str | None) -> int:
    """Exchange the code for this device's keys and keep them."""
    if path.exists():
        print(
            f"till: {path} exists; a device is enrolled once, move the file away to enrol anew",
            file=sys.stderr,
        )
        return 1
    enrolled = enrol(server, code, ca=ca)
    configuration.save(path, enrolled, ca=ca)
    print(f"till: enrolled as terminal {enrolled.terminal}, {enrolled.name_zh}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m terminals.device", description=__doc__)
    parser.add_argument("device", choices=["till", "desk", "kiosk"])
    parser.add_argument("--server", required=True, metavar="URL")
    parser.add_argument(
        "--config", required=True, metavar="FILE", help="what enrolment wrote; keys are in it"
    )
    parser.add_argument("--reader", default="pcsc:", metavar="pcsc:NAME|sim:DIR")
    parser.add_argument("--ui", metavar="HOST:PORT", help="serve the till's own face in the browser")
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
