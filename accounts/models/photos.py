"""Pictures of holders, for the printed card and for whoever looks at a card's owner across a desk.

A table of its own (security.md section 6): nothing else reads it by accident. What is kept was drawn anew from the
pixels of what was sent, so no position, no camera and no hidden content comes along.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .people import Campus, Holder, Operator


class Photo(models.Model):
    """The one picture of a person: JPEG, at most 480 × 640."""

    holder = models.OneToOneField(Holder, models.PROTECT, primary_key=True, related_name="photo")
    image = models.BinaryField()
    source_digest = models.BinaryField(max_length=32)
    """SHA-256 of the file it was made from: the same file again changes nothing."""
    taken_in_at = models.DateTimeField()
    taken_in_by = models.ForeignKey(Operator, models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("照片")
        verbose_name_plural = _("照片")

    def __str__(self) -> str:
        return str(self.holder_id)


class PhotoVerdict(models.TextChoices):
    """What became of one picture of an archive."""

    WAITING = "waiting", _("待处理")
    NEW = "new", _("新增")
    REPLACED = "replaced", _("更换")
    SAME = "same", _("无变化")
    REJECTED = "rejected", _("不能使用")


class PhotoUpload(models.Model):
    """One archive of pictures named by school number."""

    id = models.UUIDField(primary_key=True)
    name = models.TextField()
    campus = models.ForeignKey(Campus, models.PROTECT, null=True, related_name="+")
    total = models.IntegerField(default=0)
    position = models.IntegerField(default=0)
    uploaded_by = models.ForeignKey(Operator, models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("照片包")
        verbose_name_plural = _("照片包")
        constraints = [
            models.CheckConstraint(
                name="photos_position_in_range", condition=Q(position__gte=0, position__lte=F("total"))
            ),
        ]
        indexes = [models.Index(name="photo_upload_newest", fields=["-uploaded_at"])]

    def __str__(self) -> str:
        return self.name


class PhotoItem(models.Model):
    """One picture of an archive; ``content`` is what was sent, until it was drawn anew or refused."""

    upload = models.ForeignKey(PhotoUpload, models.CASCADE, related_name="items", db_index=False)
    place = models.IntegerField()
    name = models.TextField()
    content = models.BinaryField(null=True)
    verdict = models.TextField(
        choices=PhotoVerdict, default=PhotoVerdict.WAITING, db_default=PhotoVerdict.WAITING.value
    )
    holder = models.ForeignKey(Holder, models.PROTECT, null=True, related_name="+")
    problems = models.JSONField(default=list)

    class Meta:
        verbose_name = _("照片包中的照片")
        verbose_name_plural = _("照片包中的照片")
        constraints = [
            models.UniqueConstraint(name="photo_place_once", fields=["upload", "place"]),
            models.CheckConstraint(name="photo_verdict_known", condition=Q(verdict__in=PhotoVerdict.values)),
            models.CheckConstraint(
                name="photo_content_while_waiting",
                condition=Q(verdict=PhotoVerdict.WAITING, content__isnull=False)
                | Q(~Q(verdict=PhotoVerdict.WAITING), content__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name
