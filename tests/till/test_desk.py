"""The desk's program against the real server: each job, each trouble, each lost message, each power cut."""

from __future__ import annotations

import pytest

from terminals.device.desk_face import DeskState
from terminals.models import JobState
from tests.campus import make_person
from tests.terminals.conftest import server  # noqa: F401 - a fixture
from tests.till.desk_bench import DeskBench, hurried  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(tmp_path, server):  # noqa: F811 - the fixture
    bench = DeskBench(tmp_path, server)
    yield bench
    bench.cut_power()


def test_load(desk):
    person = make_person(28_40)

    ended = desk.do(desk.order("load", person, fen=50_00), person.plastic)

    assert (ended.state, person.book_fen, person.card_fen) == (JobState.DONE, 78_40, 78_40)
    assert desk.face.state is DeskState.DONE
    assert [state for _, state, _ in ended.steps] == [
        "ordered", "taken", "card_awaited", "reading", "writing", "writing", "done",
    ]  # fmt: skip
