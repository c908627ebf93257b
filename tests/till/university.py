"""A server of a university in one process: the wire shapes and signatures are real, the book is a few dictionaries.

It keeps the promises of the real one (same key same answer, healing, tombstones), so that tests of the till can ask in
the end: does the book agree with the card?
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from purse.evidence import (
    Finding,
    Leg,
    Side,
    SideMirror,
    State,
    confirm,
    observe,
    tell,
    with_told,
    without_leg,
    written_offline,
)
from purse.keys import OFFLINE_TILL, ONLINE_TILL, KeyBundle, Role
from purse.policy import Policy
from purse.procedures import (
    CardDamaged,
    ClassicDriver,
    Day,
    ForeignCard,
    Personalisation,
    RawCard,
    decode,
    load_image,
    load_sector,
    spend_image,
)
from purse.rules import DebitFacts, Pin, Refusal, Standing, refuse_debit, refuse_standing
from terminals.device.clock import CHINA
from terminals.device.reader.field import Field
from terminals.device.reader.model import ClassicCard
from terminals.messages import strictjson
from terminals.messages.records import Record, RecordAnswer, Result, UploadAnswer, UploadRequest
from terminals.messages.signing import (
    REQUEST_HEADER,
    RESPONSE_HEADER,
    Request,
    Stamp,
    TerminalKeys,
    document_genuine,
    operation_text,
    parse_authorization,
    seal,
    seal_keys,
    sign_response,
    terminal_secret,
    verify_request,
)
from terminals.messages.upkeep import (
    EnrolAnswer,
    HeartbeatAnswer,
    HeartbeatRequest,
    HotlistAnswer,
    HotlistRequest,
    KeysAnswer,
)
from terminals.messages.wire import (
    DebitRequest,
    OutcomeReport,
    SightingRequest,
    TapAnswer,
    VoidRequest,
    Write,
)

TERMINAL, EPOCH = 7, 1
MASTER = bytes(range(32))
CARD_KEYS = KeyBundle.from_master(1, bytes(range(32, 64)))
TODAY = datetime.now(CHINA).date()
WRONG_PINS = 3


@dataclass
class Account:
    """One holder with one card."""

    number: int
    uid: bytes
    book_fen: int
    spend: SideMirror
    load: SideMirror
    standing: Standing = field(default_factory=Standing)
    limit_fen: int = 50_00
    today_fen: int = 0
    unclaimed_fen: int = 0
    pin: str = "170114"
    wrong: int = 0
    entries: int = 0


@dataclass
class Done:
    """What a key did, to take it back."""

    account: Account
    entry: int
    fen: int
    answer: TapAnswer | None
    voided: bool = False


@dataclass
class University:
    """The book and the switches that break the line."""

    policy: Policy = field(default_factory=Policy)
    offline: bool = True
    accounts: dict[bytes, Account] = field(default_factory=dict)
    keys: dict[tuple[str, int], Done] = field(default_factory=dict)
    records: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    reports: list[OutcomeReport] = field(default_factory=list)
    hot: list[tuple[str, Refusal | None]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    drop_answers: int = 0
    """Answers that are lost after the server has acted."""
    forge_answers: int = 0
    reject: int = 0
    """A signed status to answer with, instead of acting."""
    deaf_s: float = 0.0
    contact: tuple[int, int] = (0, 0)
    """The highest (boot, seq) that was heard."""
    replays: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    # -- setting up -----------------------------------------------------------------------------------------

    def config(self) -> EnrolAnswer:
        roles = OFFLINE_TILL if self.offline else ONLINE_TILL
        return EnrolAnswer(
            terminal=TERMINAL,
            epoch=EPOCH,
            secret=terminal_secret(MASTER, TERMINAL, EPOCH).hex(),
            card_keys=CARD_KEYS.only(roles).to_json(),
            kind="till",
            name_zh="7号",
            name_en="No. 7",
            campus="崂山",
            merchant="学子餐厅",
            may_sell_offline=self.offline,
            policy=self.policy,
            server_ms=int(time.time() * 1000),
        )

    def issue(self, number: int, fen: int, **changes: Any) -> ClassicCard:
        """Open an account and make its card."""
        card = ClassicCard.blank(number.to_bytes(4, "big"))
        space = Field()
        space.place(card)
        limit_fen = changes.get("limit_fen", 50_00)
        who = Personalisation(number, 1, 1, 1, None, bytes(8), limit_fen, TODAY, load_total_fen=fen)
        ClassicDriver(space.select(), CARD_KEYS).prepare(who)
        zero, full = State(0, 0, 0), State(0, fen, 0)
        account = Account(number, card.uid, fen, SideMirror(zero, zero), SideMirror(full, full))
        for name, value in changes.items():
            setattr(account, name, value)
        self.accounts[card.uid] = account
        return card

    # -- calls ----------------------------------------------------------------------------------------------

    def answer(self, name: str, body: bytes) -> dict[str, Any]:
        message = strictjson.loads(body)
        match name:
            case "debit":
                return self.debit(DebitRequest.parse(message)).to_json()
            case "void":
                return self.void(VoidRequest.parse(message)).to_json()
            case "sighting":
                return self.sighting(SightingRequest.parse(message)).to_json()
            case "outcomes":
                reports = [OutcomeReport.parse(item) for item in message["outcomes"]]
                return {"recorded": [list(pair) for pair in self.take_reports(reports)]}
            case "upload":
                return self.upload(UploadRequest.parse(message)).to_json()
            case "heartbeat":
                HeartbeatRequest.parse(message)
                now_ms = int(time.time() * 1000)
                return HeartbeatAnswer(now_ms, self.hot_version, self.offline, self.policy).to_json()
            case "hotlist":
                asked = HotlistRequest.parse(message)
                news = tuple(self.hot[max(0, asked.have - 1) :])
                return HotlistAnswer(
                    version=self.hot_version,
                    whole=asked.have == 0,
                    more=False,
                    entries=news,
                    seen=(),
                    seen_until_ms=asked.seen_since_ms,
                ).to_json()
            case "keys":
                return KeysAnswer(self.sealed_keys()).to_json()
        raise KeyError(name)

    def sealed_keys(self) -> str:
        roles = OFFLINE_TILL if self.offline else ONLINE_TILL
        bundle = CARD_KEYS.only(roles).to_json()
        nonce = len(self.calls).to_bytes(12, "big")
        return seal_keys(_terminal_keys().seal, bundle, terminal=TERMINAL, epoch=EPOCH, nonce=nonce)

    def heard_before(self, stamp: Stamp) -> dict[str, Any] | None:
        """The answer to a request that is not newer than all before it."""
        if (stamp.boot, stamp.seq) > self.contact:
            self.contact = (stamp.boot, stamp.seq)
            return None
        self.replays += 1
        return {"error": "replay", "message": "", "retry": True, "last_boot": self.contact[0]}

    @property
    def hot_version(self) -> int:
        return len(self.hot) + 1

    def debit(self, asked: DebitRequest) -> TapAnswer:
        recorded = self.take_reports(asked.outcomes)
        key = (asked.journal, asked.seq)
        if key in self.keys:
            known = self.keys[key]
            if known.voided and known.answer is None:
                return replace(_nothing(Refusal.VOIDED), recorded=recorded)
            return replace(known.answer, replay=True, recorded=recorded)
        seen = self.see(asked.card)
        if isinstance(seen, Refusal):
            return replace(_nothing(seen), recorded=recorded)
        account = seen
        pin = self.check_pin(account, asked.pin)
        load, claimed_fen = self.claim(account)
        refusal = refuse_debit(
            DebitFacts(
                standing=account.standing,
                amount_fen=asked.fen,
                card_fen=account.load.shown.total_fen
                + account.load.missing_fen
                - account.spend.shown.total_fen
                - account.spend.missing_fen
                + claimed_fen,
                book_fen=account.book_fen + claimed_fen,
                spent_today_fen=account.today_fen,
                limit_fen=account.limit_fen,
                pin=pin,
            ),
            self.policy,
        )
        fen = 0 if refusal else asked.fen
        writes, entry = self.tell(
            account,
            asked.card,
            key,
            fen,
            load if refusal is None else None,
            claimed_fen if refusal is None else 0,
        )
        answer = TapAnswer(
            refusal=refusal,
            book_fen=account.book_fen,
            card_fen=_told_total(account.load) - _told_total(account.spend),
            writes=writes,
            fen=fen,
            claimed_fen=claimed_fen if refusal is None else 0,
            today_fen=account.today_fen,
            limit_fen=account.limit_fen,
            pin_left=max(0, WRONG_PINS - account.wrong) if pin is Pin.WRONG else None,
            recorded=recorded,
            hotlist_version=self.hot_version,
        )
        self.keys[key] = Done(account, entry, fen, answer)
        return answer

    def void(self, asked: VoidRequest) -> TapAnswer:
        recorded = self.take_reports(asked.outcomes)
        key = (asked.journal, asked.seq)
        if key in self.keys:
            return replace(self.keys[key].answer, replay=True)
        seen = self.see(asked.card)
        done = self.keys.get((asked.of_journal, asked.of_seq))
        if isinstance(seen, Refusal) or done is None or done.voided or not done.fen:
            refusal = seen if isinstance(seen, Refusal) else Refusal.NOTHING_TO_VOID
            answer = replace(_nothing(refusal), recorded=recorded)
            self.keys[key] = Done(seen, 0, 0, answer)
            return answer
        done.voided = True
        account = done.account
        account.book_fen += done.fen
        account.today_fen -= done.fen
        account.entries += 1
        state = tell(account.load, fen=done.fen)
        account.load = with_told(
            account.load, state, Leg(account.entries, state.seq, done.fen, TERMINAL, asked.seq)
        )
        answer = TapAnswer(
            refusal=None,
            book_fen=account.book_fen,
            card_fen=state.total_fen - account.spend.shown.total_fen,
            writes=(self.load_write(account, state, key),),
            fen=done.fen,
            recorded=recorded,
        )
        self.keys[key] = Done(account, account.entries, 0, answer)
        return answer

    def sighting(self, asked: SightingRequest) -> TapAnswer:
        recorded = self.take_reports(asked.outcomes)
        seen = self.see(asked.card)
        if isinstance(seen, Refusal):
            return replace(_nothing(seen), recorded=recorded)
        refusal = refuse_standing(seen.standing)
        return TapAnswer(
            refusal=refusal,
            book_fen=seen.book_fen,
            card_fen=seen.load.shown.total_fen - seen.spend.shown.total_fen,
            today_fen=seen.today_fen,
            limit_fen=seen.limit_fen,
            recorded=recorded,
        )

    def take_reports(self, reports: Any) -> tuple[tuple[str, int], ...]:
        for report in reports:
            self.reports.append(report)
            done = self.keys.get((report.journal, report.seq))
            if report.outcome == "abandoned":
                self.abandon(report)
            elif done and done.answer:
                if report.outcome == "written":
                    for write in done.answer.writes:
                        self.confirm(done.account, write)
                elif report.outcome == "written_offline":
                    done.account.spend = written_offline(done.account.spend, entry=done.entry)
        return tuple((report.journal, report.seq) for report in reports)

    def abandon(self, report: OutcomeReport) -> None:
        done = self.keys.setdefault((report.journal, report.seq), Done(None, 0, 0, None))
        if done.voided:
            return
        done.voided = True
        if done.fen:
            account = done.account
            without = without_leg(account.spend, done.entry)
            if without is not None:
                account.spend = without
                account.book_fen += done.fen
                account.today_fen -= done.fen

    def upload(self, asked: UploadRequest) -> UploadAnswer:
        return UploadAnswer(tuple(self.take_record(item) for item in asked.records))

    def take_record(self, item: dict[str, Any]) -> RecordAnswer:
        record = Record.parse(item)
        name = (record.journal, record.seq)
        if name in self.records:
            return RecordAnswer(record.seq, Result.DUPLICATE)
        if not document_genuine(_terminal_keys().jrnl, item):
            return RecordAnswer(record.seq, Result.QUARANTINED, "mac")
        self.records[name] = item
        sale = record.sale
        if sale is None or sale.outcome.value == "not_written":
            return RecordAnswer(record.seq, Result.POSTED)
        if sale.outcome.value == "unknown":
            return RecordAnswer(record.seq, Result.SUSPECT, "uncertain")
        key = (record.journal, sale.key_seq)
        account = self.accounts[bytes.fromhex(sale.uid)]
        known = self.keys.get(key)
        if known is None or not known.fen or known.voided:
            account.book_fen -= sale.fen
            self.keys[key] = Done(account, 0, sale.fen, None)
        return RecordAnswer(record.seq, Result.POSTED)

    # -- inside ---------------------------------------------------------------------------------------------

    def see(self, raw: RawCard) -> Account | Refusal:
        try:
            purse = decode(raw, CARD_KEYS)
        except ForeignCard:
            return Refusal.FOREIGN_CARD
        except CardDamaged:
            return Refusal.UNREADABLE
        account = self.accounts.get(raw.uid)
        if account is None:
            return Refusal.FOREIGN_CARD
        spend, load = observe(account.spend, purse.spend, purse.ring), observe(account.load, purse.load)
        if isinstance(spend, Finding) or isinstance(load, Finding):
            return Refusal.CARD_SUSPECT
        account.spend, account.load = spend, load
        return account

    def check_pin(self, account: Account, pin: str | None) -> Pin:
        if account.wrong >= WRONG_PINS:
            return Pin.LOCKED
        if pin is None:
            return Pin.NOT_GIVEN
        if pin == account.pin:
            account.wrong = 0
            return Pin.RIGHT
        account.wrong += 1
        return Pin.LOCKED if account.wrong >= WRONG_PINS else Pin.WRONG

    def claim(self, account: Account) -> tuple[bool, int]:
        needed = bool(account.unclaimed_fen or account.load.missing_fen)
        return needed, account.unclaimed_fen

    def tell(
        self,
        account: Account,
        raw: RawCard,
        key: tuple[str, int],
        fen: int,
        load: bool | None,
        claimed_fen: int,
    ) -> tuple[tuple[Write, ...], int]:
        writes: list[Write] = []
        if load:
            account.entries += 1
            account.book_fen += claimed_fen
            account.unclaimed_fen -= claimed_fen
            state = tell(account.load, fen=claimed_fen)
            leg = Leg(account.entries, state.seq, claimed_fen, TERMINAL, key[1]) if claimed_fen else None
            account.load = with_told(account.load, state, leg)
            writes.append(self.load_write(account, state, key))
        if fen or account.spend.missing_fen:
            account.entries += 1
            state = tell(account.spend, fen=fen)
            leg = Leg(account.entries, state.seq, fen, TERMINAL, key[1]) if fen else None
            account.spend = with_told(account.spend, state, leg)
            account.book_fen -= fen
            account.today_fen += fen
            image = spend_image(account.uid, account.number, state, Day(TODAY, account.today_fen), CARD_KEYS)
            writes.append(Write(Side.SPEND, state.slot, image))
        return tuple(writes), account.entries

    def load_write(self, account: Account, state: State, key: tuple[str, int]) -> Write:
        image = load_image(account.uid, account.number, state, TODAY, account.limit_fen, CARD_KEYS)
        sealed = seal(
            _terminal_keys().seal,
            uid=account.uid,
            sector=load_sector(),
            operation=operation_text(TERMINAL, *key),
            sector_key=CARD_KEYS.sector_key(account.uid, load_sector(), Role.LOAD),
            nonce=key[1].to_bytes(12, "big"),
        )
        return Write(Side.LOAD, state.slot, image, sealed)

    def confirm(self, account: Account, write: Write) -> None:
        seq, total_fen = int.from_bytes(write.image[:2], "little"), int.from_bytes(write.image[2:6], "little")
        if write.side is Side.SPEND:
            account.spend = confirm(account.spend, seq=seq, total_fen=total_fen)
        else:
            account.load = confirm(account.load, seq=seq, total_fen=total_fen)


class Served:
    """The university behind a port."""

    def __init__(self, university: University) -> None:
        self.university = university
        handler = type("Handler", (_Handler,), {"university": university})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda request, address: None  # lines that break are what it is for
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    university: University
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = self.path.rsplit("/", 1)[1]
        stamp, mac = parse_authorization(self.headers[REQUEST_HEADER])
        verify_request(_terminal_keys(), Request("POST", self.headers["Host"], self.path, body), stamp, mac)
        university = self.university
        with university.lock:
            university.calls.append(name)
            university.bodies.append(body)
            time.sleep(university.deaf_s)
            status, message = 200, university.heard_before(stamp)
            if message:
                status = 401
            elif university.reject:
                status, message = university.reject, {"error": "refused", "message": "拒绝", "retry": False}
            else:
                message = university.answer(name, body)
            lost = name in ("debit", "void") and university.drop_answers > 0
            forged = name in ("debit", "void") and university.forge_answers > 0
            university.drop_answers -= lost
            university.forge_answers -= forged
        if lost:
            self.close_connection = True
            return
        content = strictjson.dumps(message)
        now_ms = int(time.time() * 1000)
        signature = sign_response(
            _terminal_keys(), nonce=stamp.nonce, status=status, body=content, at_ms=now_ms
        )
        if forged:
            signature = signature[:-1] + ("0" if signature[-1] != "0" else "1")
        self.send_response(status)
        self.send_header(RESPONSE_HEADER, signature)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


def _terminal_keys() -> TerminalKeys:
    return TerminalKeys.derive(MASTER, TERMINAL, EPOCH)


def _nothing(refusal: Refusal) -> TapAnswer:
    return TapAnswer(refusal=refusal, book_fen=0, card_fen=0)


def _told_total(mirror: SideMirror) -> int:
    return mirror.told[-1].total_fen if mirror.told else mirror.shown.total_fen
