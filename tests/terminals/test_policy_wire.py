"""The policy on the wire: tills and server that do not know the same numbers still understand each other."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from purse.policy import Policy
from terminals.messages.strictjson import WireError, dumps, loads
from terminals.messages.upkeep import HeartbeatAnswer, parse_policy, policy_to_json

USUAL = Policy()
OTHER = replace(
    USUAL,
    sale_max_fen=USUAL.sale_max_fen + 1,
    hotlist_dead=timedelta(days=9),
    claim_at_till=not USUAL.claim_at_till,
)


def told(policy=OTHER):
    return loads(dumps(policy_to_json(policy)))


def test_every_number_comes_over_as_it_was_sent():
    assert parse_policy(told()) == OTHER


@pytest.mark.parametrize("name", sorted(policy_to_json(USUAL)))
def test_a_number_that_an_older_server_does_not_send_takes_its_usual_value(name):
    message = told()
    del message[name]

    field = name if name in {item.name for item in fields(Policy)} else name.removesuffix("_s")
    assert parse_policy(message) == replace(OTHER, **{field: getattr(USUAL, field)})


@pytest.mark.parametrize("value", [1, True, "text", None, [1], {"a": 1}])
def test_a_number_that_only_a_newer_server_knows_is_left_alone(value):
    answer = HeartbeatAnswer(1, 1, may_sell_offline=True, policy=OTHER).to_json()
    answer["policy"]["of_tomorrow"] = value

    assert HeartbeatAnswer.parse(answer).policy == OTHER


@pytest.mark.parametrize("name", sorted(policy_to_json(USUAL)))
@pytest.mark.parametrize("value", [None, "1", -1, 2**40, [], 1.5])
def test_what_is_there_must_have_its_shape(name, value):
    with pytest.raises(WireError) as caught:
        parse_policy({**told(), name: value})
    assert caught.value.field == name


@pytest.mark.parametrize("data", [None, [], 1, "policy"])
def test_something_else_is_no_policy(data):
    with pytest.raises(WireError):
        parse_policy(data)


def test_nothing_but_the_policy_is_lenient():
    answer = HeartbeatAnswer(1, 1, may_sell_offline=True, policy=OTHER).to_json()

    with pytest.raises(WireError):
        HeartbeatAnswer.parse({**answer, "of_tomorrow": 1})
    del answer["hotlist_version"]
    with pytest.raises(WireError):
        HeartbeatAnswer.parse(answer)
