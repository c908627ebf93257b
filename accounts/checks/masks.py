"""What may be shown of a person: enough to recognise oneself, too little to guess a password.

The usual mask of an identity number shows the last four digits. Together with the day of birth these are the
default password, so at least the last seven characters are always hidden.
"""

from __future__ import annotations

HIDDEN_TAIL = 7
"""Characters at the end of an identity number that no mask may show."""
SHOWN_HEAD = 4


def mask_id_number(number: str) -> str:
    """``370202200409170114`` → ``3702**************``: never one of the last seven characters."""
    shown = min(SHOWN_HEAD, max(0, len(number) - HIDDEN_TAIL))
    return number[:shown] + "*" * (len(number) - shown)


def mask_name(name: str) -> str:
    """``张三丰`` → ``张*``, whatever its length."""
    return f"{name[:1]}*" if name else ""


def mask_school_no(school_no: str) -> str:
    """``20230311086`` → ``2023****086``; short numbers keep two characters in front."""
    if len(school_no) < 10:
        return school_no[:2] + "*" * (len(school_no) - 2)
    return f"{school_no[:4]}****{school_no[-3:]}"
