"""Looking things up in the Django admin: read only, masked, no passwords, no identity numbers.

Every change goes through a service, which knows the rules and writes the audit; the admin has no way round
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.checks.masks import mask_name, mask_school_no
from accounts.models import (
    Account,
    Attempt,
    AuditEvent,
    Campus,
    Card,
    Holder,
    LoginRecord,
    LossReport,
    Operator,
    Secret,
)

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(_ModelAdmin):
    """Shows rows and changes none."""

    actions = None
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Campus)
class CampusAdmin(ReadOnlyAdmin):
    list_display = ("code", "name_zh", "name_en")
    ordering = ("code",)


@admin.register(Holder)
class HolderAdmin(ReadOnlyAdmin):
    list_display = ("masked_school_no", "masked_name", "kind", "campus", "unit")
    list_filter = ("kind", "campus")
    search_fields = ("=school_no", "=uid")
    ordering = ("pk",)
    fields = (
        "uid",
        "masked_school_no",
        "masked_name",
        "kind",
        "campus",
        "unit",
        "document_kind",
        "created_at",
    )

    @admin.display(description=_("姓名"))
    def masked_name(self, holder: Holder) -> str:
        return mask_name(holder.name)

    @admin.display(description=_("学号或工号"))
    def masked_school_no(self, holder: Holder) -> str:
        return mask_school_no(holder.school_no)


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ("number", "kind", "life", "frozen_reasons", "campus", "opened_at")
    list_filter = ("life", "kind", "campus")
    search_fields = ("=number",)
    ordering = ("number",)
    exclude = ("holder",)


@admin.register(Card)
class CardAdmin(ReadOnlyAdmin):
    list_display = (
        "uid",
        "account",
        "issue_no",
        "kind",
        "life",
        "lost",
        "expires_on",
        "seen_at",
        "seen_place",
    )
    list_filter = ("life", "kind", "lost")
    list_select_related = ("account",)
    search_fields = ("=uid", "=account__number")
    ordering = ("pk",)


@admin.register(LossReport)
class LossReportAdmin(ReadOnlyAdmin):
    list_display = ("reference", "account", "effect", "channel", "reported_at")
    list_select_related = ("account",)
    search_fields = ("=reference", "=account__number")
    ordering = ("-reported_at",)


@admin.register(Secret)
class SecretAdmin(ReadOnlyAdmin):
    """That there is a password and since when; nothing of the password itself."""

    list_display = ("account", "kind", "is_default", "changed_at")
    list_filter = ("kind", "is_default")
    list_select_related = ("account",)
    search_fields = ("=account__number",)
    ordering = ("pk",)
    exclude = ("pin_hash",)


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ("subject", "budget", "failures", "last_at", "blocked_until")
    list_filter = ("budget",)
    search_fields = ("=subject",)
    ordering = ("-last_at",)


@admin.register(LoginRecord)
class LoginRecordAdmin(ReadOnlyAdmin):
    list_display = ("at", "subject", "budget", "channel", "source", "succeeded")
    list_filter = ("budget", "channel", "succeeded")
    search_fields = ("=subject", "=source")
    ordering = ("-at",)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "role", "channel", "place", "action", "object_kind", "object_id", "reason")
    list_filter = ("channel", "role")
    search_fields = ("=actor", "=action", "=object_id")
    ordering = ("-at",)


@admin.register(Operator)
class OperatorAdmin(ReadOnlyAdmin):
    list_display = ("username", "display_name", "role", "campus", "is_active", "last_login")
    list_filter = ("role", "campus", "is_active")
    list_select_related = ("campus",)
    search_fields = ("username",)
    ordering = ("username",)
    exclude: ClassVar[list[str]] = ["password", "holder"]
