"""A code becomes a terminal once: 128 bit, 24 h, stored hashed, second use refused + alarm (security.md section 5)."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounts.models import AuditEvent
from purse.keys import OFFLINE_TILL, ONLINE_TILL, KeyBundle, Role
from purse.policy import Policy
from terminals.messages.signing import TerminalKeys
from terminals.models import EnrolmentCode, SecurityEvent, SecurityEventKind, Terminal
from terminals.services import enrolment, rights
from tests.campus import KEYS, make_campus
from tests.terminals.conftest import ACTOR, KEYRING, PREFIX, enrol, make_box

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def issued(server):
    campus, merchant = make_campus()
    wanted = enrolment.NewTerminal("二餐厅 1 号机", "till", campus.pk, merchant.pk, may_sell_offline=True)
    return enrolment.register(wanted, actor=ACTOR, now=server.now)


def ask(code):
    return Client().post(PREFIX + "enrol", {"code": code}, content_type="application/json")


def alarms(kind):
    return SecurityEvent.objects.filter(kind=kind).count()


def test_a_code_gives_identity_keys_and_policy(server, issued):
    answer = enrol(server, issued.code)

    assert (answer.terminal, answer.epoch, answer.kind) == (issued.terminal, 1, "till")
    assert (answer.name_zh, answer.campus, answer.merchant) == ("二餐厅 1 号机", "laoshan", "示范一餐厅")
    assert TerminalKeys.from_secret(bytes.fromhex(answer.secret)) == KEYRING.current(issued.terminal, 1)
    assert answer.bundle == KEYS.only(OFFLINE_TILL)
    assert answer.policy == Policy()
    assert answer.server_ms == server.now_ms


def test_the_code_itself_is_stored_nowhere(server, issued):
    digits = issued.code.replace("-", "")

    assert len(bytes.fromhex(digits)) * 8 == 128
    assert issued.code not in repr(issued)
    stored = EnrolmentCode.objects.get()
    assert bytes(stored.code_hash) != bytes.fromhex(digits)
    assert digits not in json.dumps(list(AuditEvent.objects.values()), default=str)


def test_a_code_may_be_typed_without_dashes_and_in_capitals(server, issued):
    assert ask(issued.code.replace("-", "").upper()).status_code == 200


def test_a_second_use_is_refused_and_raises_an_alarm(server, issued):
    enrol(server, issued.code)

    again = ask(issued.code)

    assert (again.status_code, again.json()["error"], again.json()["retry"]) == (403, "code_refused", False)
    assert "secret" not in again.json()
    assert alarms(SecurityEventKind.CODE_REUSED) == 1
    assert Terminal.objects.get().epoch == 1


@pytest.mark.parametrize(
    ("after", "status"), [(timedelta(hours=24, seconds=-1), 200), (timedelta(hours=24), 403)]
)
def test_a_code_is_good_for_a_day(server, issued, after, status):
    server.now += after

    assert ask(issued.code).status_code == status
    assert alarms(SecurityEventKind.CODE_EXPIRED) == (status == 403)


def test_a_new_code_withdraws_the_one_before(server, issued):
    newer = enrolment.issue_code(issued.terminal, actor=ACTOR, now=server.now)

    assert ask(issued.code).status_code == 403
    assert ask(newer.code).status_code == 200


def test_of_two_machines_that_type_the_same_code_one_becomes_the_terminal(server, issued):
    found, start = [], threading.Barrier(4)

    def race():
        start.wait()
        try:
            found.append(ask(issued.code).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == [200, 403, 403, 403]
    assert Terminal.objects.get().epoch == 1


def test_a_revoked_terminal_is_never_enrolled_again(server, issued):
    newer = enrolment.issue_code(issued.terminal, actor=ACTOR, now=server.now)
    enrolment.revoke(issued.terminal, actor=ACTOR, now=server.now, reason="报废")

    assert ask(newer.code).status_code == 403
    with pytest.raises(enrolment.AlreadyRevoked):
        enrolment.issue_code(issued.terminal, actor=ACTOR, now=server.now)


def test_each_deed_stands_in_the_audit(server, issued):
    enrolment.issue_code(issued.terminal, actor=ACTOR, now=server.now)
    enrolment.revoke(issued.terminal, actor=ACTOR, now=server.now, reason="被盗")

    deeds = AuditEvent.objects.order_by("id").values_list("action", "reason")
    assert list(deeds) == [
        ("terminal.register", ""),
        ("terminal.issue_code", ""),
        ("terminal.revoke", "被盗"),
    ]


@pytest.mark.parametrize(
    ("kind", "offline", "roles"),
    [
        ("till", False, ONLINE_TILL),
        ("till", True, OFFLINE_TILL),
        ("desk", False, {Role.READ, Role.SPEND, Role.LOAD, Role.CENTER}),
        ("kiosk", False, {Role.READ, Role.SPEND, Role.LOAD}),
        ("query_kiosk", False, {Role.READ}),
        ("door", False, {Role.READ}),
    ],
)
def test_each_kind_is_given_the_card_keys_it_needs_and_no_other(kind, offline, roles):
    bundle = rights.card_keys(kind, may_sell_offline=offline, every_key=KEYS)

    assert set(bundle.keys) == set(roles)
    assert KeyBundle.from_json(bundle.to_json()) == bundle


def test_only_tills_have_a_merchant_and_sell_offline(server):
    campus, merchant = make_campus()
    for wrong in (
        enrolment.NewTerminal("甲", "till", campus.pk),
        enrolment.NewTerminal("乙", "desk", campus.pk, merchant.pk),
        enrolment.NewTerminal("丙", "door", campus.pk, may_sell_offline=True),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            enrolment.register.__wrapped__(wrong, actor=ACTOR, now=server.now)


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_the_commands_enrol_and_revoke_a_terminal(server):
    campus, merchant = make_campus()
    told = json.loads(
        run(
            "enrol_terminal",
            "--name",
            "三号机",
            "--campus",
            campus.code,
            "--merchant",
            str(merchant.pk),
            "--json",
        )
    )
    server.now = EnrolmentCode.objects.get().issued_at
    assert enrol(server, told["code"]).terminal == told["terminal"]

    again = run("enrol_terminal", "--terminal", str(told["terminal"]))
    assert f"terminal {told['terminal']}" in again
    assert json.loads(run("revoke_terminal", str(told["terminal"]), "--reason", "停用", "--json")) == {
        "terminal": told["terminal"],
        "revoked": True,
        "changed": True,
    }
    assert "was revoked already" in run("revoke_terminal", str(told["terminal"]), "--reason", "停用")


@pytest.mark.parametrize(
    "arguments",
    [
        ["enrol_terminal"],
        ["enrol_terminal", "--name", "x", "--campus", "nowhere", "--merchant", "1"],
        ["enrol_terminal", "--name", "x", "--campus", "laoshan"],
        ["enrol_terminal", "--name", "x", "--campus", "laoshan", "--kind", "desk", "--merchant", "1"],
        ["enrol_terminal", "--name", "x", "--campus", "laoshan", "--merchant", "99999"],
        ["enrol_terminal", "--name", "x", "--campus", "laoshan", "--kind", "desk", "--offline"],
        ["enrol_terminal", "--terminal", "99999"],
        ["revoke_terminal", "99999", "--reason", "x"],
    ],
)
def test_a_command_that_cannot_be_done_says_why(server, arguments):
    make_campus()

    with pytest.raises(CommandError):
        run(*arguments)


def test_the_secret_shows_in_no_repr(server):
    box = make_box(server)

    assert box.enrolled.secret not in repr(box.enrolled)
    assert "t" * 32 not in repr(KEYRING)
