"""Where letters go: a mail address, a mobile number. Strict, because both end up in the headers of what is sent."""

from __future__ import annotations

import re

from django.utils.translation import gettext_lazy as _

from .errors import Rejected

MAIL_MAX = 254
"""Of a whole address (RFC 5321)."""
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAIL = re.compile(rf"\A{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+\Z")
_PHONE = re.compile(r"\A1[0-9]{10}\Z")


def parse_mail(raw: str) -> str:
    """Accept one mail address of plain ASCII, at most 64 characters before the ``@``; the domain in lower case.

    Raises ``Rejected``.
    """
    if not isinstance(raw, str) or len(raw) > MAIL_MAX or not _MAIL.match(raw):
        raise Rejected(_("邮箱地址不正确，请输入如 name@example.com 的地址"))
    local, _at, domain = raw.rpartition("@")
    if len(local) > 64 or domain.rpartition(".")[2].isdecimal():
        raise Rejected(_("邮箱地址不正确，请输入如 name@example.com 的地址"))
    return f"{local}@{domain.lower()}"


def parse_phone(raw: str) -> str:
    """Accept a mobile number of the mainland, eleven digits. Raises ``Rejected``."""
    if not isinstance(raw, str) or not _PHONE.match(raw):
        raise Rejected(_("手机号码不正确，请输入 11 位半角数字"))
    return raw


def mask_mail(address: str) -> str:
    """``zhang.san@example.com`` → ``z***@example.com``."""
    local, _at, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def mask_phone(number: str) -> str:
    """``13800001234`` → ``138****1234``."""
    return f"{number[:3]}****{number[-4:]}"
