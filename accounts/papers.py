"""The documents that are shown at a desk: which kinds there are, and whether their end agrees with the register.

The last six digits of an identity number are the initial password (guide L131). So the four characters that a clerk
types from a document in the register are compared and forgotten; what is noted is the kind, and that they agreed.
Of a paper that the register does not know (a work permit), the four characters are all there is, and are noted.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected

TAIL = 4
_TAIL = re.compile(r"\A[0-9A-Z]{4}\Z")


class PaperKind(models.TextChoices):
    """What a clerk may be shown (guide L19, L31, L141). The first four are identity documents."""

    RESIDENT = "resident", _("居民身份证或居住证")
    PERMANENT = "permanent", _("外国人永久居留证")
    PERMIT = "permit", _("通行证")
    PASSPORT = "passport", _("护照")
    WORK_PERMIT = "work_permit", _("工作证")
    HR_LETTER = "hr_letter", _("人事部门证明")
    STUDENT_CARD = "student_card", _("学生证")


IDENTITY = (PaperKind.RESIDENT, PaperKind.PERMANENT, PaperKind.PERMIT, PaperKind.PASSPORT)
"""Valid identity documents: what loss, un-loss, passwords and replacement ask for."""


@dataclass(frozen=True, slots=True, repr=False)
class SeenPaper:
    """A document that somebody at a desk has in his hand: its kind and its last four characters, upper case."""

    kind: PaperKind
    tail: str

    def __repr__(self) -> str:
        return f"SeenPaper({self.kind.value})"

    def ends(self, number: str) -> bool:
        """Whether a number of the register ends like this document."""
        return hmac.compare_digest(number[-TAIL:].upper().encode(), self.tail.encode())


def parse_tail(raw: str) -> str:
    """Accept exactly four half-width letters or digits, in any case. Raises ``Rejected``."""
    tail = raw.upper() if isinstance(raw, str) and raw.isascii() else ""
    if not _TAIL.match(tail):
        raise Rejected(_("请输入证件号码的末四位，半角数字或字母"))
    return tail
