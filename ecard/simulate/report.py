"""The run as one page: two drawings with a table behind each, and every figure. No script, nothing fetched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ecard.simulate.drawing import Drawing, Series
from ecard.simulate.run import Played
from ecard.simulate.words import both
from terminals.device.tapped import Ending

ITEMS = ("torn_fen", "unwritten_fen", "offline_fen", "late_fen", "excess_fen")
PAID = (Ending.PAID, Ending.PAID_OFFLINE)


def write(path: Path, played: Played, found: Mapping[str, Any]) -> None:
    """Write the page of a run; ``found`` is its ``summary``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(played, found), encoding="utf-8")


def page(played: Played, found: Mapping[str, Any]) -> str:
    """The whole page."""
    verdict = "passed" if played.ok else "failed"
    parts = [
        f'<p class="verdict {verdict}">{both(verdict)}</p><p>{both("lead")}</p>',
        _section("numbers", _figures(found)),
        *_payments(played),
        *_items(played),
        '<div class="side">',
        _section("sums", _counts(found["audit"]["counts"], found["audit"]["fen"])),
        _section("faults", _counts(found["faults"])),
        _section("refusals", _counts(found["refusals"])),
        _section("cases", _counts(found["cases_open"])),
        "</div>",
    ]
    broken = [
        *found["audit"]["broken"],
        *found["undrained"],
        *(str(each) for each in found["verify"]["broken"]),
    ]
    if broken:
        lines = "".join(f"<li>{escape(line)}</li>" for line in broken)
        parts.insert(1, f'<section class="failed"><h2>{both("broken")}</h2><ul>{lines}</ul></section>')
    return HEAD + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{both(title)}</h2>{body}</section>"


def _figures(found: Mapping[str, Any]) -> str:
    rows = [
        ("seed", found["seed"]),
        ("tills", found["tills"]),
        ("cards", found["cards"]),
        ("selling_s", found["selling_s"]),
        ("taps", sum(found["taps"].values())),
        ("taps_per_s", found["taps_per_s"]),
        ("online_ms", f"{found['online']['p50_ms']} / {found['online']['p99_ms']}"),
        ("offline_ms", f"{found['offline']['p50_ms']} / {found['offline']['p99_ms']}"),
        ("healed", found["healed_by_the_same_card"]),
        ("levelled", found["levelled"]),
        ("refunded", found["desk"].get("refunded", 0)),
        ("unfrozen", found["desk"].get("unfrozen", 0)),
        ("frozen", ", ".join(f"{both(reason)} {count}" for reason, count in found["frozen"].items()) or 0),
        ("verify", sum(found["verify"]["checked"].values())),
        ("verify_broken", len(found["verify"]["broken"])),
    ]
    return _table(("what", "count"), [(both(name), str(value)) for name, value in rows])


def _counts(counts: Mapping[str, int], fen: Mapping[str, int] | None = None) -> str:
    names = sorted({*counts, *(fen or {})}, key=lambda name: -counts.get(name, 0))
    if fen is None:
        return _table(("what", "count"), [(both(name), str(counts[name])) for name in names])
    rows = [
        (both(name), str(counts.get(name, "")), f"{fen[name] / 100:.2f}" if name in fen else "")
        for name in names
    ]
    return _table(("what", "count", "yuan"), rows)


def _payments(played: Played) -> Iterable[str]:
    bucket_s = 60 if played.selling_s > 300 else 5
    began_s, until_s = _span(played)
    per: dict[Ending, Counter[int]] = {ending: Counter() for ending in PAID}
    for seen in played.notes.taps:
        if seen.ending in per:
            per[seen.ending][int((seen.at_s - began_s) // bucket_s)] += 1
    buckets = range(int(until_s // bucket_s) + 1)
    series = [Series(ending.value, [per[ending][bucket] for bucket in buckets]) for ending in PAID]
    at_s = [bucket * bucket_s for bucket in buckets]
    unit = "minute" if bucket_s == 60 else "seconds"
    drawing = Drawing(at_s, series, _marks(played, began_s), until_s, bar_s=bucket_s, label="payments")
    yield _drawn(both("payments", unit=unit), drawing, "from_s", at_s, series)


def _items(played: Played) -> Iterable[str]:
    began_s, until_s = _span(played)
    at_s = [round(item.at_s - began_s, 1) for item in played.notes.items]
    series = [Series(name, [getattr(item, name) / 100 for item in played.notes.items]) for name in ITEMS]
    drawing = Drawing(at_s, series, _marks(played, began_s), until_s, label="open items")
    yield _drawn(both("items"), drawing, "at_s", at_s, series)


def _drawn(title: str, drawing: Drawing, first: str, at_s: Sequence[float], series: Sequence[Series]) -> str:
    rows = [(f"{at:g}", *(f"{one.values[place]:g}" for one in series)) for place, at in enumerate(at_s)]
    table = _table((first, *(one.name for one in series)), rows)
    return (
        f"<section><h2>{title}</h2>{drawing.svg()}"
        f"<details><summary>{both('table')}</summary>{table}</details></section>"
    )


def _span(played: Played) -> tuple[float, float]:
    """When the run began by the monotonic clock, and how many seconds it lasted."""
    moments = [seen.at_s for seen in played.notes.taps] + [item.at_s for item in played.notes.items]
    return min(moments), max(moments) - min(moments)


def _marks(played: Played, began_s: float) -> list[tuple[float, str]]:
    return [(at_s - began_s, name) for at_s, name in played.notes.marks]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{both(name)}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


HEAD = """<!doctype html>
<html lang="zh-Hans">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>校园模拟报告 · Campus simulation</title>
<style>
:root { color-scheme: light dark; --paper: #f3f6f5; --surface: #fff; --ink: #13211f; --soft: #4a5b58; --line: #d3dedb;
  --a: #0a5f63; --b: #c9862b; --c: #7a4fa3; --d: #9c2328; --e: #4a5b58; --good: #17653a; --bad: #9c2328; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1413; --surface: #151f1d; --ink: #e7efed; --soft: #a6b7b3;
  --line: #2a3836; --a: #67cbc3; --b: #f0bd6b; --c: #c9a7ec; --d: #ff9d98; --e: #a6b7b3;
  --good: #7bd69b; --bad: #ff9d98; } }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font-family: "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", system-ui, sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
section { background: var(--surface); border-radius: 1rem; padding: 1rem 1.25rem; margin: 1rem 0; overflow-x: auto; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 0 0 .75rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem 1rem .25rem 0; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child { text-align: left; font-weight: 400; } thead th { color: var(--soft); font-weight: 600; }
svg { width: 100%; height: auto; display: block; }
.axis { font-size: 12px; fill: var(--soft); } .end { text-anchor: end; } .mid { text-anchor: middle; }
.grid { stroke: var(--line); } .mark { stroke: var(--ink); stroke-dasharray: 3 3; }
.s0 { fill: var(--a); } .s1 { fill: var(--b); } .s2 { fill: var(--c); } .s3 { fill: var(--d); } .s4 { fill: var(--e); }
.side { columns: 26rem; column-gap: 1rem; } .side section { break-inside: avoid; margin: 0 0 1rem; }
.verdict { font-size: 1.25rem; font-weight: 700; } .verdict::before { margin-right: .5rem; }
.passed { color: var(--good); } .passed::before { content: "✓"; }
p.failed { color: var(--bad); } p.failed::before { content: "✗"; }
summary { cursor: pointer; padding: .5rem 0; }
.language { display: flex; gap: 1rem; justify-content: flex-end; } .language label { padding: .5rem; cursor: pointer; }
:root:has(#zh:checked) [lang="en"]:not(html), :root:has(#en:checked) [lang="zh-Hans"]:not(html) { display: none; }
</style>
</head>
<body>
<main>
<div class="language"><label><input type="radio" name="language" id="zh" checked> 中文</label>
<label><input type="radio" name="language" id="en"> English</label></div>
<h1><span lang="zh-Hans">校园模拟报告</span><span lang="en">Campus simulation</span></h1>
"""
