"""What takes two people (reliability.md L9, E7): who may ask, who may agree, what is carried out, and how often."""

from __future__ import annotations

import itertools
import threading
import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from accounts import approvals as reads
from accounts.actors import Actor, Channel
from accounts.approvals import RequestState
from accounts.models import AuditEvent, Operator, OperatorRole, Request, RequestResult, RequestRuling
from accounts.services import approvals
from accounts.services.approvals import Ask, NotApproved, Why
from accounts.services.operators import officer
from purse.policy import Policy
from tests import faults
from tests.reconciliation.books import NOW, Book, campus
from tests.reconciliation.desk import hand, operator

POLICY = Policy()
CLERK, CASHIER, SUPERVISOR = OperatorRole.CLERK, OperatorRole.CASHIER, OperatorRole.SUPERVISOR
AUDITOR, ADMIN = OperatorRole.AUDITOR, OperatorRole.ADMIN
CONTENT = {"entry": 7, "fen": 60_00}


def ask(
    person: Operator, *, fen: int = 60_00, account=None, key=None, content=None, now=NOW, **fields
) -> Request:
    wanted = Ask(
        key or uuid.uuid4(), "top_up.void", content or CONTENT, "按错金额",
        account_id=account.pk if account else None, amount_fen=fen, **fields,
    )  # fmt: skip
    return approvals.propose(wanted, hand=hand(person, now=now), now=now, policy=POLICY)


def agree(request: Request, person: Operator, *, now=NOW, age=timedelta(0), digest=None) -> Request:
    digest = digest or bytes(request.content_hash)
    return approvals.agree(request.pk, digest, hand=hand(person, age=age, now=now), now=now, policy=POLICY)


def use(request: Request, person: Operator, *, content=None, now=NOW, kind="top_up.void") -> Request:
    actor = Actor.operator(person.pk, role=person.role, channel=Channel.COUNTER)
    with transaction.atomic():
        return approvals.use(request.pk, kind=kind, content=content or CONTENT, actor=actor, now=now)


def refused(call) -> Why:
    """Why not; and nothing at all was written."""
    tables = (Request, RequestRuling, RequestResult, AuditEvent)
    before = [table.objects.count() for table in tables]
    with pytest.raises(NotApproved) as caught:
        call()
    assert [table.objects.count() for table in tables] == before
    return caught.value.why


def state(request: Request, viewer: Operator, *, now=NOW) -> RequestState | None:
    found = reads.find(request.pk, viewer=officer(viewer.pk), now=now)
    return found.state if found else None


@pytest.fixture
def li(db):
    return operator("li", CASHIER)


@pytest.fixture
def wu(db):
    return operator("wu", SUPERVISOR)


@pytest.fixture
def chief(db):
    return operator("chief", SUPERVISOR, None)


class TestTwoPeople:
    """One asks, another agrees, and it is carried out once."""

    def test_from_the_question_to_the_deed(self, li, wu):
        request = ask(li)
        assert state(request, wu) is RequestState.WAITING
        agree(request, wu)
        assert state(request, wu) is RequestState.AGREED
        use(request, li)

        row = reads.find(request.pk, viewer=officer(li.pk), now=NOW)
        assert (row.state, row.maker, row.checker, row.done_by) == (RequestState.DONE, "Li", "Wu", "Li")
        told = list(AuditEvent.objects.filter(object_kind="request").values_list("action", "actor"))
        assert told == [
            ("request.make", f"operator:{li.pk}"),
            ("request.agree", f"operator:{wu.pk}"),
            ("request.use", f"operator:{li.pk}"),
        ]

    def test_nothing_is_carried_out_without_the_second_person(self, li, wu):
        request = ask(li)
        assert refused(lambda: use(request, li)) is Why.NOT_AGREED
        approvals.refuse(request.pk, "票据不符", hand=hand(wu), now=NOW)
        assert refused(lambda: use(request, li)) is Why.NOT_AGREED
        assert state(request, li) is RequestState.REFUSED

    def test_only_the_same_content_is_carried_out(self, li, wu):
        """L9: content hash approved = content posted."""
        request = ask(li)
        agree(request, wu)
        assert refused(lambda: use(request, li, content=CONTENT | {"fen": 60_01})) is Why.CHANGED
        assert refused(lambda: use(request, li, kind="fee.waive")) is Why.NOT_AGREED
        use(request, li, content=dict(reversed(CONTENT.items())))

    def test_once(self, li, wu):
        request = ask(li)
        agree(request, wu)
        use(request, li)
        assert refused(lambda: use(request, li)) is Why.USED

    def test_the_deed_and_the_use_are_one_transaction(self, li, wu):
        request = ask(li)
        agree(request, wu)
        actor = Actor.operator(li.pk, role="cashier", channel=Channel.COUNTER)

        def deed() -> None:
            with transaction.atomic():
                approvals.use(request.pk, kind="top_up.void", content=CONTENT, actor=actor, now=NOW)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            deed()
        assert state(request, li) is RequestState.AGREED

    def test_agreed_on_another_page_than_the_one_shown(self, li, wu):
        request = ask(li)
        assert refused(lambda: agree(request, wu, digest=b"x" * 32)) is Why.CHANGED

    def test_one_person_with_two_names_is_one_person(self, db):
        """E7: whoever signs in as cashier and as supervisor still has only one pair of eyes."""
        holder = Book.open().account.holder
        cashier, supervisor = (
            operator("li.1", CASHIER, holder=holder),
            operator("li.2", SUPERVISOR, holder=holder),
        )
        request = ask(cashier)
        assert refused(lambda: agree(request, supervisor)) is Why.SAME_PERSON
        assert (
            refused(lambda: approvals.refuse(request.pk, "不", hand=hand(supervisor), now=NOW))
            is Why.SAME_PERSON
        )
        assert refused(lambda: ask(cashier, operator_id=supervisor.pk)) is Why.ABOUT_ONESELF
        about = ask(operator("feng", CLERK), operator_id=cashier.pk)
        assert refused(lambda: agree(about, supervisor)) is Why.ABOUT_ONESELF
        assert reads.waiting_count(officer(supervisor.pk), now=NOW) == 0

    @pytest.mark.parametrize(
        "change", [{"is_active": False}, {"role": CLERK}, {"campus": None}, {"campus": "yushan"}], ids=str
    )
    def test_an_agreement_ends_with_the_right_to_give_it(self, li, wu, change):
        """P5: whoever is let out or moved does not go on signing through what he signed before."""
        request = ask(li)
        agree(request, wu)
        place = (
            {"campus": campus(change["campus"]) if change["campus"] else None} if "campus" in change else {}
        )
        Operator.objects.filter(pk=wu.pk).update(**(change | place))
        if change == {"campus": None}:  # answers for every campus now, this one too
            use(request, li)
            return
        assert refused(lambda: use(request, li)) is Why.CHECKER_GONE
        TestTheDatabaseAgrees.breaks(
            "request_result_of_entitled", lambda: TestTheDatabaseAgrees.end(request, li)
        )
        approvals.withdraw(request.pk, hand=hand(li), now=NOW)

    def test_the_same_form_twice_asks_once(self, li, wu):
        key = uuid.uuid4()
        assert ask(li, key=key).pk == ask(li, key=key).pk
        assert refused(lambda: ask(li, key=key, content={"entry": 8})) is Why.KEY_REUSED
        assert refused(lambda: ask(operator("zhao", CASHIER), key=key)) is Why.KEY_REUSED

    def test_agreeing_twice_is_agreeing_once(self, li, wu):
        request = ask(li)
        agree(request, wu)
        agree(request, wu)
        assert refused(lambda: agree(request, operator("zhou", SUPERVISOR))) is Why.NOT_OPEN
        assert RequestRuling.objects.count() == 1

    @pytest.mark.parametrize("agreed", [False, True])
    def test_taken_back_before_it_is_carried_out(self, li, wu, agreed):
        request = ask(li)
        if agreed:
            agree(request, wu)
        assert refused(lambda: approvals.withdraw(request.pk, hand=hand(wu), now=NOW)) is Why.NOT_ENTITLED
        approvals.withdraw(request.pk, hand=hand(li), now=NOW)
        assert refused(lambda: use(request, li)) in (Why.USED, Why.NOT_AGREED)
        assert refused(lambda: approvals.withdraw(request.pk, hand=hand(li), now=NOW)) is Why.NOT_OPEN
        assert state(request, li) is (RequestState.NOT_DONE if agreed else RequestState.WITHDRAWN)

    def test_it_expires(self, li, wu):
        request = ask(li)
        end = request.expires_at
        assert refused(lambda: agree(request, wu, now=end)) is Why.EXPIRED
        agree(request, wu, now=end - timedelta(seconds=1))
        assert refused(lambda: use(request, li, now=end)) is Why.EXPIRED
        assert state(request, li, now=end) is RequestState.EXPIRED
        use(request, li, now=end - timedelta(seconds=1))

    def test_reasons_and_codes(self, li, wu):
        request = ask(li)
        assert refused(lambda: approvals.refuse(request.pk, " \n", hand=hand(wu), now=NOW)) is Why.NO_REASON
        assert (
            refused(lambda: agree(request, wu, age=POLICY.step_up + timedelta(seconds=1))) is Why.CODE_TOO_OLD
        )
        agree(request, wu, age=POLICY.step_up)

    def test_what_fell_out_of_date_ends_without_being_done(self, li, wu):
        request = ask(li)
        agree(request, wu)
        actor = Actor.operator(li.pk, role="cashier", channel=Channel.COUNTER)
        for _ in range(2):
            approvals.drop(request.pk, actor=actor, now=NOW)
        assert state(request, li) is RequestState.NOT_DONE
        assert refused(lambda: use(request, li)) is Why.USED


class TestSecondLevel:
    """reliability.md E7: above 200 yuan a second person who answers for every campus."""

    @pytest.mark.parametrize(("fen", "needs"), [(200_00, "second"), (200_01, "chief")])
    def test_both_sides_of_the_bound(self, li, wu, chief, fen, needs):
        request = ask(li, fen=fen)
        assert request.needs == needs
        if needs == "chief":
            assert refused(lambda: agree(request, wu)) is Why.NOT_CHIEF
            agree(request, chief)
        else:
            agree(request, wu)

    def test_a_large_sum_is_not_cut_into_small_ones(self, li, wu):
        account = Book.open(300_00).account
        assert ask(li, fen=150_00, account=account).needs == "second"
        assert ask(li, fen=50_00, account=account).needs == "second"
        third = ask(li, fen=1, account=account)
        assert third.needs == "chief"
        approvals.withdraw(third.pk, hand=hand(li), now=NOW)
        assert ask(li, fen=1, account=Book.open().account).needs == "second"
        later = NOW + approvals.SAME_DAY
        assert ask(li, fen=150_00, account=account, now=later).needs == "second"


def test_60_pairs_of_who_asks_and_who_agrees(db):
    """reliability.md E7: maker != checker, both entitled for the campus, nobody's own account."""
    people = {
        "clerk": (CLERK, "laoshan", False),
        "cashier": (CASHIER, "laoshan", False),
        "supervisor": (SUPERVISOR, "laoshan", False),
        "own": (SUPERVISOR, "laoshan", True),
        "other": (SUPERVISOR, "yushan", False),
        "chief": (SUPERVISOR, None, False),
        "auditor": (AUDITOR, None, False),
        "admin": (ADMIN, None, False),
    }
    makers = {"clerk", "cashier", "supervisor", "chief", "other"}
    allowed = {(maker, "supervisor") for maker in makers - {"supervisor", "other"}}
    allowed |= {(maker, "chief") for maker in makers - {"chief"}}
    pairs = list(itertools.product(people, people))[:60]
    violations = 0
    for number, (maker, checker) in enumerate(pairs):
        account = Book.open(100_00).account
        staff = {
            name: operator(f"{name}.{number}", role, at, account.holder if own else None)
            for name, (role, at, own) in people.items()
        }
        done = False
        try:
            request = ask(staff[maker], account=account)
            agree(request, staff[checker])
            use(request, staff[maker])
            done = True
        except NotApproved:
            pass
        violations += done is not ((maker, checker) in allowed)
        violations += RequestResult.objects.filter(request__account=account).exists() is not done
    faults.report("E7", len(pairs), violations)
    assert violations == 0


class TestSeen:
    """Who sees what: the desk its campus, a cashier the own, administrators theirs, auditors everything (P3, P7)."""

    def test_by_role_and_campus(self, li, wu, chief):
        request = ask(li)
        seen = {
            name: state(request, operator(name, role, at))
            for name, role, at in (
                ("clerk", CLERK, "laoshan"), ("cashier", CASHIER, "laoshan"), ("yu", SUPERVISOR, "yushan"),
                ("auditor", AUDITOR, "yushan"), ("admin", ADMIN, None), ("merchant", OperatorRole.MERCHANT, "laoshan"),
            )
        }  # fmt: skip
        assert {name for name, found in seen.items() if found} == {"clerk", "auditor"}
        assert all(state(request, each) for each in (li, wu, chief))

    def test_what_waits_for_whom(self, li, wu, chief):
        small, large = ask(li), ask(li, fen=300_00)
        counts = {each: reads.waiting_count(officer(each.pk), now=NOW) for each in (li, wu, chief)}
        assert counts == {li: 0, wu: 1, chief: 2}
        agree(small, wu)
        assert reads.waiting_count(officer(li.pk), now=NOW) == 1
        assert [row.id for row in reads.waiting(officer(chief.pk), now=NOW)] == [small.pk, large.pk]
        use(small, li)
        assert [row.id for row in reads.recent(officer(li.pk), now=NOW)] == [small.pk]
        assert reads.open_of(1, "top_up.void", viewer=officer(li.pk), now=NOW) == ()


class TestTheDatabaseAgrees:
    """The same rules below every program, for the role of the application."""

    @pytest.mark.parametrize(
        ("who", "rule"),
        [
            ("maker", "request_ruling_by_another"),
            ("clerk", "request_ruling_by_entitled"),
            ("other", "request_ruling_by_entitled"),
            ("gone", "request_ruling_by_entitled"),
            ("own", "request_ruling_not_about_oneself"),
            ("twin", "request_ruling_by_another"),
        ],
    )
    def test_no_agreement_by(self, li, who, rule):
        account, twin = Book.open(100_00).account, Book.open().account.holder
        Operator.objects.filter(pk=li.pk).update(holder=twin)
        request = ask(li, account=account)
        person = {
            "maker": lambda: li,
            "clerk": lambda: operator("clerk", CLERK),
            "other": lambda: operator("other", SUPERVISOR, "yushan"),
            "gone": lambda: operator("gone", SUPERVISOR),
            "own": lambda: operator("own", SUPERVISOR, holder=account.holder),
            "twin": lambda: operator("twin", SUPERVISOR, holder=twin),
        }[who]()
        if who == "gone":
            Operator.objects.filter(pk=person.pk).update(is_active=False)
        self.breaks(rule, lambda: self.rule(request, person))

    def test_no_agreement_to_other_content_or_too_late(self, li, wu):
        request = ask(li)
        self.breaks("request_ruling_of_this_content", lambda: self.rule(request, wu, content_hash=b"other"))
        self.breaks("request_ruling_in_time", lambda: self.rule(request, wu, ruled_at=request.expires_at))

    def test_no_result_without_agreement_or_of_other_content(self, li, wu):
        request = ask(li)
        self.breaks("request_result_is_agreed", lambda: self.end(request, li))
        agree(request, wu)
        self.breaks("request_result_of_this_content", lambda: self.end(request, li, content_hash=b"other"))
        self.breaks("request_result_in_time", lambda: self.end(request, li, at=request.expires_at))
        self.end(request, li)
        self.breaks("accounts_requestresult_pkey", lambda: self.end(request, li))

    def test_the_hash_is_that_of_the_content(self, li):
        request = ask(li)
        request.pk, request.key = None, uuid.uuid4()
        request.canonical = request.canonical.replace("6000", "6001")
        self.breaks("request_hash_of_content", lambda: request.save(force_insert=True))

    def test_nobody_asks_about_himself(self, li):
        account = Book.open().account
        Operator.objects.filter(pk=li.pk).update(holder=account.holder)
        request = ask(li)
        request.pk, request.key, request.account = None, uuid.uuid4(), account
        self.breaks("request_not_about_oneself", lambda: request.save(force_insert=True))

    @pytest.mark.parametrize("table", ["request", "requestruling", "requestresult"])
    @pytest.mark.parametrize(
        "deed", ["UPDATE accounts_{} SET {} = {}", "DELETE FROM accounts_{}", "TRUNCATE accounts_{} CASCADE"]
    )
    def test_nothing_is_changed_afterwards(self, li, wu, table, deed):
        request = ask(li)
        agree(request, wu)
        use(request, li)
        column = "id" if table == "request" else "request_id"
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(deed.format(table, column, column))

    @staticmethod
    def rule(request, person, **fields):
        told = {"verdict": "agreed", "content_hash": request.content_hash, "ruled_at": NOW} | fields
        RequestRuling.objects.create(request=request, checker=person, **told)

    @staticmethod
    def end(request, person, **fields):
        told = {"done": True, "content_hash": request.content_hash, "at": NOW} | fields
        RequestResult.objects.create(request=request, by=person, **told)

    @staticmethod
    def breaks(rule: str, deed) -> None:
        with pytest.raises(DatabaseError) as caught, transaction.atomic():
            deed()
        assert caught.value.__cause__.diag.constraint_name == rule


def race(*deeds) -> list[str]:
    """Run them at once in real threads; what each came to, sorted."""
    start, outcomes = threading.Barrier(len(deeds)), []

    def run(deed) -> None:
        try:
            start.wait(5)
            deed()
            outcomes.append("done")
        except NotApproved as refusal:
            outcomes.append(refusal.why.value)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return sorted(outcomes)


@pytest.mark.django_db(transaction=True)
class TestRaces:
    """Real threads."""

    ROUNDS = 8

    def test_two_supervisors_at_once(self):
        maker = operator("li", CASHIER)
        people = [operator(f"sup{number}", SUPERVISOR) for number in range(4)]
        violations = 0
        for _ in range(self.ROUNDS):
            request = ask(maker)
            came = race(*(lambda request=request, each=each: agree(request, each) for each in people))
            violations += came != ["done", "not_open", "not_open", "not_open"]
        faults.report("APPROVAL_RACE", self.ROUNDS, violations)
        assert violations == 0

    def test_agreed_to_and_taken_back_at_once(self):
        """Whichever comes first, one of two ends: taken back, or agreed to and then taken back; never carried out."""
        maker, checker = operator("li", CASHIER), operator("wu", SUPERVISOR)
        violations = 0
        for _ in range(self.ROUNDS):
            request = ask(maker)
            race(
                lambda request=request: agree(request, checker),
                lambda request=request: approvals.withdraw(request.pk, hand=hand(maker), now=NOW),
            )
            violations += state(request, maker) not in (RequestState.WITHDRAWN, RequestState.NOT_DONE)
        faults.report("APPROVAL_RACE", self.ROUNDS, violations)
        assert violations == 0

    def test_carried_out_and_taken_back_at_once(self):
        maker, checker = operator("li", CASHIER), operator("wu", SUPERVISOR)
        violations = 0
        for _ in range(self.ROUNDS):
            request = ask(maker)
            agree(request, checker)
            came = race(
                *(lambda request=request: use(request, maker) for _ in range(3)),
                lambda request=request: approvals.withdraw(request.pk, hand=hand(maker), now=NOW),
            )
            violations += came.count("done") != 1
        faults.report("APPROVAL_RACE", self.ROUNDS, violations)
        assert violations == 0

    def test_the_same_form_from_eight_threads(self):
        maker, key = operator("li", CASHIER), uuid.uuid4()
        came = race(*(lambda: ask(maker, key=key) for _ in range(8)))
        assert came == ["done"] * 8
        assert Request.objects.count() == 1
