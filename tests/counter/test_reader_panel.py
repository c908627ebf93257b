"""The reader panel: choose a desk, read a card, watch a job, cancel it; each trouble in words, without a script too."""

from __future__ import annotations

import uuid

import pytest
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import OperatorRole
from counter import jobwords
from terminals.kinds import JobKind, JobState
from terminals.messages.jobs import Trouble
from terminals.models import CardJob, TerminalContact
from terminals.services import jobs
from tests.campus import make_person
from tests.counter.pages import browser_of, hidden, plain, text_of
from tests.reconciliation import desk
from transactions.services.desk import DeskRefusal

pytestmark = pytest.mark.django_db
CLERK = Actor.system("test")
HOME = "/counter/cases/"


@pytest.fixture
def terminal():
    return desk.desk_terminal()


@pytest.fixture
def at_desk(web, terminal):
    """The signed-in supervisor's browser, working at the desk."""
    web.post("/counter/desk/", {"desk": terminal.pk, "next": HOME})
    return web


def order(terminal, kind=JobKind.READ, **more) -> uuid.UUID:
    wanted = jobs.JobOrder(uuid.uuid4(), kind, terminal.pk, **more)
    return jobs.order_job(wanted, actor=CLERK, now=timezone.now()).id


def page_of(web, job) -> str:
    return plain(web.get(f"/counter/jobs/{job}/"))


def change(job, **fields) -> None:
    """The job as an agent would have left it."""
    CardJob.objects.filter(id=job).update(**fields)


def test_read_orders_one_job_however_often_the_button_is_pressed(at_desk, terminal):
    person = make_person(28_40)
    form = {"key": str(uuid.uuid4()), "account": person.account.pk, "next": HOME}

    answers = [at_desk.post("/counter/jobs/read/", form) for _ in range(3)]

    assert {(answer.status_code, answer.url) for answer in answers} == {(302, HOME)}
    job = CardJob.objects.get()
    assert (str(job.pk), job.kind, job.desk_id, job.account_id) == (
        form["key"], "read", terminal.pk, person.account.pk,
    )  # fmt: skip
    assert job.ordered_by.startswith("operator:")


def test_the_page_shows_the_job_and_offers_to_cancel_it(at_desk, terminal):
    job = order(terminal)

    page = text_of(at_desk.get(f"/counter/jobs/{job}/"))

    assert f'data-job="/counter/jobs/{job}/"' in page
    assert 'data-live="1"' in page
    assert "读卡程序没有响应" in page
    at_desk.post(f"/counter/jobs/{job}/cancel/", {"next": HOME})
    assert CardJob.objects.get(id=job).state == "cancelled"
    assert "已取消" in page_of(at_desk, job)


def test_an_agent_that_spoke_lately_is_there(at_desk, terminal):
    job = order(terminal)
    TerminalContact.objects.update_or_create(terminal=terminal, defaults={"last_contact_at": timezone.now()})

    assert "读卡程序没有响应" not in page_of(at_desk, job)
    assert "等待读卡程序接收" in page_of(at_desk, job)


def test_the_script_gets_words_and_figures(at_desk, terminal):
    job = order(terminal)
    change(job, state="card_awaited", trouble="torn", told=True)

    told = at_desk.get(f"/counter/jobs/{job}/", headers={"Accept": "application/json"}).json()

    assert (told["state"], told["over"], told["may_cancel"], told["tone"]) == (
        "card_awaited",
        False,
        False,
        "warn",
    )
    assert told["then"] == "请重新放同一张卡，会接着写完；请不要用别的卡。"


def test_a_job_that_wrote_is_given_up_not_cancelled(at_desk, terminal):
    person = make_person(28_40)
    job = order(terminal, JobKind.LOAD, account_id=person.account.pk, params={"fen": 1_00})
    change(job, state="card_awaited", trouble="torn", told=True, entry_seq=2)

    at_desk.post(f"/counter/jobs/{job}/cancel/", {"next": HOME})
    assert CardJob.objects.get(id=job).state == "card_awaited"
    assert "卡拿不回来，结束任务" in page_of(at_desk, job)
    at_desk.post(f"/counter/jobs/{job}/cancel/", {"next": HOME, "give_up": "1"})

    assert CardJob.objects.get(id=job).state == "state_unknown"
    assert "库已入账，卡是否写入尚未确认" in page_of(at_desk, job)


def test_what_was_read_stands_side_by_side(at_desk, terminal):
    job = order(terminal)
    result = {"account_id": 1, "number": 10086, "card_fen": 28_40, "book_fen": 27_10, "after_fen": None}
    change(job, state="done", ended_at=timezone.now(), result=result, uid="a0000001")

    page = page_of(at_desk, job)

    assert all(word in page for word in ("已读卡", "¥28.40", "¥27.10", "¥1.30", "10086"))
    change(job, result=result | {"after_fen": 27_10})
    assert "¥28.40" not in page_of(at_desk, job)


def test_another_campus_does_not_see_the_job(terminal):
    job = order(terminal)

    stranger = browser_of(desk.operator("fu", OperatorRole.CLERK, at="fushan"))

    assert stranger.get(f"/counter/jobs/{job}/").status_code == 404
    assert stranger.post(f"/counter/jobs/{job}/cancel/").status_code == 404
    stranger.post("/counter/desk/", {"desk": terminal.pk, "next": HOME})
    assert "desk" not in stranger.session


def test_an_auditor_looks_and_touches_nothing(terminal):
    job = order(terminal)
    auditor = browser_of(desk.operator("aud", OperatorRole.AUDITOR, at=None))

    assert "等待" in page_of(auditor, job) or "没有响应" in page_of(auditor, job)
    assert "取消任务" not in page_of(auditor, job)
    assert auditor.post(f"/counter/jobs/{job}/cancel/").status_code == 403


@pytest.mark.parametrize("key", ["", "7", "not-a-key"])
def test_an_order_without_a_key_is_refused_in_words(at_desk, key):
    answer = at_desk.post("/counter/jobs/read/", {"key": key, "next": HOME}, follow=True)

    assert answer.status_code == 200
    assert "任务内容不正确。" in plain(answer)
    assert not CardJob.objects.exists()


def test_a_busy_desk_says_so_and_shows_the_job_that_runs(at_desk, terminal):
    job = order(terminal)

    answer = at_desk.post("/counter/jobs/read/", {"key": str(uuid.uuid4()), "next": HOME}, follow=True)

    assert "本柜台还有一项读卡任务没有结束。" in plain(answer)
    assert at_desk.session["desk_job"] == str(job)


def test_the_way_back_never_leaves_the_counter(at_desk):
    for wanted in ("https://evil.example/", "//evil.example/", "/me/", ""):
        answer = at_desk.post("/counter/jobs/read/", {"key": "x", "next": wanted})
        assert answer.url == "/counter/"


def test_nothing_in_the_panel_needs_an_inline_script_or_style(at_desk, terminal):
    page = text_of(at_desk.get(f"/counter/jobs/{order(terminal)}/"))

    assert "<script>" not in page
    assert "style=" not in page
    assert "onclick" not in page
    assert hidden(page, "next").startswith("/counter/")


def test_every_trouble_and_refusal_has_its_sentences():
    assert set(jobwords.TROUBLES) == {trouble.value for trouble in Trouble}
    assert {refusal.value for refusal in DeskRefusal} <= set(jobwords.REFUSALS)


@pytest.mark.parametrize("kind", JobKind)
@pytest.mark.parametrize("state", JobState)
def test_every_state_of_every_job_says_what_is_and_what_to_do(terminal, kind, state):
    now = timezone.now()
    view = jobs.JobView(
        id=uuid.uuid4(), kind=kind, state=state, desk_id=terminal.pk, account_id=1, card_id=None, params={}, trouble="",
        refusal="", uid="", entry_seq=None, card_outcome="", told=False, result=None, ordered_at=now, expires_at=now,
        ended_at=None, agent_there=True,
    )  # fmt: skip

    what, then = jobwords.says(view)

    assert str(what)
    assert str(then) or state in (
        JobState.ORDERED, JobState.TAKEN, JobState.CARD_AWAITED, JobState.READING, JobState.WRITING, JobState.DONE,
    )  # fmt: skip
