"""The one way in which a check says no."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.functional import Promise

_NOTHING: Mapping[str, object] = MappingProxyType({})


class Rejected(ValueError):
    """Something typed is not acceptable. Said in the reader's language; never repeats what was typed."""

    def __init__(self, message: str | Promise, **params: object) -> None:
        super().__init__()
        self._message = message
        self._params = params or _NOTHING

    @property
    def message(self) -> str:
        """The sentence for the screen, in the language now active."""
        return str(self._message) % self._params if self._params else str(self._message)

    @property
    def parts(self) -> tuple[str | Promise, Mapping[str, object]]:
        """The sentence and what stands in it, for somebody who says it later and in another language."""
        return self._message, self._params

    def __str__(self) -> str:
        return self.message
