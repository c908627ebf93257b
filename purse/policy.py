"""The numbers that a university may choose, handed down as an argument; nothing below reads settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """Every bound of the rules, money in fen. Defaults are the guide's (Lnn) or reliability.md section 2."""

    default_limit_fen: int = 50_00
    """Day total above which the consumption password is asked (L157)."""
    max_limit_fen: int = 600_00
    freeze_gap_fen: int = 50_00
    """A card more than this above its book is frozen (L95)."""
    max_book_fen: int = 1_000_00
    """Largest book and card (C5); a purse is for small amounts."""
    load_min_fen: int = 1_00
    load_max_fen: int = 500_00
    """A bank load moves 1 to 500 yuan, both included (L43)."""
    cash_top_up_min_fen: int = 1_00
    cash_top_up_max_fen: int = 500_00
    """One cash top-up at a counter, both included; more than a purse needs is a typing error."""
    levelling_silence: timedelta = timedelta(days=5)
    """A terminal silent for this long or longer lets its gaps be levelled (L109; 以上 includes the bound)."""
    freeze_on_late_upload: bool = True
    sale_max_fen: int = 500_00
    """One online purchase at a till; above it a typing error is likelier than a lunch."""
    offline_sale_max_fen: int = 20_00
    offline_day_max_fen: int = 50_00
    """Per card, per till, per day."""
    offline_in_a_row: int = 5
    offline_stale_sale_max_fen: int = 10_00
    """Per sale, when the hotlist is older than ``hotlist_stale``."""
    hotlist_stale: timedelta = timedelta(hours=24)
    hotlist_dead: timedelta = timedelta(days=5)
    """No offline sales at all with a hotlist this old."""
    claim_at_till: bool = True
    """Unclaimed money may ride on a purchase tap; the till then gets the sealed LOAD key of that one card."""
    double_tap: timedelta = timedelta(seconds=10)
    retap: timedelta = timedelta(seconds=10)
    refund_alone_max_fen: int = 50_00
    """A correction above this needs a second person."""
    clerk_alone_max_fen: int = 0
    """The same for a clerk, who proposes and does not decide (reliability.md section 3)."""
    second_level_fen: int = 200_00
    """A correction above this needs a second person who answers for every campus (reliability.md E7)."""
    step_up: timedelta = timedelta(minutes=5)
    """How long a one-time code speaks for who corrects a book or takes a freeze away."""
    clock_skew: timedelta = timedelta(seconds=120)
