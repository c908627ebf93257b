"""The university's numbers: each has words and bounds and begins at its moment; two people set those of money."""

from __future__ import annotations

import threading
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import translation

from accounts import policies, wiring
from accounts.actors import Actor
from accounts.models import AuditEvent, Operator, PolicyChange, PolicyWithdrawal, RequestNeeds
from accounts.options import Options
from accounts.policies import Book, Change
from accounts.services import approvals, policy
from accounts.services.operators import Hand
from accounts.services.policy import NewValue, NotSet, Why
from accounts.termlist import GROUPS, TERMS, contradiction
from accounts.terms import BadValue, Unit
from purse.policy import Policy
from tests import faults
from transactions.days import SHANGHAI

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=SHANGHAI)
DECEMBER = datetime(2026, 12, 1, tzinfo=SHANGHAI)
ADMIN = Actor.operator(9, role="admin", channel="counter")
EVERY = [item.name for kind in (Policy, Options) for item in fields(kind)]


@pytest.fixture(autouse=True)
def fresh():
    wiring.forget_policy()
    yield
    wiring.forget_policy()


@pytest.fixture
def staff(db):
    admin = Operator.objects.create_user("admin", role="admin")
    chief = Operator.objects.create_user("chief", role="supervisor")
    return SimpleNamespace(admin=admin, chief=chief)


def hand(person, now=NOW) -> Hand:
    return Hand(person.pk, "192.0.2.1", now)


def wanted(name="bank_name_zh", value="校园银行", at=DECEMBER, **more) -> NewValue:
    return NewValue(
        **{"key": uuid4(), "name": name, "value": value, "effective_at": at, "reason": "校长办公会"} | more
    )


def put(new: NewValue, *, now=NOW) -> int:
    """One of those that one person sets."""
    return policy.set_value(new, shown=policy.preview(new, now=now).digest, actor=ADMIN, now=now)


def ask(staff, new: NewValue):
    order = approvals.Ask(new.key, policy.KIND, new.content(), new.reason, needs=RequestNeeds.CHIEF)
    return approvals.propose(order, hand=hand(staff.admin), now=NOW, policy=Policy())


def agreed(staff, new: NewValue) -> int:
    request = ask(staff, new)
    approvals.agree(request.pk, bytes(request.content_hash), hand=hand(staff.chief), now=NOW, policy=Policy())
    return request.pk


def put_by_two(staff, new: NewValue) -> int:
    actor = Actor.operator(staff.admin.pk, role="admin", channel="counter")
    return policy.set_value(new, shown=None, actor=actor, now=NOW, request_id=agreed(staff, new))


def raw(name: str, value, at: datetime, *, set_at=NOW) -> int:
    """A row without the rules of the service."""
    return PolicyChange.objects.create(
        key=uuid4(), name=name, value=value, effective_at=at, set_at=set_at, set_by="operator:1", reason="x"
    ).pk


def refused(why: Why, deed, *args, **kwargs) -> NotSet:
    with pytest.raises(NotSet) as caught, transaction.atomic():
        deed(*args, **kwargs)
    assert caught.value.why is why
    return caught.value


# ------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize("name", EVERY)
def test_every_number_and_word_has_a_name_a_help_bounds_and_a_chapter_in_both_languages(name):
    term, usual = TERMS[name], policies.usual(name)

    for language in ("zh-hans", "en"):
        with translation.override(language):
            assert str(term.label)
            assert str(term.help)
            assert str(GROUPS[term.group])
            assert term.shown(usual)
    with translation.override("en"):
        assert not any(
            "\u4e00" <= letter <= "\u9fff" for letter in f"{term.label}{term.help}{GROUPS[term.group]}"
        )
    term.check(usual)
    assert term.parse(term.typed(usual)) == usual


def test_there_is_no_term_without_a_field_and_the_usual_values_go_together():
    assert set(TERMS) == set(EVERY)
    assert contradiction(policies.composed({})) is None


BOUNDED = [name for name in EVERY if TERMS[name].unit not in (Unit.FLAG, Unit.TEXT)]


@pytest.mark.parametrize("name", BOUNDED)
def test_a_value_at_either_bound_is_taken_and_one_beyond_is_not(name):
    """Both sides of both bounds, in the value's own step."""
    term = TERMS[name]
    duration = isinstance(policies.usual(name), timedelta)
    cases = [(term.least, True), (term.most, True), (term.least - 1, False), (term.most + 1, False)]
    for number, fits in cases:
        value = timedelta(seconds=number) if duration else number
        if fits:
            term.check(value)
            assert term.parse(term.typed(value)) == value
        else:
            with pytest.raises(BadValue):
                term.check(value)
    faults.report("POLICY-BOUND", len(cases), 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "abc",
        "-1",
        "+5",
        "1e2",
        "1_0",
        "1.234",
        "1,000.00",
        "٣",
        "0x10",
        "NaN",
        "9" * 7,
        "9" * 60,
        "50元",
        "\x00",
    ],
)
@pytest.mark.parametrize(
    "name", ["default_limit_fen", "levelling_silence", "offline_in_a_row", "hold_back_days"]
)
def test_what_is_no_number_is_refused_with_words(name, text):
    with pytest.raises(BadValue) as caught:
        TERMS[name].parse(text)
    assert str(caught.value)


@pytest.mark.parametrize("text", ["", "true", "是", "YES", "1"])
def test_a_yes_is_a_yes(text):
    with pytest.raises(BadValue):
        TERMS["claim_at_till"].parse(text)


@pytest.mark.parametrize("text", ["", "银" * 21, "中国\u200b银行", "a\nb"])
def test_a_name_is_a_name(text):
    with pytest.raises(BadValue):
        TERMS["bank_name_zh"].parse(text)


# -------------------------------------------------------------------------------------------- the moment


@pytest.mark.parametrize(
    ("moment", "fen"),
    [
        (DECEMBER - timedelta(microseconds=1), 50_00),
        (DECEMBER, 80_00),
        (DECEMBER + timedelta(days=365), 80_00),
    ],
)
def test_a_value_holds_from_its_very_moment_on(moment, fen):
    """A02: 自 12-01 00:00 起 50.00 → 80.00."""
    book = Book([Change(1, "default_limit_fen", 80_00, DECEMBER)])

    assert book.at(moment).policy.default_limit_fen == fen
    assert book.at(moment).since <= moment < book.at(moment).until


def test_of_two_values_of_one_moment_the_one_set_last_holds_and_a_later_moment_goes_before_both():
    later = DECEMBER + timedelta(days=1)
    book = Book(
        [
            Change(7, "double_tap", timedelta(seconds=1), later),
            Change(9, "double_tap", timedelta(seconds=3), DECEMBER),
            Change(8, "double_tap", timedelta(seconds=2), DECEMBER),
        ]
    )

    assert book.at(DECEMBER).policy.double_tap == timedelta(seconds=3)
    assert book.at(later).policy.double_tap == timedelta(seconds=1)
    assert [span.since for span in book.from_on(NOW)][1:] == [DECEMBER, later]


def test_what_was_right_under_an_earlier_bound_stays_right():
    """verify: a book of 900.00 and a load of 500.00 are no fault after the bounds were drawn tighter."""
    book = Book(
        [
            Change(1, "max_book_fen", 2_000_00, NOW - timedelta(days=20)),
            Change(2, "max_book_fen", 500_00, NOW - timedelta(days=10)),
            Change(3, "load_min_fen", 10_00, NOW - timedelta(days=10)),
            Change(4, "levelling_silence", timedelta(days=2), NOW - timedelta(days=9)),
            Change(5, "levelling_silence", timedelta(days=9), NOW - timedelta(days=8)),
            Change(6, "load_max_fen", 900_00, NOW + timedelta(days=1)),
        ]
    )

    widest = book.widest(until=NOW)

    assert (widest.max_book_fen, widest.load_min_fen, widest.load_max_fen) == (2_000_00, 1_00, 500_00)
    assert widest.levelling_silence == timedelta(days=2)
    assert book.at(NOW).policy.max_book_fen == 500_00


def test_a_value_that_this_version_does_not_know_is_left_alone(db):
    raw("of_tomorrow", 1, DECEMBER)
    raw("default_limit_fen", "80.00", DECEMBER)
    raw("double_tap", 5, DECEMBER)

    at = policies.read().at(DECEMBER)

    assert at.policy == replace(Policy(), double_tap=timedelta(seconds=5))
    assert at.options == Options()


# ---------------------------------------------------------------------------------------------- setting


def test_one_person_sets_a_word_and_the_audit_says_what_was_before(db):
    new = wanted()
    seen = policy.preview(new, now=NOW)
    change_id = put(new)

    assert (seen.before, seen.after, seen.two, seen.until) == ("中国银行", "校园银行", False, None)
    told = policies.change(change_id)
    assert (told.set_by, told.agreed_by, told.effective_at) == ("operator:9", "", DECEMBER)
    line = AuditEvent.objects.get(action="policy.set")
    assert (line.object_id, line.before["value"], line.after["value"]) == (
        "bank_name_zh",
        "中国银行",
        "校园银行",
    )
    assert line.reason == "校长办公会"


def test_a_double_click_sets_it_once(db):
    new = wanted()
    seen = policy.preview(new, now=NOW).digest

    first = policy.set_value(new, shown=seen, actor=ADMIN, now=NOW)
    again = policy.set_value(new, shown=seen, actor=ADMIN, now=NOW + timedelta(seconds=1))

    assert first == again
    assert PolicyChange.objects.count() == 1
    refused(Why.KEY_REUSED, policy.set_value, replace(new, value="他行"), shown=seen, actor=ADMIN, now=NOW)


@pytest.mark.parametrize(("ahead_s", "taken"), [(10, True), (9.999, False), (0, False), (-86400, False)])
def test_nothing_begins_without_notice_or_in_the_past(db, ahead_s, taken):
    new = wanted(at=NOW + timedelta(seconds=ahead_s))

    if taken:
        put(new)
    else:
        refused(Why.TOO_SOON, put, new)


def test_refusals_write_nothing(db):
    refused(Why.UNKNOWN, put, wanted("no_such_number", 1))
    refused(Why.NOT_IN_BOUNDS, put, wanted("retap", timedelta(seconds=2)))
    refused(Why.NO_REASON, put, wanted(reason="  "))
    refused(Why.NO_CHANGE, put, wanted(value="中国银行"))
    refused(Why.CHANGED, policy.set_value, wanted(), shown=b"\0" * 32, actor=ADMIN, now=NOW)
    refused(Why.SECOND_PERSON, put, wanted("default_limit_fen", 80_00))

    assert not PolicyChange.objects.exists()
    assert not AuditEvent.objects.filter(action__startswith="policy").exists()
    faults.report("POLICY-REFUSED", 6, PolicyChange.objects.count())


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("default_limit_fen", 600_00, True), ("load_min_fen", 100_00, True), ("max_book_fen", 500_00, True),
        ("max_book_fen", 499_99, False), ("load_max_fen", 1_000_00, True), ("max_limit_fen", 50_00, True),
        ("offline_sale_max_fen", 50_00, True), ("offline_sale_max_fen", 50_01, False),
        ("offline_stale_sale_max_fen", 20_00, True), ("offline_stale_sale_max_fen", 20_01, False),
        ("hotlist_stale", timedelta(days=5), True), ("refund_alone_max_fen", 200_00, True),
        ("refund_alone_max_fen", 200_01, False), ("clerk_alone_max_fen", 50_01, False),
        ("cash_top_up_max_fen", 1_000_00, True), ("cash_top_up_max_fen", 1_000_01, False),
        ("sale_max_fen", 19_99, False),
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_together_are_refused(db, name, value, fits):
    if fits:
        assert policy.preview(wanted(name, value), now=NOW).after == value
    else:
        assert str(refused(Why.CONTRADICTION, policy.preview, wanted(name, value), now=NOW).detail)


def test_a_value_is_judged_beside_those_that_begin_after_it(staff):
    """Raising one bound today under another that falls in January would end in nonsense then."""
    january = DECEMBER + timedelta(days=31)
    put_by_two(staff, wanted("offline_day_max_fen", 30_00, at=january))

    refused(Why.CONTRADICTION, policy.preview, wanted("offline_sale_max_fen", 40_00), now=NOW)
    assert policy.preview(wanted("offline_sale_max_fen", 30_00), now=NOW).after == 30_00


def test_the_preview_names_the_value_that_ends_it(db):
    later = put(wanted(value="丁银行", at=DECEMBER + timedelta(days=9)))

    assert policy.preview(wanted(), now=NOW).until.id == later


# ------------------------------------------------------------------------------------------ two people


def test_a_number_about_money_takes_an_administrator_and_a_supervisor_of_all_campuses(staff):
    new = wanted("default_limit_fen", 80_00)
    change_id = put_by_two(staff, new)

    told = policies.change(change_id)
    assert (told.set_by, told.agreed_by) == (f"operator:{staff.admin.pk}", f"operator:{staff.chief.pk}")
    assert policies.read().at(DECEMBER).policy.default_limit_fen == 80_00


def test_nobody_agrees_with_himself(staff):
    request = ask(staff, wanted("default_limit_fen", 80_00))

    with pytest.raises(approvals.NotApproved):
        approvals.agree(
            request.pk, bytes(request.content_hash), hand=hand(staff.admin), now=NOW, policy=Policy()
        )


@pytest.mark.parametrize(
    "other", [{"value": 90_00}, {"effective_at": DECEMBER + timedelta(days=1)}, {"reason": "别的"}]
)
def test_another_number_than_was_agreed_to_is_not_set(staff, other):
    new = wanted("default_limit_fen", 80_00)
    request_id = agreed(staff, new)

    with pytest.raises(approvals.NotApproved), transaction.atomic():
        policy.set_value(replace(new, **other), shown=None, actor=ADMIN, now=NOW, request_id=request_id)
    assert not PolicyChange.objects.exists()


def test_an_agreement_that_comes_after_the_moment_sets_nothing(staff):
    new = wanted("default_limit_fen", 80_00, at=NOW + timedelta(hours=1))
    request_id = agreed(staff, new)

    refused(
        Why.TOO_SOON,
        policy.set_value,
        new,
        shown=None,
        actor=ADMIN,
        now=NOW + timedelta(hours=1),
        request_id=request_id,
    )


def test_the_content_of_a_request_comes_back_as_the_value_it_was(staff):
    for name in TERMS:
        new = wanted(name, policies.usual(name))
        assert NewValue.from_content(new.key, new.content()) == replace(
            new, effective_at=DECEMBER.astimezone(UTC)
        )


# ------------------------------------------------------------------------------------------- calling off


def test_a_value_that_has_not_begun_is_called_off_and_the_old_one_goes_on(db):
    change_id = put(wanted())
    for _ in range(2):
        policy.call_off(change_id, "改期", actor=ADMIN, now=NOW)

    told = policies.change(change_id)
    assert (told.withdrawn_by, told.withdrawn_reason) == ("operator:9", "改期")
    assert policies.read().at(DECEMBER).options.bank_name_zh == "中国银行"
    assert AuditEvent.objects.filter(action="policy.call_off").count() == 1


@pytest.mark.parametrize(("before_s", "taken"), [(10, True), (9.999, False), (0, False), (-1, False)])
def test_what_has_begun_stays(db, before_s, taken):
    change_id = put(wanted())
    at = DECEMBER - timedelta(seconds=before_s)

    if taken:
        policy.call_off(change_id, "改期", actor=ADMIN, now=at)
    else:
        refused(Why.BEGUN, policy.call_off, change_id, "改期", actor=ADMIN, now=at)


def test_calling_off_needs_a_reason_and_leaves_no_nonsense(staff):
    put_by_two(staff, raise_day := wanted("offline_day_max_fen", 80_00))
    put_by_two(staff, wanted("offline_sale_max_fen", 70_00))
    change_id = PolicyChange.objects.get(key=raise_day.key).pk

    refused(Why.NO_REASON, policy.call_off, change_id, " ", actor=ADMIN, now=NOW)
    refused(Why.CONTRADICTION, policy.call_off, change_id, "改期", actor=ADMIN, now=NOW)
    refused(Why.UNKNOWN, policy.call_off, 999_999, "改期", actor=ADMIN, now=NOW)


# --------------------------------------------------------------------------------------- the database too


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE accounts_policychange SET value = '1'",
        "DELETE FROM accounts_policychange",
        "TRUNCATE accounts_policychange CASCADE",
        "UPDATE accounts_policywithdrawal SET reason = 'y'",
        "DELETE FROM accounts_policywithdrawal",
    ],
)
def test_the_history_is_not_rewritten(db, sql):
    policy.call_off(put(wanted()), "改期", actor=ADMIN, now=NOW)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_the_database_refuses_a_beginning_without_notice_and_a_withdrawal_of_what_has_begun(db):
    with pytest.raises(DatabaseError, match="policy_begins_after_notice"), transaction.atomic():
        raw("double_tap", 5, NOW + timedelta(seconds=9))
    with pytest.raises(DatabaseError, match="policy_second_is_another"), transaction.atomic():
        PolicyChange.objects.create(
            key=uuid4(), name="double_tap", value=1, effective_at=DECEMBER, set_at=NOW, set_by="operator:1",
            agreed_by="operator:1", reason="x",
        )  # fmt: skip
    change_id = raw("double_tap", 5, NOW + timedelta(seconds=10))
    with pytest.raises(DatabaseError, match="has begun"), transaction.atomic():
        PolicyWithdrawal.objects.create(
            change_id=change_id,
            withdrawn_at=NOW + timedelta(seconds=1),
            withdrawn_by="operator:1",
            reason="x",
        )


@pytest.mark.django_db(transaction=True)
def test_of_two_who_set_one_value_at_once_the_second_is_shown_what_the_first_did():
    results, start = [], threading.Barrier(2)
    low = wanted("retap", timedelta(seconds=3))
    high = wanted("retap", timedelta(seconds=60))

    def run(new: NewValue) -> None:
        seen = policy.preview(new, now=NOW).digest
        start.wait(10)
        try:
            policy.set_value(new, shown=seen, actor=ADMIN, now=NOW)
            results.append("set")
        except NotSet as problem:
            results.append(problem.why.value)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(new,)) for new in (low, high)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(results) == ["changed", "set"]
    assert PolicyChange.objects.count() == 1
