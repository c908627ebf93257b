"""Looking things up in the Django admin, read only. No key is stored, so none can be shown."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from terminals.models import (
    EnrolmentCode,
    HotlistEntry,
    SecurityEvent,
    Terminal,
    TerminalContact,
    UploadDecision,
    UploadedRecord,
    UploadVerdict,
)


@admin.register(Terminal)
class TerminalAdmin(ReadOnlyAdmin):
    list_display = ("id", "name_zh", "kind", "campus", "merchant", "may_sell_offline", "epoch", "revoked_at")
    list_filter = ("kind", "campus", "may_sell_offline")
    search_fields = ("name_zh", "name_en", "place")
    ordering = ("id",)


@admin.register(TerminalContact)
class TerminalContactAdmin(ReadOnlyAdmin):
    list_display = ("terminal", "last_contact_at", "unsent", "hotlist_version", "offset_ms", "free_mb")
    ordering = ("terminal_id",)


@admin.register(EnrolmentCode)
class EnrolmentCodeAdmin(ReadOnlyAdmin):
    list_display = ("terminal", "issued_at", "issued_by", "expires_at", "used_at", "withdrawn_at")
    exclude = ("code_hash",)
    ordering = ("-issued_at",)


@admin.register(HotlistEntry)
class HotlistEntryAdmin(ReadOnlyAdmin):
    list_display = ("uid", "refusal", "removed", "version", "changed_at")
    list_filter = ("refusal", "removed")
    search_fields = ("uid",)
    ordering = ("-version",)


@admin.register(UploadedRecord)
class UploadedRecordAdmin(ReadOnlyAdmin):
    list_display = ("terminal", "journal", "seq", "kind", "received_at")
    list_filter = ("kind",)
    ordering = ("-received_at",)


@admin.register(UploadVerdict)
class UploadVerdictAdmin(ReadOnlyAdmin):
    list_display = ("record", "result", "why", "decided_at")
    list_filter = ("result",)
    ordering = ("-decided_at",)


@admin.register(UploadDecision)
class UploadDecisionAdmin(ReadOnlyAdmin):
    list_display = ("verdict", "settled", "why", "reason", "decided_by", "decided_at")
    list_filter = ("settled",)
    ordering = ("-decided_at",)


@admin.register(SecurityEvent)
class SecurityEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "kind", "terminal", "detail")
    list_filter = ("kind",)
    ordering = ("-at",)
