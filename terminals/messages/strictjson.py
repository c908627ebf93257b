"""JSON as a machine must send it: no duplicate keys, floats, NaN or bottomless nesting; else ``WireError``."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MAX_DIGITS = 18


class WireError(ValueError):
    """The message does not have the shape that it must have; ``field`` names where."""

    def __init__(self, field: str, problem: str) -> None:
        # A field that the sender invented may hold anything, and goes into answers and logs.
        self.field = field if field.isprintable() else ascii(field)
        super().__init__(f"{self.field}: {problem}")
        self.problem = problem


def loads(body: bytes) -> dict[str, Any]:
    """Parse a JSON object. Numbers must be integers of at most 18 digits. Raises ``WireError``."""
    try:
        found = _DECODER.decode(body.decode("utf-8", "strict"))
    except WireError:
        raise
    except (ValueError, RecursionError) as error:
        raise WireError("body", "不是合法的 JSON") from error
    if not isinstance(found, dict):
        raise WireError("body", "须为 JSON 对象")
    return found


def dumps(message: dict[str, Any]) -> bytes:
    """Write a message in its one canonical form: sorted keys, no spaces, UTF-8. MACs are taken over these bytes."""
    return _ENCODER.encode(message).encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise WireError(twice[:40], "重复字段")
    return found


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS + 1:
        raise WireError("body", "数字过长")
    return int(text)


def _no_float(text: str) -> NoReturn:
    raise WireError("body", f"不接受的数字 {text[:20]}")


# Made once: json.loads and json.dumps would make one for each message.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_no_float, parse_constant=_no_float
)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
