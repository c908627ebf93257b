"""Takes typed fields out of a JSON object, each once, so that a surplus or misspelt field cannot pass unseen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from purse.money import AmountError, fen_from_json
from terminals.messages.strictjson import WireError

T = TypeVar("T")

_HEX = re.compile(r"\A(?:[0-9a-f]{2})*\Z")


class Taker:
    """Takes typed fields out of a JSON object, each once; ``done`` fails if anything is left over."""

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, Mapping):
            raise WireError(where, "须为对象")
        self._left = dict(data)
        self._where = where

    def raw(self, name: str) -> Any:
        """The value as it is. Raises ``WireError`` when it is missing."""
        try:
            return self._left.pop(name)
        except KeyError:
            raise WireError(name, "缺少字段") from None

    def integer(self, name: str, low: int, high: int) -> int:
        """An integer in low … high (no booleans)."""
        return as_integer(self.raw(name), name, low, high)

    def fen(self, name: str) -> int:
        """An amount as ``purse.money`` accepts it from machines."""
        try:
            return fen_from_json(self.raw(name))
        except AmountError as error:
            raise WireError(name, str(error)) from error

    def boolean(self, name: str) -> bool:
        """true or false, nothing else."""
        value = self.raw(name)
        if not isinstance(value, bool):
            raise WireError(name, "须为 true 或 false")
        return value

    def text(self, name: str, longest: int) -> str:
        """A string of at most ``longest`` characters without control characters or surrogates."""
        value = self.raw(name)
        if not isinstance(value, str) or len(value) > longest or not value.isprintable():
            raise WireError(name, f"须为至多 {longest} 个字符的文本")
        return value

    def hex(self, name: str, size: int | None = None) -> str:
        """Lower-case hex of ``size`` bytes (any up to 64 when None)."""
        value = as_hex(self.raw(name), name)
        if size is not None and len(value) != 2 * size:
            raise WireError(name, f"须为 {size} 字节")
        return value

    def items(self, name: str, most: int) -> list[Any]:
        """A list of at most ``most`` things."""
        value = self.raw(name)
        if not isinstance(value, list) or len(value) > most:
            raise WireError(name, f"须为至多 {most} 项的列表")
        return value

    def images(self, name: str, sizes: tuple[int, ...]) -> tuple[bytes, ...]:
        """A list of 16-byte blocks in hex, of one of the given lengths."""
        items = self.items(name, max(sizes))
        if len(items) not in sizes or any(len(as_hex(item, name)) != 32 for item in items):
            raise WireError(name, "须为 16 字节块的列表")
        return tuple(bytes.fromhex(item) for item in items)

    def optional(self, name: str, parse: Callable[[Any], T]) -> T | None:
        """null or something that ``parse`` accepts."""
        value = self.raw(name)
        return None if value is None else parse(value)

    def done(self, found: T) -> T:
        """Return ``found`` if every field was taken."""
        if self._left:
            raise WireError(str(next(iter(self._left)))[:40], "多余的字段")
        return found


def as_integer(value: object, name: str, low: int, high: int) -> int:
    """A JSON integer in low … high. Raises ``WireError``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise WireError(name, f"须为 {low} 至 {high} 的整数")
    return value


def as_hex(value: object, name: str) -> str:
    """Lower-case hex of whole bytes, 64 at most. Raises ``WireError``."""
    if not isinstance(value, str) or len(value) > 128 or not _HEX.match(value):
        raise WireError(name, "须为小写十六进制")
    return value
