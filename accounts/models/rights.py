"""What a card opens besides the till: the ten services of the guide (L13) and who was granted which."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .standing import Account


class Service(models.TextChoices):
    """The ten kinds of service (guide L13, R002)."""

    CANTEEN = "canteen", _("食堂就餐")
    SHOP = "shop", _("校内购物")
    BUS = "bus", _("班车购票")
    BATH = "bath", _("浴室")
    LENDING = "lending", _("图书借阅")
    LIBRARY_GATE = "library_gate", _("图书馆门禁")
    PC_ROOM = "pc_room", _("机房上机")
    DORM_DOOR = "dorm_door", _("宿舍门禁")
    IDENTITY = "identity", _("身份识别")
    BANK_TRANSFER = "bank_transfer", _("银行转账")


IDENTIFYING = (
    Service.LENDING,
    Service.LIBRARY_GATE,
    Service.PC_ROOM,
    Service.DORM_DOOR,
    Service.IDENTITY,
)
"""Services that say who somebody is. A named card opens them only by a grant with a last day (L17, reading A18)."""


class ServiceGrant(models.Model):
    """One service opened for one named card until a day. What was granted stays; it is ended, never erased."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="grants", db_index=False)
    service = models.TextField(choices=Service)
    until_on = models.DateField()
    """The last day, included."""
    granted_by = models.TextField()
    granted_at = models.DateTimeField()
    ended_by = models.TextField(default="", db_default="", blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("服务权限")
        verbose_name_plural = _("服务权限")
        constraints = [
            models.UniqueConstraint(
                name="grant_one_in_force", fields=["account", "service"], condition=Q(ended_at=None)
            ),
            models.CheckConstraint(name="grant_service_known", condition=Q(service__in=Service.values)),
            models.CheckConstraint(
                name="grant_end_whole",
                condition=Q(ended_at=None, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.service}"
