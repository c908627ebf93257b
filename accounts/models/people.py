"""Who: campuses, the people who hold cards, and the staff who serve them.

Collected is only what the card needs (PIPL art. 6): no gender, birthday or address. The identity number is
sealed with AES-256-GCM (see ``accounts.sealing``) and found again through a keyed blind index, never through
its digits.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Campus(models.Model):
    """A campus with its own card center, canteens and staff (guide L21-27: 崂山, 鱼山, 浮山)."""

    code = models.TextField(unique=True)
    """Short and stable, for settings, imports and URLs, such as ``laoshan``."""
    name_zh = models.TextField()
    name_en = models.TextField()

    class Meta:
        verbose_name = _("校区")
        verbose_name_plural = _("校区")

    def __str__(self) -> str:
        return self.name_zh


class HolderKind(models.TextChoices):
    """What ties a person to the university; decides which class of card is possible (guide L17-19)."""

    STAFF = "staff", _("教职工")
    STUDENT = "student", _("学生")
    OTHER = "other", _("其他人员")


class DocumentKind(models.TextChoices):
    """The document a holder is known by. Only a number in citizen form yields a default password."""

    RESIDENT = "resident", _("居民身份证或居住证")
    PERMANENT = "permanent", _("外国人永久居留证")
    PERMIT = "permit", _("通行证")
    PASSPORT = "passport", _("护照")
    NONE = "none", _("无")


class Holder(models.Model):
    """A person who holds a campus card, known by one school number.

    ``uid`` is the name of this person in logs, in the audit and in the sealing of fields; it stays when
    the personal data is erased after the account is closed.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    school_no = models.TextField(unique=True)
    """Student or staff number, upper case letters and digits; five digits would be an account number."""
    name = models.TextField()
    kind = models.TextField(choices=HolderKind)
    campus = models.ForeignKey(Campus, models.PROTECT, related_name="holders")
    unit = models.TextField(default="", db_default="", blank=True)
    """College or department in words."""
    document_kind = models.TextField(choices=DocumentKind, default=DocumentKind.NONE)
    id_number_sealed = models.BinaryField(null=True)
    """``accounts.sealing`` bytes; bound to this row by its ``uid``."""
    id_number_index = models.BinaryField(null=True, unique=True)
    """HMAC-SHA256 of the normalised number: finds a person and refuses the same person twice."""
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("持卡人")
        verbose_name_plural = _("持卡人")
        constraints = [
            models.CheckConstraint(name="holder_kind_known", condition=Q(kind__in=HolderKind.values)),
            models.CheckConstraint(
                name="holder_document_known", condition=Q(document_kind__in=DocumentKind.values)
            ),
            models.CheckConstraint(
                name="holder_school_no_form",
                condition=Q(school_no__regex=r"^[0-9A-Z]{4,20}$") & ~Q(school_no__regex=r"^[0-9]{5}$"),
            ),
            models.CheckConstraint(
                name="holder_id_number_whole",
                condition=Q(
                    document_kind=DocumentKind.NONE,
                    id_number_sealed__isnull=True,
                    id_number_index__isnull=True,
                )
                | Q(
                    ~Q(document_kind=DocumentKind.NONE),
                    id_number_sealed__isnull=False,
                    id_number_index__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.school_no


class OperatorRole(models.TextChoices):
    """The hats of the staff; what each may do stands in the permission matrix of the screens."""

    CLERK = "clerk", _("卡务人员")
    CASHIER = "cashier", _("收银员")
    SUPERVISOR = "supervisor", _("主管")
    AUDITOR = "auditor", _("审计员")
    MERCHANT = "merchant", _("商户")
    ADMIN = "admin", _("系统管理员")


class OperatorManager(BaseUserManager["Operator"]):
    """Makes operators; ``createsuperuser`` comes here too."""

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> Operator:
        """Create an operator. Without a password the account cannot sign in until one is set."""
        operator = self.model(username=self.model.normalize_username(username), **fields)
        operator.set_password(password)
        operator.save(using=self._db)
        return operator

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> Operator:
        """Create a technical administrator (no money, no passwords, no identity numbers)."""
        fields |= {"is_staff": True, "is_superuser": True}
        fields.setdefault("role", OperatorRole.ADMIN)
        return self.create_user(username, password, **fields)


class Operator(AbstractBaseUser, PermissionsMixin):
    """A member of staff, a merchant's clerk or an administrator; signs in with password and one-time code.

    ``campus`` empty means every campus. ``holder`` is the person's own card account: nobody serves himself.
    """

    username = models.TextField(_("用户名"), unique=True)
    display_name = models.TextField(_("姓名"), default="", db_default="", blank=True)
    role = models.TextField(_("角色"), choices=OperatorRole)
    campus = models.ForeignKey(Campus, models.PROTECT, null=True, blank=True, related_name="operators")
    holder = models.ForeignKey(Holder, models.PROTECT, null=True, blank=True, related_name="operators")
    is_active = models.BooleanField(_("有效"), default=True, db_default=True)
    is_staff = models.BooleanField(_("可进管理后台"), default=False, db_default=False)
    must_change_password = models.BooleanField(_("须改密码"), default=False, db_default=False)
    """The password was given by an administrator; nothing else is possible before it is changed."""
    created_at = models.DateTimeField(db_default=Now())

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = OperatorManager()

    class Meta:
        verbose_name = _("操作员")
        verbose_name_plural = _("操作员")
        constraints = [
            models.CheckConstraint(name="operator_role_known", condition=Q(role__in=OperatorRole.values)),
            models.CheckConstraint(
                name="operator_username_form", condition=Q(username__regex=r"^[A-Za-z0-9._-]{2,64}$")
            ),
        ]

    def __str__(self) -> str:
        return self.username

    def get_full_name(self) -> str:
        """The name shown on screens and receipts."""
        return self.display_name or self.username

    def get_short_name(self) -> str:
        """The sign-in name."""
        return self.username
