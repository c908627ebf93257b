"""The demo story without a browser: a real till program plays it against the real site, step by step."""

from __future__ import annotations

import io
import json
import queue
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from django.core.management import CommandError, call_command
from django.test.client import Client

from accounts.models import Account
from accounts.wiring import now
from ecard.demo.desk import ACTOR, AgentDesk, Hands, settle
from ecard.demo.drift import LATE
from ecard.demo.places import DESK_NAME
from ecard.demo.staff import SUPERVISORS
from ecard.demo.stage import NotReady, Stage
from ecard.demo.story import CONSUMPTION_PIN, QUERY_PIN
from ecard.lifetime import bound
from reconciliation import selectors
from reconciliation.models import DecisionAction, Mismatch
from terminals.models import Terminal
from terminals.services import enrolment

Seen = dict[str, Any]
RESULT_S = 30.0
TORN_AFTER = 11
"""Card operations of a tap before its write: the next one is cut (``purse.procedures.ClassicDriver``)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, and what must be seen."""

    name: str
    expected: Seen
    play: Callable[[Play], Seen]


@dataclass
class Play:
    """The till's console, and what it has told."""

    stage: Stage
    till: subprocess.Popen[str]
    events: queue.Queue[Seen] = field(default_factory=queue.Queue)

    def say(self, **command: Any) -> None:
        """Give the till one command."""
        if self.till.stdin is None:
            raise NotReady("the till has no console")
        self.till.stdin.write(json.dumps(command) + "\n")
        self.till.stdin.flush()

    def tap(self, card: str, fen: int = 0, **more: Any) -> Seen:
        """Key an amount, put a card on the reader, and tell how it ended, with the display and the sounds."""
        if fen:
            self.say(do="amount", fen=fen)
        self.say(do="tap", card=card, **more)
        return self.result()

    def result(self) -> Seen:
        """Wait for the end of a tap. Raises ``NotReady`` when it does not come."""
        sounds: list[str] = []
        led = ""
        while True:
            try:
                event = self.events.get(timeout=RESULT_S)
            except queue.Empty:
                raise NotReady("the till has not answered") from None
            if event["event"] == "sound":
                sounds.append(event["sound"])
            elif event["event"] == "display":
                led = event["led"]
            elif event["event"] == "error":
                raise NotReady(event["message"])
            elif event["event"] == "result":
                return event | {"sounds": sounds, "led": led}


def _paid(card: str, fen: int, **more: Any) -> Callable[[Play], Seen]:
    return lambda play: play.tap(card, fen, **more)


def _with_password(play: Play) -> Seen:
    play.say(do="keys", keys=CONSUMPTION_PIN)
    play.say(do="confirm")  # the card still lies there: a silent question leaves it on the reader
    return play.result()


def _offline(play: Play) -> Seen:
    play.say(do="network", up=False)
    return play.tap("10086", 2_00)


def _back_online(play: Play) -> Seen:
    play.say(do="network", up=True)
    play.say(do="wait", seconds=2)
    play.say(do="upload")
    play.say(do="wait", seconds=1)
    play.say(do="balance")
    return play.tap("10086")


def _void(play: Play) -> Seen:
    play.tap("10092", 3_00)
    play.say(do="void")
    return play.tap("10092")


def _command(name: str) -> Callable[[Play], Seen]:
    def play(_: Play) -> Seen:
        out = io.StringIO()
        with suppress(SystemExit):  # a broken invariant ends the command with 1; its JSON says which
            call_command(name, "--json", stdout=out)
        return dict(json.loads(out.getvalue()))

    return play


def _portal(_: Play) -> Seen:
    """Sign in as 10088 and look for the explanation of the difference that the till has just healed."""
    client = Client(HTTP_HOST="127.0.0.1")
    client.post("/login/", {"identifier": "10088", "pin": QUERY_PIN})
    page = client.get("/me/")
    return {"status": page.status_code, "book_shown": "1.10" in page.content.decode()}


def _refund(_: Play) -> Seen:
    """Give back exactly what was deducted twice; the same form a second time gives nothing more."""
    account = Account.objects.get(number=LATE)
    hands = Hands.of(*SUPERVISORS)
    (case,) = [row for row in selectors.cases_of(account.pk) if row.mismatch is Mismatch.DOUBLE]
    done = settle(case.id, DecisionAction.REFUND, key=uuid4(), hands=hands, now=now())
    again = settle(case.id, DecisionAction.REFUND, key=uuid4(), hands=hands.swapped(), now=now())
    account.refresh_from_db()
    return {
        "done": done,
        "again": again,
        "book_fen": account.book_fen,
        "frozen": list(account.frozen_reasons),
    }


def _unfreeze(play: Play) -> Seen:
    """The holder comes with his card; a desk's program reads it, then the account may be unfrozen."""
    account = Account.objects.get(number=LATE)
    hands, case = Hands.of(*SUPERVISORS), selectors.cases_of(account.pk)[0]
    code = enrolment.issue_code(Terminal.objects.get(name_zh=DESK_NAME).pk, actor=ACTOR, now=now()).code
    desk = AgentDesk(code, folder=play.stage.folder / "desk", cards=play.stage.cards, url=play.stage.url)
    desk.start()
    try:
        before = settle(
            case.id, DecisionAction.UNFREEZE, key=uuid4(), hands=hands, now=now(), desk_id=desk.id
        )
        desk.place(str(LATE))
        read = desk.read(account.pk, key=uuid4(), now=now)
        done = settle(case.id, DecisionAction.UNFREEZE, key=uuid4(), hands=hands, now=now(), desk_id=desk.id)
    finally:
        desk.stop()
    account.refresh_from_db()
    return {"without_card": before, "read": read, "done": done, "frozen": list(account.frozen_reasons)}


def _desk(_: Play) -> Seen:
    """What the week of silence has left on the reconciliation desk, and how 10090 came to be there."""
    counts = selectors.open_counts()
    account = Account.objects.get(number=LATE)
    found = selectors.explain(account.pk)
    late_fen = sum(item.fen for item in found.items if item.mismatch is Mismatch.DOUBLE) if found else None
    return {
        "DOUBLE": counts[Mismatch.DOUBLE],
        "EXCESS": counts[Mismatch.EXCESS],
        "FORK": counts[Mismatch.FORK],
        "frozen": list(account.frozen_reasons),
        "book_fen": account.book_fen,
        "late_fen": late_fen,
        "silent_days": [terminal.silent_days for terminal in selectors.silent_terminals(now=now())],
    }


STEPS = (
    Step(
        "28.40 − 5.50",
        {"outcome": "paid", "card_fen": 22_90, "book_fen": 22_90, "sounds": ["OK"]},
        _paid("10086", 5_50),
    ),
    Step(
        "拿卡过快：先库后卡",
        {"outcome": "torn", "sounds": ["RETRY"], "led": "rEtry "},
        _paid("10086", 1_30, leave_after=TORN_AFTER),
    ),
    Step(
        "十秒内重新放卡，不再扣款",
        {"outcome": "paid", "card_fen": 21_60, "book_fen": 21_60, "sounds": ["OK"]},
        lambda play: play.tap("10086"),
    ),
    Step(
        "库 1.10、卡 2.40：余额不足，但补扣",
        {"outcome": "refused", "refusal": "insufficient", "card_fen": 1_10, "book_fen": 1_10},
        _paid("10088", 2_00),
    ),
    Step(
        "卡 80、库 28：已冻结",
        {"outcome": "refused", "refusal": "card_frozen", "sounds": ["ALARM"]},
        _paid("10087", 1_00),
    ),
    Step(
        "库 -0.01：已冻结",
        {"outcome": "refused", "refusal": "card_frozen", "sounds": ["ALARM"]},
        _paid("10089", 1_00),
    ),
    Step(
        "终端静默六天，平账后才上传流水：重复扣款，已冻结",
        {"outcome": "refused", "refusal": "card_frozen", "sounds": ["ALARM"]},
        _paid("10090", 1_00),
    ),
    Step("已挂失", {"outcome": "refused", "refusal": "card_lost", "sounds": ["ALARM"]}, _paid("10091", 1_00)),
    Step("待领 50.00 到账", {"outcome": "paid", "card_fen": 67_40, "book_fen": 67_40}, _paid("10092", 5_50)),
    Step("30.00 不需密码", {"outcome": "paid"}, _paid("10093", 30_00)),
    Step("累计恰好 50.00 不需密码", {"outcome": "paid", "card_fen": 16_00}, _paid("10093", 20_00)),
    Step(
        "再多 0.01：------", {"refusal": "password_needed", "led": "------", "sounds": []}, _paid("10093", 1)
    ),
    Step("输入消费密码", {"outcome": "paid", "card_fen": 15_99, "book_fen": 15_99}, _with_password),
    Step("撤销 3.00", {"card_fen": 67_40, "book_fen": 67_40}, _void),
    Step("断网：脱机消费 2.00", {"outcome": "paid_offline", "card_fen": 19_60, "sounds": ["OK"]}, _offline),
    Step("恢复联网：流水上传", {"outcome": "balance", "card_fen": 19_60, "book_fen": 19_60}, _back_online),
    Step("持卡人在网站看到", {"status": 200, "book_shown": True}, _portal),
    Step(
        "对账台：重复扣款 23.40 待退还",
        {
            "DOUBLE": 9,
            "EXCESS": 1,
            "FORK": 1,
            "frozen": ["late_upload"],
            "book_fen": 17_80,
            "late_fen": 23_40,
            "silent_days": [6, 3],
        },
        _desk,
    ),
    Step(
        "退还恰好 23.40，只退一次",
        {"done": "done", "again": "refused_case_closed", "book_fen": 41_20, "frozen": ["late_upload"]},
        _refund,
    ),
    Step(
        "卡放柜台读卡器上，卡库相符，解冻",
        {"without_card": "refused_card_not_here", "read": True, "done": "done", "frozen": []},
        _unfreeze,
    ),
    Step(
        "解冻后照常消费",
        {"outcome": "paid", "card_fen": 40_20, "book_fen": 40_20, "sounds": ["OK"]},
        _paid(str(LATE), 1_00),
    ),
    Step("对账", {"levelled": 0}, _command("reconcile")),
    Step("核对全部不变量", {"ok": True, "broken": []}, _command("verify")),
)


def play(stage: Stage) -> dict[str, Any]:
    """Play every step and report what was expected and what was seen. The shape is fixed (docs)."""
    till = subprocess.Popen(
        bound(stage.till_command("--console", "json")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    playing = Play(stage, till)
    threading.Thread(target=_listen, args=(till, playing.events), daemon=True).start()
    try:
        steps = [_run(step, playing) for step in STEPS]
    finally:
        till.terminate()
        till.wait(20)
    return {"ok": all(step["ok"] for step in steps), "steps": steps}


def _run(step: Step, playing: Play) -> dict[str, Any]:
    try:
        told = step.play(playing)
    except (NotReady, CommandError) as problem:
        told = {"problem": str(problem)}
    seen = {name: told.get(name) for name in step.expected}
    if "problem" in told:
        seen["problem"] = told["problem"]
    return {"name": step.name, "expected": step.expected, "seen": seen, "ok": seen == step.expected}


def _listen(till: subprocess.Popen[str], events: queue.Queue[Seen]) -> None:
    for line in till.stdout or ():
        events.put(json.loads(line))
