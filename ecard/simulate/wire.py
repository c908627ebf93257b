"""A line that fails on purpose: no connection, an answer that is lost after the server acted, one that was spoilt."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from ecard.simulate.plan import Odds
from terminals.device.client import Wire

SLOW_S = 0.45
"""Longer than a tap waits."""


class FaultyWire(Wire):
    """``terminals.device.client.Wire`` over the worst network of the campus. ``count`` hears of every fault."""

    def __init__(self, url: str, *, chance: random.Random, odds: Odds, count: Callable[[str], None]) -> None:
        super().__init__(url)
        self.odds = odds
        self._chance = chance
        self._count = count

    def post(
        self, target: str, body: bytes, headers: dict[str, str], *, timeout: float
    ) -> tuple[int, bytes, str]:
        """Send, unless this one fails before; answer, unless this one fails after."""
        fault = self._draw()
        if fault:
            self._count(fault)
        if fault == "no_connection":
            self.close()
            raise ConnectionRefusedError("simulated")
        if fault == "slow":
            time.sleep(SLOW_S)
        status, content, signature = super().post(target, body, headers, timeout=timeout)
        if fault == "lost_answer":
            self.close()
            raise TimeoutError("simulated")
        if fault == "garbled_answer" and content:
            content = bytes([content[0] ^ 1]) + content[1:]
        return status, content, signature

    def _draw(self) -> str:
        at = self._chance.random()
        for name in ("lost_answer", "garbled_answer", "no_connection", "slow"):
            at -= getattr(self.odds, name)
            if at < 0:
                return name
        return ""
