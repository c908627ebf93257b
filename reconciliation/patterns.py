"""Who agrees to whom: the monthly look at second signatures that are none (reliability.md E8).

Reads only, over decisions about differences and requests alike. A pattern proves nothing; it says where to look.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import Final

from accounts.models import Operator, RequestRuling, RequestVerdict
from reconciliation.models import Decision, Ruling
from reconciliation.models_desk import Needs, Verdict

FEW: Final = 5
"""Fewer signatures than these make no pattern."""
MOSTLY: Final = 80
"""Per cent of somebody's signatures that come from one person."""
HASTE: Final = timedelta(seconds=20)
"""Nobody reads a request in less."""


class Oddity(StrEnum):
    """Why a pair or a person is worth a look."""

    MOSTLY_ONE = "mostly_one"
    """Nearly all of the maker's signatures come from this person, though others could have given them."""
    MUTUAL = "mutual"
    """Each signs for the other."""
    HASTY = "hasty"
    """Half of the signatures came within seconds."""
    NEVER_REFUSES = "never_refuses"
    """Signed often and never sent anything back."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What one person signed for another in the month. Amounts in fen, waits in seconds."""

    maker_id: int
    checker_id: int
    maker: str
    checker: str
    agreed: int
    refused: int
    fen: int
    wait_s: int
    """The middle one of the times between question and answer."""
    share: int
    """Per cent of all signatures that the maker got."""
    oddities: tuple[Oddity, ...]


@dataclass(frozen=True, slots=True)
class Alone:
    """What one person decided alone, below the bound."""

    operator_id: int
    name: str
    count: int
    fen: int
    accounts: int
    odd: bool


@dataclass(frozen=True, slots=True)
class Patterns:
    """One month. ``grid``: maker and checker id → signatures, for the drawing."""

    month: date
    pairs: tuple[Pair, ...]
    alone: tuple[Alone, ...]
    makers: tuple[tuple[int, str], ...]
    checkers: tuple[tuple[int, str], ...]
    grid: Mapping[tuple[int, int], int]

    @property
    def odd(self) -> tuple[Pair, ...]:
        """The pairs that are worth a look."""
        return tuple(pair for pair in self.pairs if pair.oddities)


@dataclass(slots=True)
class _Sum:
    agreed: int = 0
    refused: int = 0
    fen: int = 0
    waits: list[float] = field(default_factory=list)


def month_of(since: datetime, until: datetime, *, month: date, campus_id: int | None = None) -> Patterns:
    """The patterns between two moments; ``campus_id``: only what was made at its desks. Four statements."""
    sums: dict[tuple[int, int], _Sum] = defaultdict(_Sum)
    for maker_id, checker_id, agreed, fen, made_at, ruled_at in _signed(since, until, campus_id):
        found = sums[maker_id, checker_id]
        found.agreed += agreed
        found.refused += not agreed
        found.fen += fen if agreed else 0
        found.waits.append((ruled_at - made_at).total_seconds())
    alone = _alone(since, until, campus_id)
    ids = {each for pair in sums for each in pair} | set(alone)
    names = {each.pk: each.get_full_name() for each in Operator.objects.filter(pk__in=ids)}
    totals: dict[int, int] = defaultdict(int)
    for (maker_id, _checker), found in sums.items():
        totals[maker_id] += found.agreed
    pairs = [_pair(key, found, sums, totals[key[0]], names) for key, found in sums.items()]
    return Patterns(
        month=month,
        pairs=tuple(sorted(pairs, key=lambda pair: (-len(pair.oddities), -pair.agreed, pair.maker))),
        alone=tuple(sorted(_rows_alone(alone, names), key=lambda row: (-row.fen, row.name))),
        makers=_named({maker for maker, _checker in sums}, names),
        checkers=_named({checker for _maker, checker in sums}, names),
        grid={key: found.agreed for key, found in sums.items()},
    )


def _signed(
    since: datetime, until: datetime, campus_id: int | None
) -> Iterable[tuple[int, int, bool, int, datetime, datetime]]:
    """(maker, checker, agreed, fen, asked, answered) of every answer of a second person."""
    decided = Ruling.objects.filter(ruled_at__gte=since, ruled_at__lt=until).exclude(
        verdict=Verdict.WITHDRAWN
    )
    asked = RequestRuling.objects.filter(ruled_at__gte=since, ruled_at__lt=until).exclude(
        verdict=RequestVerdict.WITHDRAWN
    )
    if campus_id is not None:
        decided, asked = decided.filter(decision__campus=campus_id), asked.filter(request__campus=campus_id)
    for maker, checker, verdict, fen, made, ruled in decided.values_list(
        "decision__maker", "checker", "verdict", "decision__amount_fen", "decision__made_at", "ruled_at"
    ):
        yield maker, checker, verdict == Verdict.APPROVED, fen, made, ruled
    for maker, checker, verdict, fen, made, ruled in asked.values_list(
        "request__maker", "checker", "verdict", "request__amount_fen", "request__made_at", "ruled_at"
    ):
        yield maker, checker, verdict == RequestVerdict.AGREED, fen, made, ruled


def _alone(since: datetime, until: datetime, campus_id: int | None) -> dict[int, tuple[int, int, set[int]]]:
    """Operator → (how often, fen, which accounts) decided without a second person."""
    found = Decision.objects.filter(
        needs=Needs.ALONE, result__done=True, made_at__gte=since, made_at__lt=until
    )
    if campus_id is not None:
        found = found.filter(campus=campus_id)
    sums: dict[int, tuple[int, int, set[int]]] = {}
    for maker, fen, account in found.values_list("maker", "amount_fen", "account"):
        count, total, accounts = sums.get(maker, (0, 0, set()))
        sums[maker] = (count + 1, total + fen, accounts | {account})
    return sums


def _pair(
    key: tuple[int, int],
    found: _Sum,
    sums: Mapping[tuple[int, int], _Sum],
    total: int,
    names: Mapping[int, str],
) -> Pair:
    maker_id, checker_id = key
    share = found.agreed * 100 // total if total else 0
    wait_s = int(median(found.waits)) if found.waits else 0
    others = any(checker not in key for _maker, checker in sums)
    back = sums.get((checker_id, maker_id))
    enough = found.agreed >= FEW
    odd = {
        Oddity.MOSTLY_ONE: enough and share >= MOSTLY and others,
        Oddity.MUTUAL: back is not None and found.agreed >= FEW and back.agreed >= FEW,
        Oddity.HASTY: enough and wait_s < HASTE.total_seconds(),
        Oddity.NEVER_REFUSES: found.agreed >= 4 * FEW and found.refused == 0,
    }
    return Pair(
        maker_id=maker_id,
        checker_id=checker_id,
        maker=names.get(maker_id, str(maker_id)),
        checker=names.get(checker_id, str(checker_id)),
        agreed=found.agreed,
        refused=found.refused,
        fen=found.fen,
        wait_s=wait_s,
        share=share,
        oddities=tuple(each for each, is_odd in odd.items() if is_odd),
    )


def _rows_alone(alone: Mapping[int, tuple[int, int, set[int]]], names: Mapping[int, str]) -> Iterable[Alone]:
    """A person is odd who decides alone about the same few accounts again and again."""
    for operator_id, (count, fen, accounts) in alone.items():
        odd = count >= FEW and len(accounts) * 2 <= count
        yield Alone(operator_id, names.get(operator_id, str(operator_id)), count, fen, len(accounts), odd)


def _named(ids: Iterable[int], names: Mapping[int, str]) -> tuple[tuple[int, str], ...]:
    return tuple(sorted(((each, names.get(each, str(each))) for each in ids), key=lambda pair: pair[1]))
