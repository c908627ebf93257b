"""A fresh university and a till in it."""

from __future__ import annotations

import pytest

from tests.till.bench import Bench
from tests.till.university import Served, University


@pytest.fixture
def university():
    return University()


@pytest.fixture
def served(university):
    served = Served(university)
    yield served
    served.close()


@pytest.fixture
def bench(tmp_path, university, served):
    bench = Bench(tmp_path, university, served)
    yield bench
    bench.close()
