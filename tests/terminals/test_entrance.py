"""The short way in answers as the long one does, and leaves to it whatever is not plain."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory

from terminals.api.entrance import Entrance
from terminals.messages import signing, strictjson
from terminals.messages.signing import Request
from terminals.urls import urlpatterns
from tests.terminals.conftest import HOST, PREFIX, ShortWay
from tests.terminals.test_door import HEARTBEAT

pytestmark = pytest.mark.django_db(transaction=True)


def ask(application, environ):
    told = []
    body = b"".join(application(environ, lambda status, headers, exc=None: told.extend((status, headers))))
    return int(told[0].split()[0]), dict(told[1]), body


@pytest.fixture
def signed(box):
    """Makes the environ of a heartbeat, signed anew each time, with anything about it changed."""

    def make(body=None, call="heartbeat", host=HOST, method="POST", target=None, **changed):
        body = strictjson.dumps(HEARTBEAT) if body is None else body
        path = PREFIX + call
        message = Request(method, host, target or path, body)
        header = signing.sign_request(box.keys, message, box.stamp())
        environ = (
            RequestFactory()
            .generic(method, path, body, content_type="application/json", HTTP_AUTHORIZATION=header)
            .environ
        )
        environ |= {"HTTP_HOST": host, "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.input": BytesIO(body), **changed}
        return {name: value for name, value in environ.items() if value is not None}

    return make


@pytest.fixture
def ways():
    """(the application with its entrance, the site alone, what reached the site through the entrance)."""
    site, reached = WSGIHandler(), []

    def noted(environ, start_response):
        reached.append(environ["PATH_INFO"])
        return site(environ, start_response)

    return Entrance(noted, prefix=PREFIX, patterns=urlpatterns), site, reached


def test_a_plain_message_goes_the_short_way_and_gets_the_same_answer(signed, ways):
    short, long, reached = ways

    one, other = ask(short, signed()), ask(long, signed())

    assert reached == []
    assert one[0] == other[0] == 200
    assert one[2] == other[2]
    for name in ("Content-Type", "Content-Length", "Cache-Control", "X-Content-Type-Options"):
        assert one[1][name] == other[1][name]
    assert signing.RESPONSE_HEADER in one[1]


ODD = {
    "another method": {"method": "PUT"},
    "a query": {"QUERY_STRING": "a=1", "target": PREFIX + "heartbeat?a=1"},
    "a strange name": {"host": "evil.example"},
    "no name": {"HTTP_HOST": None},
    "another type": {"CONTENT_TYPE": "text/plain"},
    "a type with a parameter": {"CONTENT_TYPE": "application/json; charset=utf-8"},
    "compressed": {"HTTP_CONTENT_ENCODING": "gzip"},
    "no length": {"CONTENT_LENGTH": None},
    "a wrong length": {"CONTENT_LENGTH": "-5"},
    "full-width digits": {"CONTENT_LENGTH": "１２"},
    "too long": {"body": b" " * (256 * 1024 + 1)},
    "an unknown call": {"call": "nothing-here"},
    "the unsigned call": {"call": "enrol", "body": b"{}"},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_whatever_is_odd_goes_the_long_way(signed, ways, odd):
    short, long, reached = ways

    one, other = ask(short, signed(**odd)), ask(long, signed(**odd))

    assert len(reached) == 1
    assert one[0] == other[0]
    assert one[2] == other[2]


def test_a_body_that_breaks_off_moves_nothing(signed, ways):
    short, _, reached = ways
    environ = signed()
    environ["wsgi.input"] = BytesIO(environ["wsgi.input"].getvalue()[:-3])

    status, _, body = ask(short, environ)

    assert (status, len(reached)) == (401, 1), body


@pytest.mark.parametrize(
    ("scheme", "forwarded", "status", "reached"),
    [("http", None, 403, 1), ("https", None, 200, 0), ("http", "https", 200, 0), ("http", "http", 403, 1)],
)
def test_plain_http_is_refused_where_https_is_wanted(
    signed, ways, settings, scheme, forwarded, status, reached
):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    short, _, way = ways
    environ = signed(**{"wsgi.url_scheme": scheme, "HTTP_X_FORWARDED_PROTO": forwarded})

    assert (ask(short, environ)[0], len(way)) == (status, reached)


def test_a_wrong_signature_gets_the_same_refusal_either_way(signed, ways):
    short, long, reached = ways
    forged = {"HTTP_AUTHORIZATION": "Bearer nothing"}

    one, other = ask(short, signed(**forged)), ask(long, signed(**forged))

    assert (one[0], one[2], reached) == (401, other[2], [])


def test_names_that_were_taken_once_do_not_pile_up(settings, ways):
    settings.ALLOWED_HOSTS = [".example.edu"]
    short, *_ = ways

    for number in range(50):
        assert short._is_our_name(f"card{number}.example.edu")

    assert len(short._hosts) == 4


def test_the_tests_of_this_room_go_the_short_way(box):
    before = ShortWay.went_short

    assert box.heartbeat().status == 200

    assert ShortWay.went_short == before + 1
