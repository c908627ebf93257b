"""B2: the line is cut after any number of bytes of request or answer; the same key asks again, or goes on offline."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

import pytest

from terminals.device.tapped import Ending
from tests import faults
from tests.till.badline import BadLine
from tests.till.bench import Bench

HELD, SALE = 28_40, 5_50
STEP = 24
_numbers = count(60001)


@pytest.fixture
def bad_line(served):
    bad_line = BadLine(int(served.url.rsplit(":", 1)[1]))
    yield bad_line
    bad_line.close()


@pytest.fixture
def bench(tmp_path, university, bad_line, memory, patient):
    bench = Bench(tmp_path, university, SimpleNamespace(url=f"http://127.0.0.1:{bad_line.port}"))
    yield bench
    bench.close()


@pytest.mark.parametrize("way", ["request", "answer"])
@pytest.mark.parametrize(
    ("cuts", "ending"), [(1, Ending.PAID), (2, Ending.PAID_OFFLINE)], ids=["once", "both tries"]
)
def test_a_line_cut_after_any_byte_charges_once(bench, bad_line, university, way, cuts, ending):
    cases, broken = 0, []

    for length in count(0, STEP):
        card = str(next(_numbers))
        bench.issue(card, HELD)
        bench.skip(11)
        bench.network(up=True)
        bench.parts.client.close()
        bad_line.cut_after, bad_line.cuts = (way, length), cuts
        tapped = bench.sell(card, SALE)
        if bad_line.cuts == cuts:
            bad_line.cuts = 0
            break
        bad_line.cuts = 0
        bench.parts.client.close()
        bench.skip(61)
        bench.report()
        cases += 1
        book, left = bench.account(card).book_fen, bench.card_fen(card)
        if tapped.ending is not ending or bench.sounds != ["OK"] or book != left or book != HELD - SALE:
            broken.append(f"after {length}: {tapped.ending}, book {book}, card {left}")

    faults.report("TILL-CUT", cases, len(broken))
    assert cases > 10
    assert broken == [], "\n".join(broken)
