"""Card readers: one protocol, real and simulated, chosen by a path."""

from .base import Reader, ReaderState, open_reader

__all__ = ["Reader", "ReaderState", "open_reader"]
