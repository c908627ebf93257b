"""What second persons, administrators and lookers-on type."""

from __future__ import annotations

from counter.forms import CodeField, DigestField, StrictForm


class AgreeForm(StrictForm):
    """The second person agrees to what is shown."""

    digest = DigestField()
    otp_token = CodeField()
