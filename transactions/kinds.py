"""The enumerations of this room, for screens, which import no tables."""

from __future__ import annotations

from transactions.models import Contra, EntryKind, MerchantCategory, Mode, SettlementPeriod

__all__ = ["Contra", "EntryKind", "MerchantCategory", "Mode", "SettlementPeriod"]
