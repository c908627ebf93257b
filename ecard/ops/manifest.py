"""What stands beside a backup: which parts it has, which keys it needs, and the facts of the database it was made of.

Signed with the key of the audit, so that a changed part with a manifest to match is found. Keys appear as fingerprints,
from which nothing can be computed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from ecard.checks import RINGS, SINGLE
from ecard.ops.facts import Facts

NAME: Final = "manifest.json"
FORM: Final = 1
_ROOT: Final = Path(__file__).resolve().parents[2]


class BadBackup(Exception):
    """This is no whole, unchanged backup of ours; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file. ``sha256`` is of the file as it lies there, ``plain_sha256`` of what pg_dump wrote."""

    name: str
    size: int
    sha256: str
    plain_size: int
    plain_sha256: str
    sealed: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that is known of one backup. ``made_at`` in ISO form with its offset."""

    made_at: str
    app: str
    parts: tuple[Part, ...]
    keys: Mapping[str, Mapping[str, str]]
    facts: Facts
    form: int = FORM

    def to_json(self) -> dict[str, Any]:
        """All fields by name, without the signature."""
        return asdict(self) | {"parts": [asdict(part) for part in self.parts], "facts": self.facts.to_json()}


def app_version() -> str:
    """The version of this program."""
    found: str = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]
    return found


def fingerprints() -> dict[str, dict[str, str]]:
    """By the name of a setting and the id in its ring: sixteen hexadecimal digits by which a key is known again."""
    rings = {name: dict(getattr(settings, name)) for name in RINGS}
    rings |= {name: {0: getattr(settings, name)} for name in SINGLE}
    return {name: {str(number): _mark(key) for number, key in ring.items()} for name, ring in rings.items()}


def strange_keys(needed: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """The keys of a backup that are not here, or under whose id another one is."""
    here = fingerprints()
    for name, ring in needed.items():
        for number, mark in ring.items():
            found = here.get(name, {}).get(number)
            if found != mark:
                yield f"key {name} {number} {'is another one' if found else 'is missing'}"


def write(manifest: Manifest, path: Path, *, key: bytes) -> None:
    """Write it signed, for its owner's eyes only."""
    body = manifest.to_json()
    path.touch(mode=0o600)
    path.write_text(json.dumps(body | {"signature": _signature(body, key)}, indent=1, sort_keys=True) + "\n")


def read(folder: Path, *, key: bytes) -> Manifest:
    """Read and check it. Raises ``BadBackup``: not there, not ours, or changed since."""
    try:
        body: dict[str, Any] = json.loads((folder / NAME).read_text())
        signature = str(body.pop("signature"))
    except FileNotFoundError:
        raise BadBackup(f"{folder} has no {NAME}: this is no finished backup") from None
    except (OSError, ValueError, AttributeError, KeyError) as error:
        raise BadBackup(f"{folder / NAME} cannot be read: {error}") from error
    if body.get("form") != FORM:
        raise BadBackup(f"the manifest is of form {body.get('form')}; this program knows {FORM}")
    if not hmac.compare_digest(_signature(body, key), signature):
        raise BadBackup("the manifest was changed, or AUDIT_KEY is not the one that signed it")
    parts = tuple(Part(**part) for part in body.pop("parts"))
    return Manifest(parts=parts, facts=Facts.from_json(body.pop("facts")), **body)


def _signature(body: Mapping[str, Any], key: bytes) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hmac.new(_derived(key), text.encode(), hashlib.sha256).hexdigest()


def _derived(key: bytes) -> bytes:
    return hmac.digest(key, b"ecard/backup-manifest/v1", "sha256")


def _mark(key: bytes) -> str:
    return hmac.digest(key, b"ecard/fingerprint/v1", "sha256")[:8].hex()
