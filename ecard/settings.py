"""Settings from the environment only; what is missing or unsafe is refused (`ecard.checks`), never guessed.

Every variable is explained in `.env.example`; each may be given as NAME_FILE, a path to its text.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import django_stubs_ext
import environ
from csp.constants import NONE, SELF

from ecard import env as read
from ecard.localdb import APP_ROLE

django_stubs_ext.monkeypatch()  # type arguments such as ModelAdmin[Holder] also work at run time

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()

# ------------------------------------------------------------------------------------------- where we are

DEMO = env.bool("ECARD_DEMO", default=False)
DEBUG = env.bool("DEBUG", default=False)
SITE_URL = env.str("SITE_URL", default="http://127.0.0.1:8000" if DEMO else "")
_site = urlsplit(SITE_URL)
ALLOWED_HOSTS = [_site.hostname or "", *env.list("ALLOWED_HOSTS", default=[])]
if DEMO:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [SITE_URL] if SITE_URL else []
TRUSTED_PROXY_HOPS: int | None = env.int("TRUSTED_PROXY_HOPS", default=None)
"""How many proxies of ours stand before the application; the outermost of them saw the real client."""
_now = env.str("ECARD_NOW", default="")
ECARD_NOW: datetime | None = datetime.fromisoformat(_now) if _now else None

# ------------------------------------------------------------------------------------------------- keys

SECRET_KEY = env.str("SECRET_KEY", default="")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
PIN_PEPPERS = read.key_ring("PIN_PEPPERS", env.str("PIN_PEPPERS", default=""))
FIELD_KEYS = read.key_ring("FIELD_KEYS", env.str("FIELD_KEYS", default=""))
TERMINAL_MASTER = read.key_ring("TERMINAL_MASTER", env.str("TERMINAL_MASTER", default=""))
CARD_MASTER = read.key_ring("CARD_MASTER", env.str("CARD_MASTER", default=""))
DAY_KEYS = read.key_ring("DAY_KEYS", env.str("DAY_KEYS", default=""))
INDEX_KEY = read.single_key("INDEX_KEY", env.str("INDEX_KEY", default=""))
AUDIT_KEY = read.single_key("AUDIT_KEY", env.str("AUDIT_KEY", default=""))
BACKUP_RECIPIENT = env.str("BACKUP_RECIPIENT", default="")
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# ------------------------------------------------------------------------------------------------- bank

BANK_CARD_BINS: list[str] = env.list(
    "BANK_CARD_BINS", default=["999999"] if DEMO else ["6217", "6216", "6213"]
)
"""How the savings cards of the bank begin; no other card may be bound to an account (guide L43)."""

INITIAL_PIN_X: str = env.str("INITIAL_PIN_X", default="", choices=("", "0", "1"))
"""What stands for the X of an identity number in initial passwords: nothing is left of it (guide L131), or a digit.
Set it before the first account is opened and leave it."""

# ---------------------------------------------------------------------------------------------- letters

OUTBOX = BASE_DIR / "var" / "outbox"
"""Where the demo puts what it would send."""
EMAIL_HOST = env.str("EMAIL_HOST", default="")
EMAIL_PORT = env.int("EMAIL_PORT", default=587)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_SECURITY = env.str("EMAIL_SECURITY", default="starttls")
EMAIL_USE_TLS = EMAIL_SECURITY == "starttls"
EMAIL_USE_SSL = EMAIL_SECURITY == "tls"
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default="card@example.edu.cn" if DEMO else "")
_mail = "filebased" if DEMO else "smtp"
EMAIL_BACKEND = f"django.core.mail.backends.{_mail}.EmailBackend"
EMAIL_FILE_PATH = OUTBOX / "mail"
MAIL_OFFERED = DEMO or bool(EMAIL_HOST)
"""Whether holders can be written to; without a mail server their page does not ask for an address."""
SMS_GATEWAY = env.str("SMS_GATEWAY", default="portal.sms.outbox" if DEMO else "")
"""Dotted name of a callable that makes a ``portal.sms.Gateway``; empty: no SMS is offered."""

# --------------------------------------------------------------------------------------------- database

_limits = {
    "lock_timeout": env.str("DATABASE_LOCK_TIMEOUT", default="2s"),
    "statement_timeout": env.str(
        "DATABASE_STATEMENT_TIMEOUT", default="15min" if env.bool("ECARD_COMMAND", default=False) else "5s"
    ),
    "idle_in_transaction_session_timeout": "60s",
    # The tap's statements are prepared; to plan them anew each time costs more than to run them.
    "plan_cache_mode": "force_generic_plan",
    # A range of ledger ids looks like half a percent of the ledger to the planner; compiling for that takes seconds.
    "jit": "off",
}
_url = env.str("DATABASE_URL")
_owner_url = env.str("DATABASE_OWNER_URL", default="")
# With one login only, it owns the tables and every connection of the application steps down to the role.
_role = "" if _owner_url else APP_ROLE
DATABASES = {
    "default": read.database("DATABASE_URL", _url, limits=_limits, role=_role)
    | {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
}
DATABASE_OWNER = read.database("DATABASE_OWNER_URL", _owner_url or _url, limits={"lock_timeout": "10s"})
"""The login that owns the tables: `migrate` and the creation of test databases use it, nothing else."""
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ------------------------------------------------------------------------------------------------- apps

INSTALLED_APPS = [
    "ecard",
    "accounts",
    "transactions",
    "terminals",
    "banking",
    "reconciliation",
    "portal",
    "counter",
    "selfservice",
    "counter.apps.StaffAdminConfig",  # django.contrib.admin behind the staff door
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
]
AUTH_USER_MODEL = "accounts.Operator"

MIDDLEWARE = [
    "ecard.middleware.MachineDoor",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "ecard.middleware.BusyDatabase",
]
MACHINE_PATHS = ("/api/", "/healthz", "/metrics")
"""Paths for machines: no session, login, CSRF token, language or redirect concerns them."""

ROOT_URLCONF = "ecard.urls"
WSGI_APPLICATION = "ecard.wsgi.application"
LOGIN_URL = "/login/"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# ---------------------------------------------------------------------------------- language, time, files

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
_manifest = "whitenoise.storage.CompressedManifestStaticFilesStorage"
_plain = "django.contrib.staticfiles.storage.StaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _plain if DEMO else _manifest},
}
WHITENOISE_USE_FINDERS = DEMO

# ----------------------------------------------------------------------------------------------- security

_https = _site.scheme == "https"
SECURE_SSL_REDIRECT = _https
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_HOPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_NAME = "__Host-session" if _https else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if _https else "csrf"
SESSION_COOKIE_AGE = 2 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
OTP_TOTP_ISSUER = "校园卡"

# ------------------------------------------------------------------------------------------------ logging

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "ecard.logs.JsonLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {"django": {"handlers": [], "level": "WARNING", "propagate": True}},
}
