"""An unsafe installation is refused with a sentence that names what is wrong."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from ecard import checks, env

LONG = bytes(range(32))


def found(check) -> set[str]:
    return {error.id for error in check(None)}


def test_the_settings_of_this_run_are_safe():
    assert not found(checks.check_keys)
    assert not found(checks.check_surroundings)


@pytest.mark.parametrize("name", ["SECRET_KEY", *checks.RINGS, *checks.SINGLE])
def test_a_missing_key_is_an_error(settings, name):
    setattr(settings, name, type(getattr(settings, name))())

    assert "ecard.E001" in found(checks.check_keys)


@pytest.mark.parametrize(("length", "wrong"), [(31, True), (32, False)])
def test_a_key_has_at_least_32_bytes(settings, length, wrong):
    settings.INDEX_KEY = b"k" * length

    assert ("ecard.E002" in found(checks.check_keys)) is wrong


def test_one_key_for_two_purposes_is_an_error(settings):
    settings.INDEX_KEY = settings.AUDIT_KEY

    assert found(checks.check_keys) == {"ecard.E003"}


def test_one_key_twice_in_a_ring_is_an_error(settings):
    settings.FIELD_KEYS = {1: LONG, 2: LONG}

    assert found(checks.check_keys) == {"ecard.E003"}


@pytest.mark.parametrize("digit", "1234567")
def test_every_key_printed_in_the_example_is_refused(settings, digit):
    settings.INDEX_KEY = bytes.fromhex(digit * 64)

    assert found(checks.check_keys) == {"ecard.E004"}


def test_the_secret_key_printed_in_the_example_is_refused(settings):
    example = (settings.BASE_DIR / ".env.example").read_text()
    settings.SECRET_KEY = next(
        line.partition("=")[2] for line in example.splitlines() if line.startswith("SECRET_KEY=")
    )

    assert found(checks.check_keys) == {"ecard.E004"}


@pytest.fixture
def production(settings):
    settings.DEMO = False
    settings.DEBUG = False
    settings.SITE_URL = "https://ecard.example.edu.cn"
    settings.TRUSTED_PROXY_HOPS = 1
    settings.ECARD_NOW = None
    settings.EMAIL_HOST = "mail.example.edu.cn"
    settings.DEFAULT_FROM_EMAIL = "校园卡 <card@example.edu.cn>"
    settings.SMS_GATEWAY = ""
    return settings


def test_a_proper_production_machine_has_nothing_to_complain_about(production):
    assert not found(checks.check_surroundings)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("DEBUG", True, "ecard.E005"),
        ("TRUSTED_PROXY_HOPS", None, "ecard.E006"),
        ("ECARD_NOW", "2026-09-01T08:00:00+08:00", "ecard.E007"),
        ("SITE_URL", "", "ecard.E008"),
        ("SITE_URL", "http://ecard.example.edu.cn", "ecard.E009"),
        ("EMAIL_SECURITY", "ssl", "ecard.E010"),
        ("EMAIL_SECURITY", "none", "ecard.E011"),
        ("DEFAULT_FROM_EMAIL", "", "ecard.E012"),
        ("DEFAULT_FROM_EMAIL", "校园卡", "ecard.E012"),
        ("SMS_GATEWAY", "portal.sms.outbox", "ecard.E013"),
    ],
)
def test_what_belongs_to_demos_is_refused_in_production(production, name, value, error):
    setattr(production, name, value)

    assert error in found(checks.check_surroundings)


@pytest.mark.parametrize(("host", "sender"), [("127.0.0.1", "card@example.edu.cn"), ("", "")])
def test_a_mail_server_on_this_machine_or_none_at_all_is_a_valid_answer(production, host, sender):
    production.EMAIL_HOST, production.EMAIL_SECURITY, production.DEFAULT_FROM_EMAIL = host, "none", sender

    assert not found(checks.check_surroundings)


def test_no_proxy_at_all_is_a_valid_answer(production):
    production.TRUSTED_PROXY_HOPS = 0

    assert not found(checks.check_surroundings)


@pytest.mark.django_db
@pytest.mark.parametrize(("setting", "error"), [("synchronous_commit", "ecard.E021")])
def test_a_server_that_may_lose_commits_is_refused(setting, error):
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL {setting} = off")

    assert {found.id for found in checks.check_database(None, databases=["default"])} == {error}


@pytest.mark.django_db
def test_the_database_of_this_run_is_safe():
    assert checks.check_database(None, databases=["default"]) == []


@pytest.mark.django_db(transaction=True)
def test_the_owner_of_the_tables_is_refused_as_the_application():
    from ecard.database import as_owner

    with as_owner():
        errors = {error.id for error in checks.check_database(None, databases=["default"])}

    assert errors == {"ecard.E024"}


@pytest.mark.django_db
def test_a_server_started_with_unsafe_settings_stops_with_the_names_of_the_errors(settings):
    settings.INDEX_KEY = b""

    with pytest.raises(ImproperlyConfigured, match=r"ecard\.E001 INDEX_KEY is missing"):
        checks.refuse_unsafe_settings()


def test_a_ring_keeps_its_order():
    assert list(env.key_ring("RING", f"2:{LONG.hex()}, 1:{LONG.hex()}")) == [2, 1]


@pytest.mark.parametrize("text", ["1", "x:00", "1:0", "1:zz", "1:00,1:11", "-1:00"])
def test_a_ring_of_another_form_is_refused(text):
    with pytest.raises(ImproperlyConfigured, match="RING"):
        env.key_ring("RING", text)


def test_a_database_url_may_name_several_hosts_and_any_option():
    made = env.database(
        "X", "postgresql://u:p@a,b/ecard?target_session_attrs=read-write", limits={"lock_timeout": "2s"}
    )

    assert (made["HOST"], made["USER"], made["PASSWORD"], made["NAME"]) == ("a,b", "u", "p", "ecard")
    assert made["OPTIONS"] == {"target_session_attrs": "read-write", "options": "-c lock_timeout=2s"}


@pytest.mark.parametrize("url", ["", "mysql://x/y", "postgresql://host"])
def test_what_is_no_database_url_is_refused(url):
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        env.database("DATABASE_URL", url, limits={})
