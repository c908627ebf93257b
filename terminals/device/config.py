"""What enrolment gave this device, in one JSON file that only its owner may read."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from purse.keys import KeyBundle
from purse.policy import Policy
from terminals.device.display import Words
from terminals.messages import strictjson
from terminals.messages.signing import TerminalKeys
from terminals.messages.upkeep import EnrolAnswer

OWNER_ONLY = stat.S_IRUSR | stat.S_IWUSR


class ConfigProblem(Exception):
    """The file is missing, readable by others, or not what enrolment wrote; ``str`` says what to do."""


@dataclass(frozen=True, slots=True)
class Config:
    """One enrolled device. ``ca`` is the file of the private CA that the server's certificate must come from."""

    enrolled: EnrolAnswer
    ca: str | None = None
    path: Path | None = None
    """Where the file is, for what the server changes later."""
    card_keys: KeyBundle = field(init=False, repr=False)
    keys: TerminalKeys = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "card_keys", self.enrolled.bundle)
        object.__setattr__(self, "keys", TerminalKeys.from_secret(bytes.fromhex(self.enrolled.secret)))

    @property
    def terminal(self) -> int:
        """The number of this terminal."""
        return self.enrolled.terminal

    @property
    def epoch(self) -> int:
        """The generation of its key."""
        return self.enrolled.epoch

    @property
    def name(self) -> Words:
        """How the device calls itself."""
        return Words(self.enrolled.name_zh, self.enrolled.name_en or self.enrolled.name_zh)

    @property
    def policy(self) -> Policy:
        """The bounds as they were heard last."""
        return self.enrolled.policy


def load(path: Path) -> Config:
    """Read the file. Raises ``ConfigProblem``."""
    try:
        mode = path.stat().st_mode
        body = path.read_bytes()
    except FileNotFoundError:
        raise ConfigProblem(f"{path} does not exist; enrol this device with --enrol CODE") from None
    except OSError as error:
        raise ConfigProblem(f"{path} cannot be read: {error.strerror}") from error
    if os.name == "posix" and stat.S_IMODE(mode) & ~OWNER_ONLY:
        raise ConfigProblem(f"{path} holds keys and may be readable by its owner only: chmod 600")
    try:
        content = strictjson.loads(body)
        ca = content.pop("ca", None)
        return Config(EnrolAnswer.parse(content), ca if isinstance(ca, str) else None, path)
    except strictjson.WireError as error:
        raise ConfigProblem(f"{path} is not the file of an enrolled device: {error}") from error


def save(path: Path, enrolled: EnrolAnswer, *, ca: str | None = None) -> None:
    """Write the file whole or not at all, never readable by anybody else. Raises ``ConfigProblem``."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        draft.touch(mode=OWNER_ONLY, exist_ok=False)
        with draft.open("wb") as file:
            file.write(strictjson.dumps({**enrolled.to_json(), "ca": ca}) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise ConfigProblem(f"{path} cannot be written: {error.strerror}") from error


def changed(config: Config, enrolled: EnrolAnswer) -> Config:
    """The configuration with what the server says now, kept for the next start, which may be without it.

    Where the file cannot be written (a read-only system), it holds until the device is switched off.
    """
    if enrolled == config.enrolled:
        return config
    if config.path is not None:
        with suppress(ConfigProblem):
            save(config.path, enrolled, ca=config.ca)
    return Config(enrolled, config.ca, config.path)


def older_journals(config: Config) -> list[Path]:
    """The journals that this terminal wrote under earlier generations of its key, oldest first."""
    if config.path is None:
        return []
    found = config.path.parent.glob(f"{config.path.stem}.t{config.terminal}e*.journal")
    return sorted(
        set(found) - {journal_path(config.path, config)}, key=lambda path: (len(path.name), path.name)
    )


def journal_path(path: Path, config: Config) -> Path:
    """Where the journal of this terminal and key generation lives: beside the configuration."""
    return path.with_name(f"{path.stem}.t{config.terminal}e{config.epoch}.journal")
