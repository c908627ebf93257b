"""Machines and people come in by different doors; health and figures answer to whom they should."""

from __future__ import annotations

import logging

import pytest
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import path

from ecard import middleware, urls, views


def crash(request):
    raise RuntimeError("planted")


def busy(request):
    raise OperationalError("canceling statement due to lock timeout")


def touch_session(request):
    return HttpResponse("session" if hasattr(request, "session") else "none")


urlpatterns = [
    path("api/terminal/v1/crash", crash),
    path("api/terminal/v1/session", touch_session),
    path("session", touch_session),
    path("busy", busy),
    *urls.urlpatterns,
]
handler500 = views.server_error


@pytest.fixture
def planted_urls(settings):
    settings.ROOT_URLCONF = __name__


@pytest.mark.django_db
def test_health_is_200_while_the_database_takes_writes(client):
    answer = client.get("/healthz")

    assert answer.status_code == 200
    assert (answer.json()["ok"], answer.json()["database"]) == (True, "writable")


def test_health_is_503_while_the_database_is_away(client, monkeypatch):
    def cursor():
        raise OperationalError("planted")

    monkeypatch.setattr(views.connection, "cursor", cursor)

    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()["ok"]) == (503, False)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "10.0.0.7"}, 403),
        ({"REMOTE_ADDR": ""}, 403),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 403),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer right"}, 200),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer wrong"}, 403),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer "}, 403),
    ],
)
def test_figures_are_for_this_machine_or_the_token(client, settings, headers, status):
    settings.METRICS_TOKEN = "right"

    assert client.get("/metrics", **headers).status_code == status


def test_an_empty_token_opens_nothing(client, settings):
    settings.METRICS_TOKEN = ""

    answer = client.get("/metrics", REMOTE_ADDR="10.0.0.7", HTTP_AUTHORIZATION="Bearer ")

    assert answer.status_code == 403


def test_a_terminal_passes_no_session_and_a_person_does(client, planted_urls):
    assert client.get("/api/terminal/v1/session").content == b"none"
    assert client.get("/session").content == b"session"


def test_a_terminal_needs_no_csrf_token(client, planted_urls):
    client.handler.enforce_csrf_checks = True

    assert client.post("/api/terminal/v1/session").status_code == 200
    assert client.post("/session").status_code == 403


def test_an_unknown_machine_path_is_a_404_in_json(client):
    answer = client.get("/api/terminal/v1/nothing-here")

    assert (answer.status_code, answer.json()) == (404, {"error": "not_found"})


def test_a_crash_answers_a_machine_in_json(client, planted_urls, caplog):
    client.raise_request_exception = False

    with caplog.at_level(logging.CRITICAL):
        answer = client.get("/api/terminal/v1/crash")

    assert (answer.status_code, answer.json()) == (500, {"error": "server_error"})


def test_a_busy_database_tells_people_to_send_the_same_form_again(client, planted_urls):
    """C2, C3: never a 500; whoever waited too long for somebody else's lock is told what to do."""
    answer = client.post("/busy")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
    assert "同一张表单只办一次" in answer.content.decode()
    told = client.post("/busy", headers={"Accept": "application/json"})
    assert (told.status_code, told.json()) == (503, {"error": "busy"})


def test_plain_http_is_refused_and_never_redirected_for_machines(settings, planted_urls):
    settings.SECURE_SSL_REDIRECT = True
    door = middleware.MachineDoor(SessionMiddleware(lambda request: HttpResponse()))

    assert door(RequestFactory().get("/api/terminal/v1/session")).status_code == 403
    assert door(RequestFactory().get("/api/terminal/v1/session", secure=True)).status_code == 200


@pytest.mark.parametrize("address", ["/admin/login/"])
@pytest.mark.django_db
def test_a_page_carries_the_strict_policy(client, address):
    headers = client.get(address).headers

    policy = headers["Content-Security-Policy"]
    for rule in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
