"""Letters in words, and the two ways that carry them: Django's mail and an SMS gateway.

A letter names nobody: it says two digits of the account, and amounts only if its holder wants that. Whoever has it can
stop the next ones: by a link that asks once, or by the button of the mail program (RFC 8058).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException, SMTPServerDisconnected
from typing import Any, Final
from uuid import UUID

from django.core.mail import EmailMessage, get_connection
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.services.alertpost import Carry, Letter, NotNow, Refused, Unreachable
from portal.alertwords import WITHOUT_AMOUNTS
from portal.carewords import told
from portal.sms import Gateway

_PERMANENT: Final = 500
"""SMTP replies from here on will be the same next time."""
_SMS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Links:
    """Where letters lead: absolute addresses. ``stop`` makes the one that stops the letters to a contact."""

    overview: str
    choices: str
    stop: Callable[[UUID], str]
    host: str
    """Names the messages of this installation."""


@dataclass(frozen=True, slots=True)
class Mail:
    """Carries letters by mail, all of a run over one connection."""

    links: Links

    @contextmanager
    def open(self) -> Iterator[Carry]:
        """Raises ``Unreachable``."""
        line = get_connection()
        try:
            line.open()
        except (SMTPException, OSError) as problem:
            raise Unreachable(type(problem).__name__) from problem
        try:
            yield lambda letter: _post(compose(letter, self.links), line)
        finally:
            with suppress(SMTPException, OSError):
                line.close()


@dataclass(frozen=True, slots=True)
class Sms:
    """Carries letters as short texts."""

    gateway: Gateway

    @contextmanager
    def open(self) -> Iterator[Carry]:
        """The gateway says itself when it is not to be reached."""
        yield lambda letter: self.gateway.send(letter.address, short_text(letter), key=letter.uid)


def compose(letter: Letter, links: Links) -> EmailMessage:
    """The mail for a letter, in its holder's language."""
    with translation.override(letter.language):
        subject, body = _code(letter) if letter.code else _alerts(letter, links)
    headers = {"Message-ID": f"<{letter.uid}@{links.host}>", "Auto-Submitted": "auto-generated"}
    if not letter.code:
        headers["List-Unsubscribe"] = f"<{links.stop(letter.contact_uid)}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return EmailMessage(subject, body, to=[letter.address], headers=headers)


def short_text(letter: Letter) -> str:
    """The same in one line: the first thing in full, of the others how many."""
    with translation.override(letter.language):
        if letter.code:
            return _("【校园卡】验证码 %(code)s，30 分钟内有效。不是您本人操作的，请不必理会。") % {
                "code": letter.code
            }
        (title, text), *others = said(letter)
        parts = [f"{_('【校园卡】')}{title}{_('：')}{text}", _tail(letter)]
        if others:
            more = ngettext("另有 %(count)d 条提醒。", "另有 %(count)d 条提醒。", len(others))
            parts.insert(1, more % {"count": len(others)})
        return " ".join(parts)[:_SMS_MAX]


def said(letter: Letter) -> list[tuple[str, str]]:
    """Title and sentence of each thing that the letter tells; without amounts unless they are wanted."""
    found = []
    for row in letter.notices:
        message = told(row)
        text = message.text if letter.amounts else str(WITHOUT_AMOUNTS.get(row.kind, message.text))
        found.append((message.title, text))
    return found


def _alerts(letter: Letter, links: Links) -> tuple[str, str]:
    paragraphs = said(letter)
    title, count = paragraphs[0][0], len(paragraphs)
    subject = _("校园卡：%(title)s") % {"title": title}
    if count > 1:
        subject = _("校园卡：%(title)s 等 %(count)d 条提醒") % {"title": title, "count": count}
    parts = [
        _("您好："),
        *(f"{title}\n{text}" for title, text in paragraphs),
        _("详情请登录：%(url)s") % {"url": links.overview} + f"\n{_tail(letter)}",
        "--",
        _("这封邮件由校园卡系统自动发出，请勿回复。我们不会向您索要密码。"),
        _("修改提醒：%(url)s") % {"url": links.choices}
        + "\n"
        + _("不再接收：%(url)s") % {"url": links.stop(letter.contact_uid)},
    ]
    return subject, "\n\n".join(parts) + "\n"


def _code(letter: Letter) -> tuple[str, str]:
    parts = [
        _("您好："),
        _("您的验证码是 %(code)s，30 分钟内有效。请在校园卡网站的提醒页输入。") % {"code": letter.code},
        _("不是您本人操作的，请不必理会：没有验证码，这个邮箱不会收到提醒。"),
    ]
    return _("校园卡：邮箱验证码"), "\n\n".join(parts) + "\n"


def _tail(letter: Letter) -> str:
    return _("帐号尾号 %(tail)s") % {"tail": f"{letter.account_no % 100:02d}"}


def _post(message: EmailMessage, line: Any) -> None:
    try:
        taken = line.send_messages([message])
    except SMTPServerDisconnected as problem:
        raise Unreachable(type(problem).__name__) from problem
    except SMTPRecipientsRefused as problem:
        codes = sorted({code for code, _text in problem.recipients.values()})
        kind = Refused if all(code >= _PERMANENT for code in codes) else NotNow
        raise kind(f"SMTP {codes[0]}" if codes else "SMTP") from problem
    except SMTPResponseException as problem:
        kind = Refused if problem.smtp_code >= _PERMANENT else NotNow
        raise kind(f"SMTP {problem.smtp_code}") from problem
    except (SMTPException, OSError) as problem:
        raise NotNow(type(problem).__name__) from problem
    if not taken:
        raise NotNow("not taken")
