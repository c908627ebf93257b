"""Pure rules about what people type: numbers, names, passwords. No database, no clock, no settings.

Each ``parse_…`` returns the one accepted form or raises ``Rejected`` with a sentence for the screen that
names the field.
"""

from __future__ import annotations

from .errors import Rejected

__all__ = ["Rejected"]
