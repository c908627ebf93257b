"""Where people are served: card centers, load and query kiosks, cash points (guide L21-27, L37, L69-75, L121-127).

A kiosk's place names the machine that stands there; whether it works is told by its heartbeat, so nobody has
to remember to say so. Taking a place out of service by hand is for what no heartbeat knows: rebuilding, for one.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .machines import Terminal


class PlaceKind(models.TextChoices):
    """What one can do there."""

    CENTER = "center", _("管理中心")
    LOAD_KIOSK = "load_kiosk", _("圈存机")
    QUERY_KIOSK = "query_kiosk", _("自助查询机")
    CASH_POINT = "cash_point", _("现金充值点")


class ServicePoint(models.Model):
    """One place. ``code`` is stable, for seeds and addresses; names and hours are the staff's to change."""

    code = models.TextField(unique=True)
    kind = models.TextField(choices=PlaceKind)
    campus = models.ForeignKey("accounts.Campus", models.PROTECT, related_name="service_points")
    name_zh = models.TextField()
    name_en = models.TextField()
    position = models.SmallIntegerField(default=0, db_default=0)
    """Order among the places of its kind and campus, as in the guide."""
    hours = models.JSONField(default=dict, blank=True)
    """``terminals.hours.Week`` as JSON; empty: open as long as the building is."""
    terminal = models.OneToOneField(
        Terminal, models.PROTECT, null=True, blank=True, related_name="service_point"
    )
    """The kiosk that stands here; the database refuses one of another kind or campus."""
    out_since = models.DateTimeField(null=True, blank=True)
    """Taken out of service by hand since then."""
    out_reason_zh = models.TextField(default="", db_default="", blank=True)
    """Shown to everybody."""
    out_reason_en = models.TextField(default="", db_default="", blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    """Given up for good: no longer shown."""

    class Meta:
        verbose_name = _("服务点")
        verbose_name_plural = _("服务点")
        constraints = [
            models.CheckConstraint(name="place_kind_known", condition=Q(kind__in=PlaceKind.values)),
            models.CheckConstraint(name="place_has_names", condition=~Q(name_zh="") & ~Q(name_en="")),
            models.CheckConstraint(
                name="place_out_says_why",
                condition=Q(out_since__isnull=True, out_reason_zh="", out_reason_en="")
                | (Q(out_since__isnull=False) & ~Q(out_reason_zh="")),
            ),
            models.CheckConstraint(
                name="place_machine_of_kiosks",
                condition=Q(terminal__isnull=True)
                | Q(kind__in=[PlaceKind.LOAD_KIOSK, PlaceKind.QUERY_KIOSK], closed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class DayKind(models.TextChoices):
    """How a day differs from the week."""

    CLOSED = "closed", _("放假")
    AS_WORKDAY = "as_workday", _("调休上班")


class SpecialDay(models.Model):
    """A day that is not as its weekday says: a public holiday, or a weekend on which everybody works for one."""

    on = models.DateField()
    campus = models.ForeignKey(
        "accounts.Campus", models.PROTECT, null=True, blank=True, related_name="special_days", db_index=False
    )
    """Null: on every campus."""
    kind = models.TextField(choices=DayKind)
    name_zh = models.TextField()
    name_en = models.TextField(default="", db_default="", blank=True)

    class Meta:
        verbose_name = _("特殊日期")
        verbose_name_plural = _("特殊日期")
        constraints = [
            models.CheckConstraint(name="special_day_kind_known", condition=Q(kind__in=DayKind.values)),
            models.CheckConstraint(name="special_day_has_name", condition=~Q(name_zh="")),
            models.UniqueConstraint(name="special_day_once", fields=["on", "campus"], nulls_distinct=False),
        ]

    def __str__(self) -> str:
        return f"{self.on} {self.kind}"
