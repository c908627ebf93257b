"""Found cards at the desk: taken in by reader or number, the owner told, moved, handed back, over their time."""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.models import (
    AuditEvent,
    Card,
    FoundCard,
    FoundEvent,
    FoundHow,
    LossReport,
    LostPost,
    Notice,
    OperatorRole,
)
from accounts.services import found, lostposts
from accounts.services.found import FoundProblem, Intake, NotKept
from tests import faults
from tests.campus import Person
from tests.care import charged, door_of, hand_of, holder_of
from tests.counter.pages import browser_of, plain, text_of
from tests.reconciliation import desk

EVENT = """
    INSERT INTO accounts_foundevent (found_id, seq, key, at, officer_id, kind, campus_id, kept_at)
    SELECT id, {seq}, gen_random_uuid(), now(), {{officer}}, '{kind}', campus_id, '' FROM accounts_foundcard
"""


@pytest.fixture
def person(db) -> Person:
    return charged(1_00)


def intake(person: Person | None, **fields) -> Intake:
    """A card that somebody brought from the canteen today."""
    known = {
        "key": uuid.uuid4(), "how": FoundHow.NUMBER, "place": "学苑餐厅", "found_on": timezone.localdate(),
        "kept_at": "1 号抽屉", "card_id": person.card_row.pk if person else None,
    } | fields  # fmt: skip
    return Intake(**known)


def take(person: Person | None, who, *, now=None, **fields) -> FoundCard:
    now = now or timezone.now()
    return found.take_in(
        intake(person, **fields), hand=hand_of(who, now=now), now=now, today=timezone.localdate(now)
    )


def refused(call) -> FoundProblem:
    tables = (FoundCard, FoundEvent, Notice, LossReport, AuditEvent)
    before = [table.objects.count() for table in tables]
    with pytest.raises(NotKept) as caught:
        call()
    assert [table.objects.count() for table in tables] == before
    return caught.value.problem


def hand_over(card: FoundCard, who, *, key=None) -> None:
    found.hand_over(
        card.pk, key=key or uuid.uuid4(), door=door_of(who), hand=hand_of(who), now=timezone.now()
    )


def state(card: FoundCard) -> tuple[str, str, str]:
    fresh = FoundCard.objects.select_related("campus").get(pk=card.pk)
    return fresh.state, fresh.campus.code, fresh.kept_at


def told(person: Person) -> list[str]:
    return list(Notice.objects.filter(account=person.account).order_by("pk").values_list("kind", flat=True))


# -------------------------------------------------------------------------------------------------- taken in


def test_the_owner_is_told_where_it_is_kept_and_until_when(person, li):
    card = take(person, li)

    notice = Notice.objects.get()
    assert (notice.kind, notice.about) == ("card_kept", f"found:{card.pk}")
    assert notice.facts["keep_until"] == f"{timezone.localdate() + timedelta(days=60):%Y-%m-%d}"
    assert "1 号抽屉" not in str(notice.facts)
    assert state(card) == ("kept", "laoshan", "1 号抽屉")
    assert AuditEvent.objects.get(object_kind="found_card").action == "found.taken_in"


def test_the_same_form_twice_is_one_card_and_the_same_card_twice_is_one_entry(person, li):
    form = intake(person)
    now = timezone.now()
    first, second = (
        found.take_in(form, hand=hand_of(li), now=now, today=timezone.localdate(now)) for _ in range(2)
    )

    assert first.pk == second.pk
    assert refused(lambda: take(person, li)) is FoundProblem.ALREADY_KEPT
    assert (FoundEvent.objects.count(), Notice.objects.count()) == (1, 1)


@pytest.mark.parametrize(("days", "accepted"), [(0, True), (365, True), (366, False), (-1, False)])
def test_it_was_found_within_a_year_and_not_tomorrow(person, li, days, accepted):
    day = timezone.localdate() - timedelta(days=days)

    if accepted:
        assert take(person, li, found_on=day).pk
    else:
        assert refused(lambda: take(person, li, found_on=day)) is FoundProblem.BAD_DAY


def test_a_card_that_nobody_has_is_kept_too_and_tells_nobody(db, li):
    card = take(None, li, how=FoundHow.UNKNOWN, printed="20239999999")

    assert not Notice.objects.exists()
    assert refused(lambda: hand_over(card, li)) is FoundProblem.NOBODY_S


def test_nobody_takes_in_or_hands_over_his_own_card(person, li):
    own = desk.operator("own", OperatorRole.CLERK, holder=person.account.holder)
    card = take(person, li)

    assert refused(lambda: hand_over(card, own)) is FoundProblem.OWN_ACCOUNT
    hand_over(card, li)
    assert refused(lambda: take(person, own)) is FoundProblem.OWN_ACCOUNT


@pytest.mark.parametrize("role", [OperatorRole.CASHIER, OperatorRole.AUDITOR, OperatorRole.ADMIN])
def test_others_of_the_staff_keep_no_cards(person, role):
    other = desk.operator("other", role)

    assert refused(lambda: take(person, other)) is FoundProblem.NOT_ENTITLED


# ----------------------------------------------------------------------------------- the question of the loss


def test_a_card_that_is_not_lost_may_be_reported_by_the_desk(person, li):
    card, key = take(person, li), uuid.uuid4()

    references = [found.report_lost(card.pk, key=key, hand=hand_of(li), now=timezone.now()) for _ in range(2)]

    assert len(set(references)) == 1
    assert Card.objects.get(pk=person.card_row.pk).lost
    report = LossReport.objects.get()
    assert (report.channel, report.effect) == ("counter", "card_lost")
    assert [event.kind for event in FoundEvent.objects.order_by("seq")] == ["taken_in", "reported_lost"]


def test_an_old_card_is_not_reported_because_that_would_stop_the_new_one(person, li):
    """The account's card in force is another piece of plastic."""
    person.card_row.life = "replaced"
    person.card_row.save(update_fields=["life"])
    live = Card.objects.create(account=person.account, uid="DEADBEEF", issue_no=2, life="active")
    card = take(person, li)

    call = lambda: found.report_lost(card.pk, key=uuid.uuid4(), hand=hand_of(li), now=timezone.now())  # noqa: E731
    assert refused(call) is FoundProblem.NOT_LIVE
    assert not Card.objects.get(pk=live.pk).lost


# ------------------------------------------------------------------------------------------------ where it goes


def test_handed_over_to_a_document_and_the_search_is_over(person, li):
    now = timezone.now()
    search = lostposts.Search(
        uuid.uuid4(), person.account.pk, person.account.campus_id, "操场", timezone.localdate()
    )
    lostposts.post(search, actor=holder_of(person), now=now)
    card, key = take(person, li), uuid.uuid4()

    for _ in range(2):
        hand_over(card, li, key=key)

    assert state(card)[0] == "handed_over"
    assert LostPost.objects.get().state == "closed"
    assert told(person) == ["card_kept", "card_returned"]
    event = FoundEvent.objects.get(kind="handed_over")
    assert event.document == "resident agrees"
    assert refused(lambda: hand_over(card, li)) is FoundProblem.NOT_KEPT
    assert not Card.objects.get(pk=person.card_row.pk).lost, "the loss report is another deed"


def test_sent_to_another_campus_only_that_one_hands_it_over(person, li):
    """Staff work at desks of their own campus; the owner is told where to go."""
    there = desk.operator("there", OperatorRole.CLERK, "yushan")
    card = take(person, li)
    yushan = desk.campus("yushan")
    assert refused(lambda: hand_over(card, there)) is FoundProblem.OTHER_CAMPUS

    key = uuid.uuid4()
    for _ in range(2):
        found.move(card.pk, yushan.pk, "鱼山 1 号柜台", key=key, hand=hand_of(li), now=timezone.now())

    assert state(card) == ("kept", "yushan", "鱼山 1 号柜台")
    assert told(person) == ["card_kept", "card_moved"]
    assert refused(lambda: hand_over(card, li)) is FoundProblem.OTHER_CAMPUS
    hand_over(card, there)
    assert state(card)[0] == "handed_over"


def test_to_the_same_campus_it_does_not_go(person, li):
    card = take(person, li)
    call = lambda: found.move(  # noqa: E731
        card.pk, card.campus_id, "2 号抽屉", key=uuid.uuid4(), hand=hand_of(li), now=timezone.now()
    )

    assert refused(call) is FoundProblem.SAME_CAMPUS


@pytest.mark.parametrize(("days", "accepted"), [(60, False), (61, True)])
def test_after_sixty_days_and_not_before_it_may_be_disposed_of(person, li, days, accepted):
    card, now = take(person, li), timezone.now() + timedelta(days=days)

    def dispose() -> None:
        found.dispose(
            card.pk,
            "剪断销毁",
            key=uuid.uuid4(),
            hand=hand_of(li, now=now),
            now=now,
            today=timezone.localdate(now),
        )

    if accepted:
        dispose()
        assert state(card)[0] == "gone"
        assert told(person) == ["card_kept", "card_gone"]
    else:
        assert refused(dispose) is FoundProblem.NOT_YET


@pytest.mark.django_db(transaction=True)
def test_six_hands_give_a_card_back_once():
    """Real threads, different keys: one hand-over, one message; the others are told that it is gone."""
    person = charged(1_00)
    people = [desk.operator(f"clerk{number}", OperatorRole.CLERK) for number in range(6)]
    card = take(person, people[0])

    def press(who) -> bool:
        try:
            hand_over(card, who)
        except NotKept:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(press, people))

    violations = (sum(done) != 1) + (FoundEvent.objects.filter(kind="handed_over").count() != 1)
    faults.report("FOUND-RACE", len(done), violations)
    assert not violations


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_foundcard SET state = 'handed_over'",
        "UPDATE accounts_foundcard SET account_id = NULL",
        "DELETE FROM accounts_foundcard",
        "UPDATE accounts_foundevent SET kept_at = 'x'",
        "DELETE FROM accounts_foundevent",
        "TRUNCATE accounts_foundevent",
        EVENT.format(seq=3, kind="left_in_use"),
        EVENT.format(seq=2, kind="handed_over"),
        EVENT.format(seq=2, kind="moved"),
    ],
)
def test_a_card_moves_by_its_events_alone(person, li, statement):
    take(person, li)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(officer=li.pk))


# ---------------------------------------------------------------------------------------------------- the pages


def form_of(**fields) -> dict[str, str]:
    return {
        "key": str(uuid.uuid4()), "place": "学苑餐厅", "found_on": f"{timezone.localdate():%Y-%m-%d}",
        "kept_at": "1 号抽屉", "public": "on",
    } | fields  # fmt: skip


def test_from_the_number_on_the_card_to_the_owner_s_hand(web, person):
    """C10 on the screens: number, owner told, the question of the loss, document, handed over."""
    made = web.post("/counter/found/new/", form_of(number=person.account.holder.school_no))
    card = FoundCard.objects.get()
    assert made.url == f"/counter/found/{card.pk}/"
    page = plain(web.get(made.url))
    assert "这张卡没有挂失。要代为挂失吗？" in page
    assert web.post(f"{made.url}report-lost/", {"key": str(uuid.uuid4())}).url == made.url
    assert "要代为挂失吗" not in plain(web.get(made.url))

    document = {"key": str(uuid.uuid4()), "paper": "resident", "tail": "1234"}
    assert web.post(f"{made.url}hand-over/", document).url == made.url

    page = plain(web.get(made.url))
    assert "已领回" in page
    assert "卡已交还，仍是挂失状态" in page
    assert "row-link" not in text_of(web.get("/counter/found/"))
    assert "row-link" in text_of(web.get("/counter/found/?show=done"))


def test_by_the_reader_it_is_the_card_that_lies_there(web, person, li):
    """Also an old card of the holder: the reader knows which piece of plastic it is, a number does not."""
    person.card_row.life = "replaced"
    person.card_row.save(update_fields=["life"])
    live = Card.objects.create(account=person.account, uid="DEADBEEF", issue_no=2, life="active")
    table = desk.desk_terminal()
    job = desk.CardJob.objects.create(
        id=uuid.uuid4(), kind="read", desk=table, ordered_by=f"operator:{li.pk}", ordered_role="supervisor",
        ordered_channel="counter", ordered_at=timezone.now(), expires_at=timezone.now() + timedelta(minutes=3),
        state="done", uid="A0", ended_at=timezone.now(),
        result={
            "account_id": person.account.pk, "card_id": person.card_row.pk, "number": person.account.number,
            "card_fen": 0, "book_fen": 0,
        },
    )  # fmt: skip
    session = web.session
    session["desk"], session["desk_job"] = table.pk, str(job.pk)
    session.save()
    assert f"读到的卡：帐号 {person.account.number}" in text_of(web.get("/counter/found/new/"))

    answer = web.post("/counter/found/new/", form_of())

    card = FoundCard.objects.get()
    assert (card.card_id, card.how) == (person.card_row.pk, "reader")
    assert card.card_id != live.pk
    page = plain(web.get(answer.url))
    assert "已作废的旧卡" in page
    assert "要代为挂失吗" not in page


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"number": ""}, 400), ({"number": "１２３４５"}, 400), ({"number": "12 345"}, 400), ({"number": "99999"}, 409),
        ({"number": "99999", "unknown": "on"}, 302), ({"unknown": "on"}, 302), ({"place": ""}, 400),
        ({"place": "a\u202eb"}, 400), ({"place": "长" * 61}, 400), ({"kept_at": " "}, 400), ({"found_on": ""}, 400),
        ({"found_on": "2026-02-30"}, 400), ({"found_on": "2199-01-01"}, 400), ({"key": "x"}, 400),
    ],
)  # fmt: skip
def test_bad_input_at_the_intake_is_said_and_nothing_is_kept(web, person, fields, status):
    form = (
        form_of(number=str(person.account.number))
        if "number" not in fields and "unknown" not in fields
        else form_of()
    )

    answer = web.post("/counter/found/new/", form | fields)

    assert answer.status_code == status, plain(answer)
    assert FoundCard.objects.count() == (status == 302)
    if status != 302:
        assert "没有登记" in text_of(answer)


def test_a_document_that_differs_hands_nothing_over(web, person, li):
    card = take(person, li)

    for wrong in ({}, {"paper": "resident", "tail": "１２３４"}, {"paper": "student_card", "tail": "1234"}):
        answer = web.post(f"/counter/found/{card.pk}/hand-over/", {"key": str(uuid.uuid4())} | wrong)
        assert answer.status_code == 400
        assert "没有交还" in text_of(answer)
    assert state(card)[0] == "kept"


def test_another_campus_may_look_and_not_touch(person, li):
    card = take(person, li)
    there = browser_of(desk.operator("there", OperatorRole.CLERK, "yushan"))

    page = text_of(there.get(f"/counter/found/{card.pk}/"))

    assert "由那里办理" in page
    assert "交还本人…" not in page
    assert there.post(f"/counter/found/{card.pk}/hand-over/").status_code == 404
    assert "row-link" not in text_of(there.get("/counter/found/"))
    assert "row-link" in text_of(there.get("/counter/found/?show=all"))


def test_a_search_is_looked_at_and_published_or_taken_off_with_a_reason(web, person):
    now = timezone.now()
    search = lostposts.Search(
        uuid.uuid4(), person.account.pk, person.account.campus_id, "操场", timezone.localdate(), "加微信 abc"
    )
    post = lostposts.post(search, actor=holder_of(person), now=now)
    place = f"/counter/searches/{post.pk}/"
    assert "1 条待审" in text_of(web.get("/counter/found/"))

    assert web.post(f"{place}show/", {"key": str(uuid.uuid4())}).status_code == 302
    assert LostPost.objects.get().state == "shown"
    assert web.post(f"{place}hide/", {"key": str(uuid.uuid4()), "reason": ""}).status_code in (400, 409)
    assert LostPost.objects.get().state == "shown"
    for _ in range(2):
        assert (
            web.post(f"{place}hide/", {"key": str(uuid.uuid4()), "reason": "请去掉微信号"}).status_code == 302
        )

    assert LostPost.objects.get().state == "hidden"
    assert told(person) == ["post_hidden"]
    deeds = AuditEvent.objects.filter(object_kind="lost_post").order_by("pk").values_list("action", flat=True)
    assert list(deeds) == ["lost_post.post", "lost_post.show", "lost_post.hide"]


def test_the_drawer_says_who_searches_what_is_over_and_what_is_not_lost(web, person, li):
    then = timezone.now() - timedelta(days=70)
    take(person, li, now=then, found_on=timezone.localdate(then))
    now = timezone.now()
    search = lostposts.Search(
        uuid.uuid4(), person.account.pk, person.account.campus_id, "操场", timezone.localdate()
    )
    lostposts.post(search, actor=holder_of(person), now=now)

    page = plain(web.get("/counter/found/"))

    for word in ("过期未领", "失主在找", "没有挂失"):
        assert word in page
    row = re.search(r"/counter/found/(\d+)/", text_of(web.get("/counter/found/")))[1]
    assert "登记过期处理" in text_of(web.get(f"/counter/found/{row}/"))
