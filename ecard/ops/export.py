"""Files that leave the house: written whole or not at all, for their owner's eyes, signed, and told of in the audit."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from accounts.actors import Actor, Channel
from accounts.models import Operator
from accounts.services.audit import Deed, record

MANIFEST: Final = "manifest.json"


class NotEntitled(Exception):
    """Nobody who may answer for an export, or no reason; nothing was written."""


class NotGenuine(Exception):
    """An export was changed, or is none of ours."""


@dataclass(frozen=True, slots=True)
class Errand:
    """Who answers for an export, and why it is made. Goes into the audit with the deed."""

    officer: Operator
    reason: str

    @property
    def actor(self) -> Actor:
        """As the audit names him."""
        return Actor.operator(self.officer.pk, role=self.officer.role, channel=Channel.SYSTEM)


def errand(username: str, reason: str) -> Errand:
    """Whoever asks, if that is somebody in service. Raises ``NotEntitled``."""
    officer = Operator.objects.filter(username=username, is_active=True).first()
    if officer is None:
        raise NotEntitled(f"no operator {username} is in service")
    if not reason.strip():
        raise NotEntitled("say why: the reason is kept with the access")
    return Errand(officer, reason.strip())


@dataclass(slots=True)
class Writing:
    """An archive being written. ``digests``: SHA-256 of each file so far, by name."""

    archive: zipfile.ZipFile
    digests: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, content: bytes) -> None:
        """A file that is there whole."""
        with self.member(name) as file:
            file.write(content)

    @contextmanager
    def member(self, name: str) -> Iterator[_Counted]:
        """A file that is written bit by bit."""
        with self.archive.open(name, "w", force_zip64=True) as file:
            counted = _Counted(file)
            yield counted
        self.digests[name] = counted.digest.hexdigest()


class _Counted:
    """Passes bytes on and takes their digest."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.digest.update(data)
        self._file.write(data)


@contextmanager
def writing(path: Path) -> Iterator[Writing]:
    """An archive that stands under its name when it is whole and on the disk. Raises ``OSError``."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                yield Writing(archive)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    draft.rename(path)


def sign(facts: Mapping[str, Any], digests: Mapping[str, str], *, key: bytes) -> bytes:
    """The manifest of an archive, as bytes to put into it."""
    body = {**facts, "files": dict(digests)}
    return (
        json.dumps(body | {"signature": _signature(body, key)}, ensure_ascii=False, indent=1) + "\n"
    ).encode()


def check(path: Path, *, key: bytes) -> dict[str, Any]:
    """The manifest of an archive in which every byte is as it was written. Raises ``NotGenuine``."""
    try:
        with zipfile.ZipFile(path) as archive:
            body: dict[str, Any] = json.loads(archive.read(MANIFEST))
            signature = str(body.pop("signature"))
            found = {name: _digest(archive, name) for name in archive.namelist() if name != MANIFEST}
    except (OSError, ValueError, KeyError, AttributeError, zipfile.BadZipFile, RuntimeError) as error:
        raise NotGenuine(f"{path}: {error}") from error
    if not hmac.compare_digest(_signature(body, key), signature):
        raise NotGenuine(f"{path}: the manifest was changed, or AUDIT_KEY is not the one that signed it")
    if found != body["files"]:
        names = sorted(
            name for name in {*found, *body["files"]} if found.get(name) != body["files"].get(name)
        )
        raise NotGenuine(f"{path}: {', '.join(names)} changed")
    return body


def note(
    action: str, subject: tuple[str, object], errand: Errand, *, after: Mapping[str, Any], now: datetime
) -> None:
    """Keep in the audit that a copy was taken away, by whom and why."""
    kind, number = subject
    record(Deed(action, kind, number, after=after, reason=errand.reason), actor=errand.actor, now=now)


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _signature(body: Mapping[str, Any], key: bytes) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    derived = hmac.digest(key, b"ecard/export/v1", "sha256")
    return hmac.new(derived, text.encode(), hashlib.sha256).hexdigest()
