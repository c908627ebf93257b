"""Numbered receipts: issued inside the transaction that moves the money, without a gap, and checked by anybody.

A number is taken under the lock of its series, last of all locks (account, shift, series), so two cashiers never wait
for each other and a crash takes number and receipt back together. The check code is an HMAC over what was printed: it
is derived each time, never stored, so a receipt row that somebody edited no longer agrees with the paper.
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from accounts.checks.masks import mask_name
from accounts.keys import Secrets
from accounts.models import Account, Campus, Operator
from accounts.services import audit
from accounts.services.rows import By
from transactions.models import Receipt, ReceiptCopy, ReceiptKind, ReceiptSeries, Shift

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U, so nothing is misread from thermal paper."""
_CODE_LETTERS: Final = 8


@dataclass(frozen=True, slots=True)
class NewReceipt:
    """What a receipt says besides its number. Amounts in fen, ``fen`` > 0.

    ``entry_id``: the movement at the drawer, else the one that took the money. ``shift_id`` None: paid without cash;
    the receipt is then numbered in the series of the officer's campus.
    """

    kind: ReceiptKind
    operation: uuid.UUID
    account_id: int
    fen: int
    book_before_fen: int
    book_after_fen: int
    entry_id: int
    officer_id: int
    shift_id: int | None = None
    card_before_fen: int | None = None
    card_after_fen: int | None = None
    reason: str = ""
    voids_id: int | None = None


@transaction.atomic
def issue(new: NewReceipt, *, now: datetime) -> Receipt:
    """Issue the next receipt of the series. Call it in the transaction that posted the entry, after posting."""
    account = Account.objects.select_related("holder", "campus").get(pk=new.account_id)
    officer = Operator.objects.select_related("campus").get(pk=new.officer_id)
    place_zh, place_en, series_code = _place(new, officer.campus or account.campus)
    series = ReceiptSeries.objects.select_for_update().get(code=series_code)
    series.last_no += 1
    series.save(update_fields=["last_no"])
    return Receipt.objects.create(
        series=series,
        no=series.last_no,
        kind=new.kind,
        operation=new.operation,
        shift_id=new.shift_id,
        account=account,
        account_number=account.number,
        holder_masked=mask_name(account.holder.name),
        fen=new.fen,
        book_before_fen=new.book_before_fen,
        book_after_fen=new.book_after_fen,
        card_before_fen=new.card_before_fen,
        card_after_fen=new.card_after_fen,
        entry_id=new.entry_id,
        officer=officer,
        officer_name=officer.get_full_name(),
        place_zh=place_zh,
        place_en=place_en,
        reason=new.reason,
        voids_id=new.voids_id,
        issued_at=now,
    )


def of_operation(operation: uuid.UUID) -> Receipt | None:
    """The receipt that this operation got, if it got one."""
    return Receipt.objects.filter(operation=operation).first()


def check_code(receipt: Receipt, *, secrets: Secrets) -> str:
    """The code printed beside the number, ``K7QM-2XTP``: 40 bits of an HMAC over what the receipt says.

    Its key is the one that never changes (``index_key``), so a receipt can be checked for as long as it is evidence.
    """
    said = "|".join(
        str(part)
        for part in (
            receipt.number,
            receipt.kind,
            receipt.account_number,
            receipt.fen,
            receipt.book_after_fen,
            int(receipt.issued_at.timestamp() * 1_000_000),
        )
    )
    bits = int.from_bytes(secrets.blind("receipt", said)[:5], "big")
    letters = "".join(_LETTERS[bits >> 5 * place & 31] for place in range(_CODE_LETTERS))
    return f"{letters[:4]}-{letters[4:]}"


def checked(number: tuple[str, int] | None, code: str, *, secrets: Secrets) -> Receipt | None:
    """The receipt with this number if the code is its own. Unknown number and wrong code take the same path.

    ``number``: series and number, None for something that is no number; ``code``: as ``normal_code`` gives it.
    """
    series, no = number or ("", 0)
    found = Receipt.objects.filter(series_id=series, no=no).select_related("voided_by").first()
    right = check_code(found or _NOBODYS, secrets=secrets)
    same = hmac.compare_digest(right.encode(), code.encode("utf-8", "replace"))
    return found if same and found is not None else None


@transaction.atomic
def print_copy(receipt_id: int, *, officer_id: int, by: By) -> int:
    """Note that a receipt goes to a printer. Returns 0 for the original, n for the n-th copy, which is marked 副本.

    Raises ``Receipt.DoesNotExist``.
    """
    receipt = Receipt.objects.select_related("series").get(pk=receipt_id)
    # The series is what a receipt can be locked by: its own row is never changed, so it may not be locked for update.
    ReceiptSeries.objects.select_for_update().get(code=receipt.series_id)
    no = ReceiptCopy.objects.filter(receipt=receipt).count()
    ReceiptCopy.objects.create(receipt=receipt, no=no, officer_id=officer_id, printed_at=by.now)
    deed = audit.Deed("receipt.print", "receipt", receipt.number, after={"copy": no})
    audit.record(deed, actor=by.actor, now=by.now)
    return no


def _place(new: NewReceipt, at: Campus) -> tuple[str, str, str]:
    """Where it is issued, in both languages, and the series that numbers it; ``at``: where it is paid without cash."""
    if new.shift_id is not None:
        shift = Shift.objects.select_related("drawer__campus").get(pk=new.shift_id)
        drawer, campus = shift.drawer, shift.drawer.campus
        return (
            f"{campus.name_zh} {drawer.name_zh}",
            f"{campus.name_en} {drawer.name_en or drawer.name_zh}",
            drawer.code,
        )
    code = f"{at.pk}B"
    ReceiptSeries.objects.bulk_create([ReceiptSeries(code=code, campus=at)], ignore_conflicts=True)
    return at.name_zh, at.name_en, code


_NOBODYS: Final = Receipt(
    series_id="-",
    no=0,
    kind=ReceiptKind.TOP_UP,
    account_number=0,
    fen=1,
    book_after_fen=0,
    issued_at=datetime.fromisoformat("2000-01-01T00:00:00+00:00"),
)
"""Stands in for a receipt that is not there, so that the answer takes as long."""
