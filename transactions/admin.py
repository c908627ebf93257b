"""The book as the back office may look at it: nothing can be added, changed or deleted here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from purse.money import yuan
from transactions.models import Answer, CardFinding, Entry, Merchant, OutcomeNote, entry_id
from transactions.selectors import LAST_SEQ

FIVE_DIGITS = re.compile(r"[0-9]{5}")
COUNTED = 10_000
"""How far a list is counted; counting a ledger of millions would take longer than reading it."""


class CountingOnlySoFar(Paginator[Any]):
    """A paginator that stops counting at ``COUNTED`` rows."""

    @cached_property
    def count(self) -> int:
        """Rows in the list, at most ``COUNTED``."""
        return cast("QuerySet[Any]", self.object_list)[:COUNTED].count()


def column(name: str, head: Any) -> Callable[[Any], Any]:
    """A column of a list with a head in the reader's language; choices come out as words."""

    def show(row: Any) -> Any:
        word = getattr(row, f"get_{name}_display", None)
        return word() if word is not None else getattr(row, name)

    show.__name__ = name
    return admin.display(description=head, ordering=name)(show)


SEQ = column("seq", _("序号"))
KEY = column("key", _("操作号"))


class ReadOnly(admin.ModelAdmin[Any]):
    """Shows rows; refuses every change, whatever the rights of the person."""

    show_full_result_count = False
    paginator = CountingOnlySoFar
    actions = None
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes here."""
        return False


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    """Movements, found by account number; without one the list shows the accounts opened last."""

    list_display = (
        column("account", _("帐号")),
        SEQ,
        column("kind", _("类型")),
        "book_change",
        "book_after",
        column("contra", _("对方")),
        column("mode", _("方式")),
        column("occurred_at", _("发生时间")),
        column("posted_at", _("入账时间")),
    )
    list_display_links = (SEQ,)
    list_filter = ("kind", "mode")
    list_select_related = ("account",)
    ordering = ("-id",)
    search_fields = ("account__number",)
    search_help_text = _("5 位帐号")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Entry], search_term: str
    ) -> tuple[QuerySet[Entry], bool]:
        """An account number becomes a range of the primary key; anything else finds nothing."""
        if not search_term:
            return queryset, False
        number = int(search_term) if FIVE_DIGITS.fullmatch(search_term) else -1
        account_id = (
            Account.objects.filter(number=number).order_by("-pk").values_list("pk", flat=True).first()
        )
        if account_id is None:
            return queryset.none(), False
        return queryset.filter(id__gt=entry_id(account_id, 0), id__lte=entry_id(account_id, LAST_SEQ)), False

    @admin.display(description=_("库余额变动"))
    def book_change(self, entry: Entry) -> str:
        """In yuan, signed."""
        return f"{'+' if entry.book_change_fen > 0 else ''}{yuan(entry.book_change_fen)}"

    @admin.display(description=_("库余额"))
    def book_after(self, entry: Entry) -> str:
        """In yuan."""
        return yuan(entry.book_after_fen)


@admin.register(Answer)
class AnswerAdmin(ReadOnly):
    """The register of operation keys; found by key."""

    list_display = (
        KEY,
        column("op", _("操作")),
        column("account_id", _("账户编号")),
        column("card_id", _("卡编号")),
        column("entry_seq", _("流水序号")),
        column("terminal_id", _("终端")),
        column("answered_at", _("应答时间")),
    )
    list_display_links = (KEY,)
    list_filter = ("op",)
    ordering = ("-answered_at",)
    search_fields = ("key__exact",)
    search_help_text = _("操作号")
    exclude = ("asked",)


@admin.register(OutcomeNote)
class OutcomeNoteAdmin(ReadOnly):
    """Card writes that did not simply succeed."""

    list_display = (
        KEY,
        column("outcome", _("写卡结果")),
        column("account_id", _("账户编号")),
        column("entry_seq", _("流水序号")),
        column("terminal_id", _("终端")),
        column("noted_at", _("报告时间")),
    )
    list_display_links = (KEY,)
    list_filter = ("outcome",)
    ordering = ("-id",)


@admin.register(CardFinding)
class CardFindingAdmin(ReadOnly):
    """What only tampering, a clone or a fault explains."""

    list_display = (
        column("kind", _("疑点")),
        column("account_id", _("账户编号")),
        column("card_id", _("卡编号")),
        column("sighting", _("卡上所见")),
        column("terminal_id", _("终端")),
        column("found_at", _("发现时间")),
    )
    list_filter = ("kind",)
    ordering = ("-id",)


@admin.register(Merchant)
class MerchantAdmin(ReadOnly):
    """Canteens and contracted shops."""

    list_display = ("name_zh", "name_en", "campus", "category", "contract_from", "contract_until")
    list_filter = ("campus", "category")
    list_select_related = ("campus",)
    ordering = ("campus", "name_zh")
    search_fields = ("name_zh", "name_en")
