"""What every template writes in the same way: amounts, icons, names in the reader's language."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.channels import CHANNEL_WORDS
from accounts.checks.idnumber import default_pin
from purse.money import yuan as plain_yuan

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """A picture from the sprite; decoration only, the word stands beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("img/icons.svg"),
        name,
    )


@register.filter
def yuan(fen: int) -> str:
    """``110`` → ``¥1.10``, ``-1`` → ``-¥0.01``."""
    sign = "-" if fen < 0 else ""
    return f"{sign}¥{plain_yuan(abs(fen))}"


@register.simple_tag
def change(fen: int) -> SafeString:
    """Money in or out, by word and sign and only then by colour."""
    word, sign, tone = (_("收入"), "+", " in") if fen > 0 else (_("支出"), "-", "")
    return format_html(
        '<span class="amount{}"><span class="soft small">{}</span> {}¥{}</span>',
        tone,
        word,
        sign,
        plain_yuan(abs(fen)),
    )


@register.filter
def local_name(thing: object) -> str:
    """``name_en`` for readers of English where there is one, else ``name_zh``."""
    english = getattr(thing, "name_en", "") if (get_language() or "").startswith("en") else ""
    return str(english or getattr(thing, "name_zh", ""))


@register.filter
def moment(at: datetime) -> str:
    """A time of the campus, ``2026-08-03 12:08``."""
    return f"{localtime(at):%Y-%m-%d %H:%M}"


@register.filter
def day(at: datetime) -> str:
    """A day on the campus, ``08-03``."""
    return f"{localtime(at):%m-%d}"


@register.simple_tag
def initial_x() -> str:
    """What this university does with the X of an identity number in initial passwords (guide L131)."""
    if settings.INITIAL_PIN_X:
        return _("末位的 X 当作 %(digit)s") % {"digit": settings.INITIAL_PIN_X}
    return _("末位的 X 去掉再取")


@register.simple_tag
def initial_pin(number: str) -> str:
    """The initial password that follows from an identity number here; for examples, of numbers that are nobody's."""
    return default_pin(number, x_as=settings.INITIAL_PIN_X) or ""


@register.filter
def channel_word(channel: str) -> str:
    """The door that somebody came through."""
    return str(CHANNEL_WORDS.get(channel, channel))


@register.filter
def second(at: datetime) -> str:
    """A time of the campus to the second, ``2026-08-03 12:08:41``: what tells two sales apart."""
    return f"{localtime(at):%Y-%m-%d %H:%M:%S}"


@register.filter
def clock(at: datetime) -> str:
    """A time of day on the campus to the second, ``12:08:41``."""
    return f"{localtime(at):%H:%M:%S}"
