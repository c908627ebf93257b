"""A run in figures: as one JSON object, and as lines for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import quantiles
from typing import Any

from ecard.simulate.notes import Seen
from ecard.simulate.run import Played
from terminals.device.tapped import Ending

SLOWEST = 20


def percentiles(times_s: list[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds; zeros when there is nothing to tell."""
    if len(times_s) < 2:
        return {"p50_ms": 0.0, "p99_ms": 0.0}
    cuts = quantiles(times_s, n=100)
    return {"p50_ms": round(cuts[49] * 1000, 1), "p99_ms": round(cuts[98] * 1000, 1)}


def summary(played: Played) -> dict[str, Any]:
    """The run in one JSON object (docs/simulation.md)."""
    notes, audit = played.notes, played.audit
    by_ending = Counter(seen.ending.value for seen in notes.taps)
    opened: Counter[str] = Counter()
    for outcome in played.reconciled:
        opened.update({kind.value: count for kind, count in outcome.opened.items()})
    return {
        "ok": played.ok,
        "seed": played.plan.seed,
        "tills": played.plan.tills,
        "cards": played.plan.cards,
        "selling_s": round(played.selling_s, 1),
        "taps": dict(by_ending),
        "taps_per_s": round(len(notes.taps) / played.selling_s, 1) if played.selling_s else 0.0,
        "refusals": dict(Counter(seen.refusal for seen in notes.taps if seen.refusal)),
        "online": percentiles([seen.took_s for seen in notes.taps if seen.ending is Ending.PAID]),
        "offline": percentiles([seen.took_s for seen in notes.taps if seen.ending is Ending.PAID_OFFLINE]),
        "slowest": _slowest(notes.taps),
        "faults": dict(notes.faults),
        "healed_by_the_same_card": notes.healed,
        "uploaded_again": dict(notes.answers),
        "audit": {"counts": dict(audit.counts), "fen": dict(audit.fen), "broken": audit.broken},
        "frozen": dict(played.frozen),
        "levelled": sum(outcome.levelled for outcome in played.reconciled),
        "desk": dict(played.desk),
        "cases_opened": dict(opened),
        "cases_open": dict(played.cases),
        "undrained": played.undrained,
        "verify": played.verdict.to_json(),
    }


def _slowest(taps: list[Seen]) -> list[dict[str, Any]]:
    """The longest taps and when in the run they ended, so that a stall of the machine is told from a slow till."""
    began_s = min((seen.at_s for seen in taps), default=0.0)
    longest = sorted(taps, key=lambda seen: -seen.took_s)[:SLOWEST]
    return [
        {
            "at_s": round(seen.at_s - began_s, 1),
            "took_ms": round(seen.took_s * 1000),
            "ending": seen.ending.value,
        }
        for seen in longest
    ]


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The same for a person at a terminal."""
    yield f"{found['cards']} cards, {found['tills']} tills, seed {found['seed']}, {found['selling_s']} s of selling"
    yield f"taps       {sum(found['taps'].values())} ({found['taps_per_s']}/s)  {_told(found['taps'])}"
    for name in ("online", "offline"):
        yield f"{name:<10} p50 {found[name]['p50_ms']} ms  p99 {found[name]['p99_ms']} ms"
    slowest = ", ".join(
        f"{one['took_ms']} ms {one['ending']} at {one['at_s']} s" for one in found["slowest"][:5]
    )
    yield f"slowest    {slowest}"
    yield f"refusals   {_told(found['refusals'])}"
    yield f"faults     {sum(found['faults'].values())}  {_told(found['faults'])}"
    yield f"again      {_told(found['uploaded_again'])}"
    yield f"healed     {found['healed_by_the_same_card']} torn sales were finished by the same card"
    yield f"sums       {_told(found['audit']['counts'])}"
    yield "yuan       " + _told({name: f"{fen / 100:.2f}" for name, fen in found["audit"]["fen"].items()})
    yield f"levelled   {found['levelled']}   frozen {_told(found['frozen'])}"
    yield f"desk       {_told(found['desk'])}"
    yield f"cases      opened {_told(found['cases_opened'])}; open {_told(found['cases_open'])}"
    checked = found["verify"]["checked"]
    yield f"verify     {sum(checked.values())} checked, {len(found['verify']['broken'])} broken"
    for broken in (*found["audit"]["broken"], *found["verify"]["broken"]):
        yield f"BROKEN {broken}"
    for left in found["undrained"]:
        yield f"BROKEN {left}"
    yield "everything adds up" if found["ok"] else "something does not add up"


def _told(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
