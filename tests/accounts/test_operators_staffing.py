"""Hiring, moving and dismissing staff (A01, E9, E10, ASVS 2.3.5): two administrators to give rights, one to end."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, connection, transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.actors import Actor, Channel
from accounts.models import AuditEvent, LoginRecord, Operator, OperatorRole, Request, StaffSession
from accounts.services import approvals, operators, sessions, staffing
from accounts.services.approvals import NotApproved, Why
from accounts.services.operators import Hand
from accounts.services.staffing import NewStaff, NotStaffed, Post, Problem
from purse.policy import Policy
from tests import faults
from tests.accounts.conftest import SECRETS
from tests.reconciliation.books import NOW, Book, campus
from tests.reconciliation.desk import operator

POLICY = Policy()
ADMIN, CLERK, SUPERVISOR = OperatorRole.ADMIN, OperatorRole.CLERK, OperatorRole.SUPERVISOR
PASSWORD = "correct horse battery"


def hand(person: Operator, *, age=timedelta(0)) -> Hand:
    return Hand(person.pk, "10.0.0.7", NOW - age)


def agree(request: Request, person: Operator) -> None:
    approvals.agree(request.pk, bytes(request.content_hash), hand=hand(person), now=NOW, policy=POLICY)


def carry_out(request: Request, person: Operator) -> int:
    actor = Actor.operator(person.pk, role=person.role, channel=Channel.COUNTER)
    return staffing.carry_out(request.pk, actor=actor, now=NOW)


def why_not(call) -> Problem | Why:
    """Why not; nothing about anybody was changed."""
    before = list(Operator.objects.order_by("pk").values())
    with pytest.raises((NotStaffed, NotApproved)) as caught:
        call()
    assert list(Operator.objects.order_by("pk").values()) == before
    return caught.value.problem if isinstance(caught.value, NotStaffed) else caught.value.why


def hire(person: Operator, username="zhao", post=None, **fields) -> Request:
    new = NewStaff(username, "赵敏", post or Post(CLERK, "laoshan"), **fields)
    return staffing.propose_new(uuid.uuid4(), new, "新来的同事", hand=hand(person), now=NOW, policy=POLICY)


def move(person: Operator, who: Operator, post: Post) -> Request:
    return staffing.propose_change(
        uuid.uuid4(), who.pk, post, "轮岗", hand=hand(person), now=NOW, policy=POLICY
    )


def give_password(person: Operator, who: Operator) -> str:
    return staffing.give_password(who.pk, hand=hand(person), now=NOW, policy=POLICY, secrets=SECRETS)


def give_authenticator(person: Operator, who: Operator) -> str:
    return staffing.give_authenticator(who.pk, hand=hand(person), now=NOW, policy=POLICY, secrets=SECRETS)


def disable(person: Operator, who: Operator, reason="离岗") -> None:
    staffing.disable(who.pk, reason, hand=hand(person), now=NOW, policy=POLICY)


def sign_in(who: Operator) -> str:
    """A live session of somebody."""
    store = SessionStore()
    store["staff_seen"] = NOW.isoformat()
    store.create()
    sessions.begin(who.pk, store.session_key, place="10.0.0.8", agent="x" * 500, now=NOW)
    return store.session_key


def alive(key: str) -> bool:
    return SessionStore().exists(key)


@pytest.fixture
def an(db):
    return operator("an", ADMIN, None)


@pytest.fixture
def bo(db):
    return operator("bo", ADMIN, None)


@pytest.fixture
def wang(db):
    return operator("wang", CLERK)


class TestGivingRights:
    """A role is granted by two administrators."""

    def test_somebody_new_from_the_question_to_the_first_sign_in(self, an, bo):
        campus("laoshan")
        request = hire(an)
        assert not Operator.objects.filter(username="zhao").exists()
        agree(request, bo)
        zhao = Operator.objects.get(pk=carry_out(request, bo))

        assert (zhao.role, zhao.campus.code, zhao.is_staff, zhao.is_superuser) == (
            "clerk",
            "laoshan",
            False,
            False,
        )
        assert not zhao.has_usable_password()
        given = give_password(an, zhao)
        zhao.refresh_from_db()
        assert zhao.check_password(given)
        assert zhao.must_change_password
        assert give_authenticator(bo, zhao).startswith("otpauth://totp/")
        made = AuditEvent.objects.filter(object_kind="operator", object_id=str(zhao.pk))
        assert list(made.values_list("action", flat=True)) == [
            "operator.make", "operator.give_password", "operator.set_authenticator",
        ]  # fmt: skip

    def test_one_administrator_alone_grants_nothing(self, an, bo, wang):
        request = move(an, wang, Post(SUPERVISOR, "laoshan"))
        assert why_not(lambda: carry_out(request, an)) is Why.NOT_AGREED
        assert why_not(lambda: agree(request, an)) is Why.SAME_PERSON
        agree(request, bo)
        carry_out(request, an)
        wang.refresh_from_db()
        assert wang.role == "supervisor"

    @pytest.mark.parametrize("role", [each for each in OperatorRole if each is not ADMIN])
    def test_nobody_else_does(self, an, bo, wang, role):
        other = operator("other", role)
        assert why_not(lambda: hire(other)) is Why.NOT_ENTITLED
        assert why_not(lambda: move(other, wang, Post(SUPERVISOR, "laoshan"))) is Why.NOT_ENTITLED
        assert why_not(lambda: agree(move(an, wang, Post(SUPERVISOR)), other)) is Why.NOT_ENTITLED
        assert why_not(lambda: disable(other, wang)) is Problem.NOT_ENTITLED
        assert why_not(lambda: give_password(other, wang)) is Problem.NOT_ENTITLED
        assert why_not(lambda: give_authenticator(other, wang)) is Problem.NOT_ENTITLED

    def test_nobody_has_a_say_in_his_own_role(self, an, bo):
        campus("laoshan")
        cai = operator("cai", ADMIN, None)
        assert why_not(lambda: move(an, an, Post(CLERK, "laoshan"))) is Why.ABOUT_ONESELF
        request = move(an, bo, Post(CLERK, "laoshan"))
        assert why_not(lambda: agree(request, bo)) is Why.ABOUT_ONESELF
        agree(request, cai)
        assert why_not(lambda: carry_out(request, bo)) is Why.ABOUT_ONESELF
        assert why_not(lambda: give_password(an, an)) is Problem.ONESELF
        assert why_not(lambda: disable(an, an)) is Problem.ONESELF

    def test_a_move_takes_role_campus_and_back_office_and_ends_sessions(self, an, bo, wang):
        campus("yushan")
        key = sign_in(wang)
        request = move(an, wang, Post(ADMIN, "yushan"))
        agree(request, bo)
        carry_out(request, bo)
        wang.refresh_from_db()
        assert not alive(key)
        told = AuditEvent.objects.get(action="operator.change")
        assert told.before["role"] == "clerk"
        assert told.after["role"] == "admin"
        assert told.reason == "轮岗"

    def test_what_was_agreed_on_rests_on_what_was_there(self, an, bo, wang):
        """L9: between two people somebody else moved him."""
        campus("yushan")
        request = move(an, wang, Post(SUPERVISOR, "laoshan"))
        agree(request, bo)
        other = move(an, wang, Post(CLERK, "yushan"))
        agree(other, bo)
        carry_out(other, bo)
        assert why_not(lambda: carry_out(request, bo)) is Why.CHANGED

    def test_refusals_of_the_question(self, an, wang):
        campus("laoshan")
        assert why_not(lambda: hire(an, username="WANG")) is Problem.NAME_TAKEN
        assert why_not(lambda: hire(an, school_no="20209999999")) is Problem.NO_SUCH_PERSON
        assert why_not(lambda: move(an, wang, Post(CLERK, "laoshan"))) is Problem.NOTHING_NEW
        stale = Hand(an.pk, "10.0.0.7", NOW - POLICY.step_up - timedelta(seconds=1))
        assert (
            why_not(
                lambda: staffing.propose_change(
                    uuid.uuid4(), wang.pk, Post(SUPERVISOR), "x", hand=stale, now=NOW, policy=POLICY
                )
            )
            is Why.CODE_TOO_OLD
        )

    def test_the_name_taken_meanwhile_ends_it(self, an, bo):
        campus("laoshan")
        first, second = hire(an), hire(an)
        for request in (first, second):
            agree(request, bo)
        carry_out(first, bo)
        assert why_not(lambda: carry_out(second, bo)) is Problem.NAME_TAKEN
        assert Operator.objects.filter(username="zhao").count() == 1

    def test_the_own_card_goes_along(self, an, bo):
        campus("laoshan")
        holder = Book.open().account.holder
        request = hire(an, school_no=holder.school_no)
        assert holder.school_no not in request.canonical
        agree(request, bo)
        assert Operator.objects.get(pk=carry_out(request, bo)).holder == holder

    def test_let_in_again_by_two(self, an, bo, wang):
        disable(an, wang)
        request = staffing.propose_enable(
            uuid.uuid4(), wang.pk, "回来了", hand=hand(an), now=NOW, policy=POLICY
        )
        agree(request, bo)
        carry_out(request, bo)
        wang.refresh_from_db()
        assert wang.is_active


class TestTakingRights:
    """Disabling takes one administrator and works at once (E10)."""

    def test_sessions_die_and_the_door_is_shut(self, an, bo, wang):
        key = sign_in(wang)
        other = sign_in(bo)
        disable(an, wang)
        wang.refresh_from_db()
        assert not wang.is_active
        assert (alive(key), alive(other)) == (False, True)
        assert StaffSession.objects.get(session_key=key).ended_at == NOW
        before = AuditEvent.objects.count()
        disable(an, wang)
        assert AuditEvent.objects.count() == before
        assert why_not(lambda: give_password(an, wang)) is Problem.DISABLED
        assert why_not(lambda: disable(an, bo, reason=" ")) is Problem.NO_REASON

    def test_the_last_administrator_stays(self, an, bo, wang):
        disable(an, bo)
        with pytest.raises(DatabaseError) as caught, transaction.atomic():
            Operator.objects.filter(pk=an.pk).update(is_active=False)
        assert caught.value.__cause__.diag.constraint_name == "operator_one_admin_stays"
        with pytest.raises(DatabaseError), transaction.atomic():
            Operator.objects.filter(pk=an.pk).update(role=CLERK)

    def test_whoever_agreed_and_is_no_administrator_any_more_leaves_the_last_one(self, an, bo):
        campus("laoshan")
        cai = operator("cai", ADMIN, None)
        request = move(an, bo, Post(CLERK, "laoshan"))
        agree(request, cai)
        Operator.objects.filter(pk__in=(an.pk, cai.pk)).update(role=CLERK)
        assert why_not(lambda: carry_out(request, an)) is Why.CHECKER_GONE

    def test_nobody_serves_the_other_name_that_he_signs_in_with(self, bo):
        """Else an administrator who is a supervisor too hands himself the second pair of eyes."""
        holder = Book.open().account.holder
        an, other = operator("an", ADMIN, None, holder), operator("an.2", SUPERVISOR, holder=holder)
        for deed in (give_password, give_authenticator, disable):
            assert why_not(lambda deed=deed: deed(an, other)) is Problem.ONESELF
        assert why_not(lambda: move(an, other, Post(CLERK, "laoshan"))) is Why.ABOUT_ONESELF
        assert give_password(bo, other)

    def test_ending_sessions_lets_sign_in_again(self, an, wang):
        keys = [sign_in(wang), sign_in(wang)]
        assert staffing.end_sessions(wang.pk, hand=hand(an), now=NOW, policy=POLICY) == 2
        assert not any(alive(key) for key in keys)
        wang.refresh_from_db()
        assert wang.is_active
        rows = sessions.sessions_of(wang.pk, now=NOW)
        assert [(row.alive, len(row.agent)) for row in rows] == [(False, 200), (False, 200)]


class TestBothFactors:
    """No administrator holds both factors of somebody: else he could sign in as a supervisor and approve himself."""

    def test_whoever_gave_the_password_gives_no_authenticator(self, an, bo, wang):
        give_password(an, wang)
        assert why_not(lambda: give_authenticator(an, wang)) is Problem.BOTH_FACTORS
        give_authenticator(bo, wang)
        assert why_not(lambda: give_password(bo, wang)) is Problem.BOTH_FACTORS
        give_password(an, wang)

    def test_a_password_of_his_own_sets_the_first_one_free(self, an, bo, wang):
        given = give_password(an, wang)
        staffing.change_own_password(
            given, PASSWORD, hand=hand(wang), now=NOW, secrets=SECRETS, session_key=None
        )
        give_authenticator(an, wang)

    def test_a_new_authenticator_kills_the_old_one(self, an, wang):
        wang.set_password(PASSWORD)
        wang.save(update_fields=["password"])
        first = give_authenticator(an, wang)
        second = give_authenticator(an, wang)
        assert first != second
        assert TOTPDevice.objects.filter(user=wang).count() == 1

    def test_given_passwords_are_never_the_same_and_long(self, an, bo, wang):
        given = {give_password(an, wang) for _ in range(3)}
        assert len(given) == 3
        assert all(len(each) == 23 for each in given)


@pytest.mark.django_db(transaction=True)
class TestOwnPassword:
    """Choosing one's own: at least twelve characters, none of the common ones (security.md section 3)."""

    @pytest.fixture
    def zhou(self):
        person = operator("zhou.li", CLERK)
        person.set_password(PASSWORD)
        person.must_change_password = True
        person.save(update_fields=["password", "must_change_password"])
        return person

    def change(self, person, old, new, key=None) -> None:
        staffing.change_own_password(old, new, hand=hand(person), now=NOW, secrets=SECRETS, session_key=key)

    def test_changed_and_the_other_sessions_end(self, zhou):
        here, there = sign_in(zhou), sign_in(zhou)
        self.change(zhou, PASSWORD, "another battery staple", here)
        zhou.refresh_from_db()
        assert zhou.check_password("another battery staple")
        assert not zhou.must_change_password
        assert (alive(here), alive(there)) == (True, False)

    @pytest.mark.parametrize(
        ("new", "problem"),
        [
            ("eleven char", Problem.WEAK_PASSWORD),
            ("twelve chars", None),
            ("qwertyuiop123", Problem.WEAK_PASSWORD),
            ("zhou.li.zhou.li", Problem.WEAK_PASSWORD),
            ("123456789012", Problem.WEAK_PASSWORD),
            (PASSWORD, Problem.SAME_PASSWORD),
            ("正确的马电池订书钉十二个字", None),
        ],
    )
    def test_which_ones_do(self, zhou, new, problem):
        if problem is None:
            self.change(zhou, PASSWORD, new)
        else:
            assert why_not(lambda: self.change(zhou, PASSWORD, new)) is problem

    def test_guessing_the_old_one_is_counted_at_the_door(self, zhou):
        for _ in range(5):
            assert (
                why_not(lambda: self.change(zhou, "wrong", "another battery staple"))
                is Problem.WRONG_PASSWORD
            )
        assert (
            why_not(lambda: self.change(zhou, PASSWORD, "another battery staple")) is Problem.WRONG_PASSWORD
        )
        tried = operators.logins_of("zhou.li", secrets=SECRETS)
        assert [each.succeeded for each in tried] == [False] * 5
        assert LoginRecord.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_disable_each_other_leave_one():
    """Real threads: neither waits for ever, and one stays."""
    rounds, violations = 6, 0
    for number in range(rounds):
        pair = [operator(f"adm{number}{letter}", ADMIN, None) for letter in "ab"]
        Operator.objects.filter(role=ADMIN).exclude(pk__in=[each.pk for each in pair]).update(is_active=False)
        start, came = threading.Barrier(2), []

        def press(mine: Operator, other: Operator, start=start, came=came) -> None:
            try:
                start.wait(5)
                disable(mine, other)
                came.append("done")
            except NotStaffed as refusal:
                came.append(refusal.problem.value)
            finally:
                connection.close()

        threads = [threading.Thread(target=press, args=each) for each in (pair, pair[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        left = Operator.objects.filter(role=ADMIN, is_active=True).count()
        violations += sorted(came) != ["done", "not_entitled"] or left != 1
    faults.report("LAST_ADMIN", rounds, violations)
    assert violations == 0
