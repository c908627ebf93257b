"""People who come to a desk with their documents, and the forms that a clerk fills in for them."""

from __future__ import annotations

import itertools
import uuid
from datetime import timedelta

from django.test import Client
from django.utils import timezone

from accounts.actors import Actor
from accounts.checks.idnumber import check_character
from accounts.models import (
    Account,
    DocumentKind,
    Holder,
    HolderKind,
    Operator,
    OperatorRole,
    Secret,
    SecretKind,
)
from accounts.pinhash import hash_pin
from accounts.services import holders
from accounts.wiring import secrets
from terminals.models import CardJob, Terminal
from tests.counter.pages import hidden, text_of
from tests.reconciliation import desk
from tests.reconciliation.books import Book, campus

_serial = itertools.count(1)
PIN = "408273"


def comes(name: str = "王小明", *, fen: int = 50_00, document: bool = True, at: str = "laoshan") -> Book:
    """A holder who is in the register with an identity number, or without one, with money on card and in the book."""
    book = Book.open(fen, at=at)
    serial = next(_serial)
    head = f"3702022004{serial % 12 + 1:02d}17{serial % 999 + 1:03d}"
    person = holders.Person(
        school_no=f"2023{serial:07d}",
        name=name,
        kind=HolderKind.STUDENT,
        campus=campus(at),
        unit="信息学院",
        document_kind=DocumentKind.RESIDENT if document else DocumentKind.NONE,
        id_number=head + check_character(head) if document else "",
    )
    made = holders.register(person, actor=Actor.system("test"), now=timezone.now(), secrets=secrets())
    Account.objects.filter(pk=book.account.pk).update(holder=made)
    book.fresh()
    return book


def id_number(book: Book) -> str:
    found = holders.id_number_of(Holder.objects.get(accounts=book.account), secrets())
    assert found is not None
    return found


def give_pins(book: Book, pin: str = PIN, *, is_default: bool = False) -> None:
    for kind in SecretKind:
        hashed = hash_pin(pin, kind=kind, account_id=book.account.pk, secrets=secrets())
        Secret.objects.update_or_create(
            account=book.account, kind=kind,
            defaults={"pin_hash": hashed, "is_default": is_default, "changed_at": timezone.now()},
        )  # fmt: skip


def clerk(username: str = "feng", role: OperatorRole = OperatorRole.CLERK, **more) -> Operator:
    return desk.operator(username, role, **more)


def at_desk(client: Client, terminal: Terminal | None = None) -> Terminal:
    """This browser works at a desk."""
    terminal = terminal or desk.desk_terminal()
    session = client.session
    session["desk"] = terminal.pk
    session.save()
    return terminal


def lies_on(terminal: Terminal, book: Book, *, ago: timedelta = timedelta(seconds=5)) -> CardJob:
    """The desk's reader has just read this card."""
    return desk.read_on(terminal, book, ago=ago, now=timezone.now())


def page(deed: str, book: Book) -> str:
    return f"/counter/accounts/{book.account.pk}/{deed}/"


def form_of(web: Client, deed: str, book: Book, **fields: str) -> dict[str, str]:
    """The form of a deed as its page shows it, with the right document."""
    shown = text_of(web.get(page(deed, book)))
    tail = {}
    if 'name="paper"' in shown and "tail" not in fields:
        tail = {"paper": "resident", "tail": id_number(book)[-4:]}
    return {"key": hidden(shown, "key"), "paper": "resident", **tail, **fields}


def do(web: Client, deed: str, book: Book, **fields: str):
    """Fill the form in and send it."""
    return web.post(page(deed, book), form_of(web, deed, book, **fields))


def key_of(answer) -> uuid.UUID:
    """The key of the deed whose receipt is shown next."""
    return uuid.UUID(answer.url.rstrip("/").rsplit("/", 1)[1])
