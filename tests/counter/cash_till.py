"""A cashier signed in at a desk with a reader, his shift open."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.utils import timezone

from accounts.models import Operator, OperatorRole
from accounts.services.operators import officer_of
from purse.policy import Policy
from terminals.models import TerminalContact
from tests.counter.pages import browser_of, plain
from tests.reconciliation.books import Book
from tests.reconciliation.desk import desk_terminal, operator, read_on
from tests.transactions.cash_desk import by
from transactions.models import Receipt, TopUpSlip
from transactions.services import cash, shifts
from transactions.services.cash import Fee
from transactions.services.shifts import Opening


class Till:
    """A cashier signed in at a desk with a reader, his shift open, a holder's card just read."""

    def __init__(self, name: str = "wang", role: OperatorRole = OperatorRole.CASHIER) -> None:
        self.person: Operator = operator(name, role)
        self.web = browser_of(self.person)
        self.desk = desk_terminal()
        now = timezone.now()
        TerminalContact.objects.update_or_create(terminal=self.desk, defaults={"last_contact_at": now})
        drawer = shifts.add_drawer(
            self.person.campus_id, f"LS{self.person.pk % 90 + 10}", name_zh="一餐厅充值点", name_en="Canteen 1",
            by=by(self.person, now),
        )  # fmt: skip
        self.shift = shifts.open_shift(
            Opening(drawer.pk, 200_00, {}), officer=officer_of(self.person), by=by(self.person, now)
        )
        self.web.post("/counter/desk/", {"desk": self.desk.pk})

    def read(self, book: Book) -> None:
        """This card lies on the reader, and the panel shows the reading."""
        job = read_on(self.desk, book, ago=timedelta(seconds=2), now=timezone.now())
        session = self.web.session
        session["desk_job"] = str(job.pk)
        session.save()

    def key(self, book: Book, fen: str, **fields: str):
        form = {"key": str(uuid.uuid4()), "account": str(book.account.pk), "amount": fen}
        return self.web.post("/counter/cash/top-up/", form | fields)

    def slip(self, book: Book, fen: str = "50") -> TopUpSlip:
        answer = self.key(book, fen)
        assert answer.status_code == 302, plain(answer)
        return TopUpSlip.objects.get(pk=answer.url.rstrip("/").rpartition("/")[2])

    def display(self, *, state: bool = True):
        return self.web.get(f"/counter/cash/display/{self.shift.display_key}/{'state/' if state else ''}")

    def confirm(self, slip: TopUpSlip, **fields: str):
        return self.web.post(f"/counter/cash/slips/{slip.pk}/confirm/", fields)

    def receipt(self, book: Book, fen: int = 20_00) -> Receipt:
        fee = Fee(uuid.uuid4(), book.account.pk, fen, "补卡工本费", self.person.pk, shift_id=self.shift.pk)
        return cash.take_fee(fee, actor=by(self.person).actor, policy=Policy(), now=timezone.now()).receipt
