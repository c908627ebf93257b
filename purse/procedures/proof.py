"""What the identity block alone proves: that we wrote it, for this chip. For doors, which read no money."""

from __future__ import annotations

from purse import layout
from purse.keys import KeyBundle, Role
from purse.procedures.content import ForeignCard


def proven_account(uid: bytes, ident: bytes, keys: KeyBundle) -> int:
    """The account number in an identity block (16 bytes) that was read from the card with this UID.

    Raises ``ForeignCard`` when it was not signed by us or belongs to another chip. Needs ``MAC_IDENT``.
    """
    if layout.layout_version(ident) != layout.VERSION:
        raise ForeignCard("unknown layout")
    account_no = layout.Ident.unpack(ident).account_no
    if not keys.mac_matches(uid, account_no, layout.IDENT_BLOCK, ident, Role.MAC_IDENT):
        raise ForeignCard("the identity block is not signed by us")
    return account_no
