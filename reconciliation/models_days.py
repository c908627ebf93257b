"""The seal on every ledger day that is over, each resting on the one before (reliability.md L8). Rows only grow."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class DayClose(models.Model):
    """One closed day: what was posted, and a digest that only the keeper of the key can make.

    ``digest`` = HMAC(key, digest of the day before ‖ every row of this day). ``tags`` are four bytes a row, in the
    order of the rows: they say which row it was when the digest is not right any more.
    """

    day = models.DateField(primary_key=True)
    closed_at = models.DateTimeField()
    entries = models.IntegerField()
    sums = models.JSONField(default=dict)
    """By kind: ``[entries, book_fen, unclaimed_fen]``, as the holders gain."""
    key_id = models.SmallIntegerField()
    """Which key of the ring ``DAY_KEYS``."""
    previous = models.BinaryField()
    digest = models.BinaryField()
    tags = models.BinaryField()

    class Meta:
        verbose_name = _("日结")
        verbose_name_plural = _("日结")
        constraints = [
            models.CheckConstraint(name="day_close_counts", condition=Q(entries__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.hexdigest[:16]}"

    @property
    def hexdigest(self) -> str:
        """The digest as it is printed and kept off the machine."""
        return bytes(self.digest).hex()
