"""What a university decides besides the bounds of ``purse.policy``: fees, waiting times, its bank.

Tills know nothing of these, so they do not travel with the policy. Handed down as an argument, like the policy.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Every choice with its usual value; amounts in fen, waiting times in days."""

    bank_name_zh: str = "中国银行"
    """The bank whose savings cards load the campus card (guide L43, R016)."""
    bank_name_en: str = "Bank of China"
    card_fee_fen: int = 20_00
    """For a replacement, paid at the same time (guide L31)."""
    card_deposit_fen: int = 15_00
    """For a named or temporary card, given back with the card (requirements N05)."""
    closing_wait_days: int = 5
    """From the end of use to paying out, so that late journals come in (requirements 3.3)."""
    dispute_window_days: int = 60
    """The last day on which a movement may be disputed, counted from it (screens.md 6.2)."""
    hold_back_days: int = 0
    """How long the money of a lost card is held back while tills are silent (A23); 0 = not at all."""
