"""The book as the back office may look at it: nothing can be added, changed or deleted here."""

from __future__ import annotations

import re
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
        "account",
        "seq",
        "kind",
        "book_change",
        "book_after",
        "contra",
        "mode",
        "occurred_at",
        "posted_at",
    )
    list_display_links = ("seq",)
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

    list_display = ("key", "op", "account_id", "card_id", "entry_seq", "terminal_id", "answered_at")
    list_filter = ("op",)
    ordering = ("-answered_at",)
    search_fields = ("key__exact",)
    search_help_text = _("操作号")
    exclude = ("asked",)


@admin.register(OutcomeNote)
class OutcomeNoteAdmin(ReadOnly):
    """Card writes that did not simply succeed."""

    list_display = ("key", "outcome", "account_id", "entry_seq", "terminal_id", "noted_at")
    list_filter = ("outcome",)
    ordering = ("-id",)


@admin.register(CardFinding)
class CardFindingAdmin(ReadOnly):
    """What only tampering, a clone or a fault explains."""

    list_display = ("kind", "account_id", "card_id", "sighting", "terminal_id", "found_at")
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
