"""Accounts with every kind of difference, built entry by entry as the ledger's own rules allow.

Each step writes what the real service would leave behind: the entry, its answer in the register, the account, and the
card as the last sighting showed it.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from django.db import connection, transaction

from accounts.models import Account, Campus, Card, Holder
from reconciliation.models import Case
from reconciliation.services.reconcile import Outcome, RunOrder, reconcile
from transactions.models import Entry, Merchant, OfflineTrace, Refund, Reversal, entry_id

NOW = datetime.now(UTC)
LONG_AGO = timedelta(hours=1)
_numbers = count(10000)

ENTRY = """
    INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen, book_after_fen,
        unclaimed_after_fen, contra, contra_ref, source_key, card_id, purse_side, purse_seq, occurred_at, posted_at,
        day, terminal_id, mode, reverses, corrects)
    SELECT %(id)s, %(account)s, %(seq)s, %(kind)s, %(fen)s, %(unclaimed)s, %(after)s, %(unclaimed_after)s,
        %(contra)s, %(ref)s, %(key)s, %(card)s, %(side)s, %(purse_seq)s, %(at)s, moment,
        (moment AT TIME ZONE 'Asia/Shanghai')::date,
        %(terminal)s, %(mode)s, %(reverses)s, %(corrects)s
    FROM (SELECT clock_timestamp() AS moment) AS clock
"""
ANSWER = """
    INSERT INTO transactions_answer (key, op, asked, account_id, card_id, entry_seq, terminal_id, journal_seq, told,
        reply, answered_at)
    VALUES (%s, %s, 'asked', %s, %s, %s, %s, %s, %s, '{}', clock_timestamp())
"""
_SOURCES = {
    "purchase": ("merchant", 1, "online"),
    "offline_sale": ("merchant", 1, "offline"),
    "void": ("merchant", 1, "online"),
    "top_up": ("drawer", None, "online"),
    "bank_load": ("bank", 1, "online"),
    "subsidy": ("subsidy", None, "server"),
    "claim": ("none", None, "online"),
    "levelling": ("levelling", None, "server"),
    "refund": ("levelling", None, "server"),
    "opening": ("opening", None, "server"),
}


def campus(code: str = "laoshan") -> Campus:
    return Campus.objects.get_or_create(code=code, defaults={"name_zh": code, "name_en": code})[0]


def merchant() -> Merchant:
    return Merchant.objects.get_or_create(
        id=1, defaults={"name_zh": "学苑餐厅", "campus": campus(), "contract_from": "2026-01-01"}
    )[0]


@dataclass
class Book:
    """One account with one live card, and the steps of its life. Amounts in fen."""

    account: Account
    card: Card
    terminal: int = 7
    journal: count = field(default_factory=lambda: count(1))

    @classmethod
    def open(cls, fen: int = 0, *, at: str = "laoshan") -> Book:
        """An open account whose book and card hold ``fen``."""
        merchant()
        number = next(_numbers)
        holder = Holder.objects.create(
            school_no=f"S{number}", name="王小明", kind="student", campus=campus(at)
        )
        account = Account.objects.create(number=number, holder=holder, campus=holder.campus, life="open")
        card = Card.objects.create(
            account=account, uid=f"{number:08X}", life="active", seen_at=NOW - LONG_AGO
        )
        book = cls(account, card)
        if fen:
            book.top_up(fen)
        return book

    # ------------------------------------------------------------------------------------ online, both sides

    def top_up(self, fen: int, *, written: bool = True, at: datetime = NOW - LONG_AGO) -> int:
        return self._on_card("load", "top_up", fen, fen, written=written, at=at)

    def pay(self, fen: int, *, torn: bool = False, at: datetime = NOW - LONG_AGO) -> int:
        return self._on_card("spend", "purchase", -fen, fen, written=not torn, at=at)

    def subsidy(self, fen: int) -> int:
        return self._post("subsidy", 0, unclaimed=fen)

    def bank_load(self, fen: int) -> int:
        return self._on_card("load", "bank_load", fen, fen, written=True, at=NOW - LONG_AGO)

    def take_back(self, entry_seq: int) -> int:
        """撤销 at a till that may not load: the money waits unclaimed."""
        sale = Entry.objects.get(id=entry_id(self.account.id, entry_seq))
        seq = self._post("void", 0, unclaimed=-sale.book_change_fen, reverses=sale.id)
        Reversal.objects.create(entry_id=sale.id, reversed_by=entry_id(self.account.id, seq))
        return seq

    # ------------------------------------------------------------------------------------------ away from the book

    def pay_offline(self, fen: int) -> None:
        """The card was seen with a sale whose record is still in its till."""
        self.card.refresh_from_db()
        self.card.spend_seq += 1
        self.card.spend_total_fen += fen
        self.card.offline_spent_fen += fen
        self.card.images.pop("spend", None)
        self.card.save()

    def upload(self, fen: int, *, late: bool = False) -> int:
        entry = self._post("offline_sale", -fen, side="spend", purse_seq=self.fresh_card().spend_seq)
        if late:
            self.change_card(late_fen=self.fresh_card().late_fen + fen)
        return entry

    def level(self, fen: int) -> int:
        """平账: the book is lowered to what the card shows (L109), which somebody saw six days ago."""
        seq = self.fresh_card().spend_seq
        self.trace(fen)
        self.change_card(levelled_seq=seq)
        return self._post("levelling", -fen, side="spend", purse_seq=seq)

    def trace(self, fen: int) -> None:
        """Somebody saw the card with an offline sale six days ago; its ring names the till."""
        OfflineTrace.objects.create(
            card_id=self.card.id,
            card_seq=self.fresh_card().spend_seq,
            terminal_id=self.terminal,
            journal_seq=next(self.journal),
            fen=fen,
            seen_at=NOW - timedelta(days=6),
        )

    def refund(self, entry_seq: int) -> int:
        """退还: exactly what a late record took a second time."""
        late = Entry.objects.get(id=entry_id(self.account.id, entry_seq))
        fen = -late.book_change_fen
        with transaction.atomic():
            seq = self._post("refund", fen, corrects=late.id)
            Refund.objects.create(entry_id=late.id, refunded_by=entry_id(self.account.id, seq))
            self.change_card(late_fen=self.fresh_card().late_fen - fen)
        return seq

    def report_outcome(self, entry_seq: int, outcome: str = "unknown") -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO transactions_outcomenote (key, outcome, account_id, entry_seq, terminal_id, noted_at)"
                " SELECT source_key, %s, account_id, seq, %s, now() FROM transactions_entry WHERE id = %s",
                [outcome, self.terminal, entry_id(self.account.id, entry_seq)],
            )

    def find(self, kind: str, sighting: str = "spend 1/100", **detail: int) -> None:
        """A tap noticed what only tampering explains."""
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO transactions_cardfinding (account_id, card_id, kind, sighting, detail, terminal_id,"
                " found_at) VALUES (%s, %s, %s, %s, %s, %s, now())",
                [self.account.id, self.card.id, kind, sighting, json.dumps(detail), self.terminal],
            )

    # --------------------------------------------------------------------------------------------- looking at it

    def change_card(self, **fields: object) -> None:
        Card.objects.filter(pk=self.card.pk).update(**fields)

    def heal(self) -> None:
        """The next tap anywhere wrote what the card lacked, and its read-back was reported."""
        card = self.fresh_card()
        for side in ("spend", "load"):
            missing = sum(leg[2] for leg in card.legs.get(side, ()) if not leg[5])
            if missing:
                setattr(card, f"{side}_seq", getattr(card, f"{side}_seq") + 1)
                setattr(card, f"{side}_total_fen", getattr(card, f"{side}_total_fen") + missing)
        self.change_card(
            spend_seq=card.spend_seq,
            spend_total_fen=card.spend_total_fen,
            load_seq=card.load_seq,
            load_total_fen=card.load_total_fen,
            legs={},
            images={},
        )

    def fresh_card(self) -> Card:
        return Card.objects.get(pk=self.card.pk)

    def fresh(self) -> Account:
        return Account.objects.get(pk=self.account.pk)

    # -------------------------------------------------------------------------------------------------- writing

    def _on_card(self, side: str, kind: str, change: int, fen: int, *, written: bool, at: datetime) -> int:
        card = self.fresh_card()
        shown_seq, shown_total = getattr(card, f"{side}_seq"), getattr(card, f"{side}_total_fen")
        images, legs = card.images.get(side), card.legs.get(side, [])
        seq = max([shown_seq, *(image[0] for image in (images or {}).get("told", ()))]) + 1
        total = shown_total + sum(leg[2] for leg in legs if not leg[5]) + fen
        entry = self._post(kind, change, side=side, purse_seq=seq, told={side: [seq, total, 0]}, at=at)
        if written:
            self.change_card(**{f"{side}_seq": seq, f"{side}_total_fen": total})
            card.images.pop(side, None)
            card.legs.pop(side, None)
        else:
            floor = [shown_seq, shown_total, card.offline_spent_fen if side == "spend" else 0, False]
            card.images.setdefault(side, {"floor": floor, "told": []})["told"].append([seq, total, False])
            card.legs.setdefault(side, []).append([entry, seq, fen, self.terminal, next(self.journal), False])
        self.change_card(images=card.images, legs=card.legs)
        return entry

    @transaction.atomic
    def _post(
        self,
        kind: str,
        fen: int,
        *,
        unclaimed: int = 0,
        side: str | None = None,
        purse_seq: int | None = None,
        told: dict[str, list[int]] | None = None,
        at: datetime = NOW - LONG_AGO,
        reverses: int | None = None,
        corrects: int | None = None,
    ) -> int:
        account = Account.objects.select_for_update().get(pk=self.account.pk)
        seq, key = account.entry_seq + 1, uuid.uuid4()
        contra, ref, mode = _SOURCES[kind]
        values = {
            "id": entry_id(account.id, seq),
            "account": account.id,
            "seq": seq,
            "kind": kind,
            "fen": fen,
            "unclaimed": unclaimed,
            "after": account.book_fen + fen,
            "unclaimed_after": account.unclaimed_fen + unclaimed,
            "contra": contra,
            "ref": ref,
            "key": key,
            "card": self.card.id if side else None,
            "side": side,
            "purse_seq": purse_seq,
            "at": at,
            "terminal": None if mode == "server" else self.terminal,
            "mode": mode,
            "reverses": reverses,
            "corrects": corrects,
        }
        with connection.cursor() as cursor:
            cursor.execute(ENTRY, values)
            cursor.execute(
                ANSWER,
                [
                    key,
                    kind,
                    account.id,
                    self.card.id,
                    seq,
                    values["terminal"],
                    seq if values["terminal"] else None,
                    json.dumps(told),
                ],
            )
        Account.objects.filter(pk=account.pk).update(
            book_fen=values["after"],
            unclaimed_fen=values["unclaimed_after"],
            entry_seq=seq,
            version=account.version + 1,
        )
        return seq


def run(**options: object) -> Outcome:
    """The nightly comparison at ``NOW``, or at another ``now``."""
    return reconcile(RunOrder(**{"now": NOW} | options))


def open_cases(book: Book) -> list[tuple[str, int]]:
    rows = Case.objects.filter(account=book.account, state="open").order_by("mismatch")
    return [(case.mismatch, case.at_risk_fen) for case in rows]


def reasons(book: Book) -> list[str]:
    return book.fresh().frozen_reasons
