"""What must hold before anybody is served. Errors, no warnings: a wrong key or an unsafe disk loses money."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, combinations
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connections

RINGS = ("PIN_PEPPERS", "FIELD_KEYS", "TERMINAL_MASTER", "CARD_MASTER", "DAY_KEYS")
SINGLE = ("INDEX_KEY", "AUDIT_KEY")
MINIMUM_KEY_BYTES = 32
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")


def refuse_unsafe_settings() -> None:
    """Stop a server process that was started with unsafe settings.

    Raises:
        ImproperlyConfigured: naming every check that failed.
    """
    failed = [*check_keys(None), *check_surroundings(None)]
    with suppress(OperationalError):  # the database may come up later; /healthz says so until then
        failed += check_database(None, databases=["default"])
    if failed:
        raise ImproperlyConfigured("; ".join(f"{error.id} {error.msg}" for error in failed))


# ------------------------------------------------------------------------------------------------- keys


@register(Tags.security)
def check_keys(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every key is there, long enough, different from the others and not the one printed in .env.example."""
    del app_configs, kwargs
    named = list(_named_keys())
    return [
        *(_error(1, f"{name} is missing.") for name in _missing_keys()),
        *(
            _error(2, f"{name} is shorter than 32 bytes.")
            for name, key in named
            if len(key) < MINIMUM_KEY_BYTES
        ),
        *(
            _error(3, f"{a} and {b} are equal.")
            for (a, key), (b, other) in combinations(named, 2)
            if key == other
        ),
        *(
            _error(4, f"{name} is the sample of .env.example.")
            for name, key in named
            if key in _sample_keys()
        ),
    ]


def _missing_keys() -> Iterator[str]:
    return (name for name in ("SECRET_KEY", *RINGS, *SINGLE) if not _setting(name))


def _setting(name: str) -> Any:
    try:
        return getattr(settings, name)
    except ImproperlyConfigured:
        return None  # how Django itself says that SECRET_KEY is empty


def _named_keys() -> Iterator[tuple[str, bytes]]:
    if secret := _setting("SECRET_KEY"):
        yield "SECRET_KEY", secret.encode()
    for name in RINGS:
        for number, key in getattr(settings, name).items():
            yield f"{name} {number}", key
    for name in SINGLE:
        if key := getattr(settings, name):
            yield name, key


def _sample_keys() -> set[bytes]:
    """The keys printed in .env.example, both as they stand and as hex."""
    sample = settings.BASE_DIR / ".env.example"
    text = sample.read_text() if sample.exists() else ""
    values = re.findall(r"^[A-Z_]*(?:KEY|KEYS|PEPPERS|MASTER)=(?:\d+:)?(\S+)", text, flags=re.MULTILINE)
    return set(chain.from_iterable({value.encode(), _unhex(value)} for value in values)) - {b""}


def _unhex(value: str) -> bytes:
    return bytes.fromhex(value) if re.fullmatch(r"(?:[0-9a-f]{2})+", value) else b""


# ----------------------------------------------------------------------------------------- surroundings


@register(Tags.security)
def check_surroundings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Nothing made for demos and tests is switched on where real keys are used."""
    del app_configs, kwargs
    if settings.DEMO:
        return []
    site = urlsplit(settings.SITE_URL)
    found = [
        (5, settings.DEBUG, "DEBUG shows settings and data to everybody; real keys are in use."),
        (6, settings.TRUSTED_PROXY_HOPS is None, "TRUSTED_PROXY_HOPS is not set (0 = no proxy before us)."),
        (7, settings.ECARD_NOW is not None, "ECARD_NOW turns the clock; it is for demos and tests only."),
        (8, not site.hostname, "SITE_URL is not set."),
        (9, site.scheme != "https" and site.hostname not in _LOOPBACK, "SITE_URL is not https."),
        *_letters(),
    ]
    return [_error(number, text) for number, wrong, text in found if wrong]


def _letters() -> Iterator[tuple[int, bool, str]]:
    """Letters have a sender, go out encrypted, and none of them into the demo's outbox."""
    plain = settings.EMAIL_SECURITY == "none" and settings.EMAIL_HOST not in _LOOPBACK
    known = settings.EMAIL_SECURITY in {"starttls", "tls", "none"}
    if settings.EMAIL_HOST:
        yield 10, not known, "EMAIL_SECURITY is not starttls, tls or none."
        yield 11, plain, "EMAIL_SECURITY is none, and the mail server is another machine."
        yield 12, not _ADDRESS.search(settings.DEFAULT_FROM_EMAIL), "MAIL_FROM is not set."
    yield 13, settings.SMS_GATEWAY == "portal.sms.outbox", "SMS_GATEWAY is the demo's outbox."


# --------------------------------------------------------------------------------------------- database


@register(Tags.database)
def check_database(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What is committed is on disk, and the application's role owns no table."""
    del app_configs, kwargs
    return [error for alias in databases or [] for error in _database_errors(alias)]


def _database_errors(alias: str) -> Iterator[CheckMessage]:
    with connections[alias].cursor() as cursor:
        for number, name in ((20, "fsync"), (21, "synchronous_commit"), (22, "full_page_writes")):
            cursor.execute("SELECT current_setting(%s)", [name])
            value = cursor.fetchone()[0]
            if value == "off":
                yield _error(number, f"{name} is off: a crash would lose sales that were acknowledged.")
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone()[0]:
            yield _error(23, "The application is logged in as a superuser.")
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p')"
            " AND relnamespace = current_schema()::regnamespace"
            " AND pg_has_role(current_user, relowner, 'MEMBER')"
        )
        if owned := cursor.fetchone()[0]:
            yield _error(24, f"The application's database role owns {owned} tables; see docs/operations.md.")


def _error(number: int, text: str) -> CheckMessage:
    return Error(text, id=f"ecard.E{number:03}")
