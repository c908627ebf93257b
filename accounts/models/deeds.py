"""What was done for somebody at a desk, once for each key, with the document that was seen. Only ever added.

A deed is the register of repeats (the same key is the same deed) and what its receipt is printed from.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .standing import Account, Card


class DeedKind(models.TextChoices):
    """What a desk does with an account and its card (requirements 3.1)."""

    OPEN = "open", _("开户制卡")
    ISSUE = "issue", _("补制卡片")
    VOID = "void", _("作废重制")
    HAND_OVER = "hand_over", _("发卡")
    SLIPS = "slips", _("初始密码单")
    REPLACE = "replace", _("换卡")
    EXTEND = "extend", _("延期")
    GRANT = "grant", _("授予服务权限")
    REVOKE = "revoke", _("收回服务权限")
    BEGIN_CLOSING = "begin_closing", _("开始销户")
    GIVE_UP_CLOSING = "give_up_closing", _("撤销销户")
    CLOSE = "close", _("销户退款")
    RELEASE = "release", _("解除预留")
    LOSS = "loss", _("挂失")
    LIFT_LOSS = "lift_loss", _("解挂")
    FREEZE = "freeze", _("冻结")
    LIMIT = "limit", _("修改日限额")
    SET_PASSWORD = "set_password", _("设置密码")
    RESET_PASSWORD = "reset_password", _("恢复初始密码")
    SHOW_SLIP = "show_slip", _("显示初始密码")
    UNLOCK = "unlock", _("解除密码锁定")
    BIND = "bind", _("绑定银行卡")
    CONFIRM_BINDING = "confirm_binding", _("确认银行卡签约")
    UNBIND = "unbind", _("银行卡解约")
    STATEMENT = "statement", _("打印流水")


class CounterDeed(models.Model):
    """One deed. ``content_hash`` is the SHA-256 of what was asked; ``facts`` is what its receipt says, amounts in fen.

    ``document`` is the kind of paper that was shown, ``document_check`` how it stood to the register; both empty
    where none is asked for. No identity number, no name and no password stand here.
    """

    key = models.UUIDField(primary_key=True)
    kind = models.TextField(choices=DeedKind)
    account = models.ForeignKey(Account, models.PROTECT, related_name="deeds", db_index=False)
    card = models.ForeignKey(Card, models.PROTECT, null=True, related_name="deeds", db_index=False)
    """The card that came of it, or that it was about."""
    content_hash = models.BinaryField()
    facts = models.JSONField(default=dict)
    document = models.TextField(default="", db_default="", blank=True)
    document_check = models.TextField(default="", db_default="", blank=True)
    reason = models.TextField(default="", db_default="", blank=True)
    made_by = models.TextField()
    made_role = models.TextField()
    made_place = models.TextField(default="", db_default="", blank=True)
    made_at = models.DateTimeField()

    class Meta:
        verbose_name = _("柜台办理")
        verbose_name_plural = _("柜台办理")
        constraints = [models.CheckConstraint(name="deed_kind_known", condition=Q(kind__in=DeedKind.values))]
        indexes = [models.Index(name="deed_of_account", fields=["account", "made_at"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
