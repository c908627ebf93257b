"""What the till does between taps: one thread that reports, uploads, fetches the hotlist and shows it is alive."""

from __future__ import annotations

import http
import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from terminals.device.client import Client, NoAnswer, Rejected
from terminals.device.clock import Clock
from terminals.device.hotlist import Hotlist
from terminals.device.journal import Journal
from terminals.device.leftovers import Leftovers
from terminals.device.sale import Sales
from terminals.device.store import JournalBroken
from terminals.messages.records import MAX_RECORDS, UploadRequest
from terminals.messages.upkeep import HeartbeatRequest, HotlistRequest

ROUND_S = 0.4
"""Outcomes go up within a second of their tap."""
HEARTBEAT_S = 60.0
HOTLIST_S = 30.0
DEAD_LINE_S = 2.0
"""How often a dead line is tried."""
BACK_OFF_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
MAX_PAGES = 50
PRUNE_S = 3_600.0

_log = logging.getLogger("terminals.device")


class Background:
    """One round after the other until ``stop``. While a tap is ``busy`` it begins none."""

    def __init__(
        self,
        *,
        client: Client,
        journal: Journal,
        hotlist: Hotlist,
        sales: Sales,
        clock: Clock,
        leftovers: Leftovers | None = None,
    ) -> None:
        self._leftovers = leftovers or Leftovers(())
        self._client = client
        self._journal = journal
        self._hotlist = hotlist
        self._orders = sales.orders
        self._clock = clock
        self.busy: Callable[[], bool] = lambda: False
        """Whether a tap is under way."""
        self._stop = threading.Event()
        self._turn = threading.Lock()
        self._greeted = threading.Event()
        self._heartbeat_at = self._hotlist_at = self._upload_at = self._keys_at = -1e9
        self._pruned_at = clock.mono()
        self._failures = 0
        self._batch = MAX_RECORDS
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)

    def start(self, *, within_s: float = 0.0) -> None:
        """Begin, and wait that long for the first round to end."""
        self._thread.start()
        self._greeted.wait(within_s)

    def stop(self) -> None:
        """End; a call under way is cut off."""
        self._stop.set()
        self._client.close()
        if self._thread.is_alive():
            self._thread.join(timeout=6)
        self._leftovers.close()

    def greet(self) -> bool:
        """Find out at once whether the server is there, and fetch the hotlist. Says whether it is."""
        with self._turn:
            self._heartbeat_at = self._hotlist_at = self._upload_at = self._keys_at = -1e9
            self._failures = 0
        return self.round()

    def upload_now(self) -> bool:
        """Hand over everything that waits, now. False when the server cannot be reached."""
        with self._turn:
            self._upload_at = -1e9
        return self.round()

    def round(self) -> bool:
        """Do whatever is due, once. False when something was left undone."""
        with self._turn:
            try:
                self._prune()
                self._talk()
                self._upload()
                self._leftovers.hand_over(self._client)
            except (NoAnswer, Rejected, JournalBroken):
                # A dead line is tried again in the next round; a broken journal is shown on the display.
                return False
            return True

    def _talk(self) -> None:
        """What a terminal in good standing says and asks; of one that was shut out only the journal is still wanted."""
        try:
            self._heartbeat()
            self._report()
            self._refresh_hotlist()
        except Rejected as error:
            if error.status != http.HTTPStatus.FORBIDDEN:
                raise

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self.busy():
                try:
                    self.round()
                except Exception:  # noqa: BLE001 - a till whose background has died would never upload again
                    _log.exception("background.fault")
            self._greeted.set()
            self._stop.wait(ROUND_S)

    def _prune(self) -> None:
        now = self._clock.mono()
        if now - self._pruned_at >= PRUNE_S:
            self._pruned_at = now
            self._journal.prune(self._clock.now_ms())

    def _heartbeat(self) -> None:
        now = self._clock.mono()
        if now - self._heartbeat_at < (HEARTBEAT_S if self._client.up else DEAD_LINE_S):
            return
        self._heartbeat_at, was_up = now, self._client.up
        seq, mac = self._journal.last_record()
        answer = self._client.heartbeat(
            HeartbeatRequest(
                journal=self._journal.id,
                journal_seq=seq,
                journal_mac=mac,
                unsent=self._journal.unsent_count(),
                hotlist_version=self._hotlist.kept.version,
                offset_ms=self._clock.offset_ms,
                free_mb=self._journal.free_mb(),
            )
        )
        if not was_up:
            self._upload_at, self._failures = -1e9, 0
        self._orders.heard(answer.policy, may_sell_offline=answer.may_sell_offline)
        if not self._hotlist.confirmed(answer.hotlist_version, self._clock.now_ms()):
            self._hotlist_at = -1e9
        if answer.again_from is not None and self._journal.hand_in_again(answer.again_from):
            self._upload_at, self._failures = -1e9, 0
        self._fetch_keys()

    def _fetch_keys(self) -> None:
        """Offline selling was switched on after the enrolment: get what it takes."""
        now = self._clock.mono()
        if self._orders.lacks_keys and now - self._keys_at >= HEARTBEAT_S:
            self._keys_at = now
            try:
                self._orders.given(self._client.card_keys())
            except Rejected as error:
                _log.warning("keys.refused", extra={"why": str(error)})

    def _report(self) -> None:
        if not self._client.up:
            raise NoAnswer("the line is dead")
        while reports := self._journal.unreported():
            recorded = self._client.outcomes(reports)
            if not recorded:
                return
            self._journal.reported(recorded)

    def _refresh_hotlist(self) -> None:
        now = self._clock.mono()
        if now - self._hotlist_at < HOTLIST_S:
            return
        self._hotlist_at = now
        for _ in range(MAX_PAGES):
            kept = self._hotlist.kept
            answer = self._client.hotlist(HotlistRequest(kept.version, kept.seen_until_ms))
            if not self._hotlist.apply(answer, self._clock.now_ms()) or not answer.more:
                return

    def _upload(self) -> None:
        """Oldest first. After a failure wait longer each time and send less at once: the line may be that slow."""
        if self._clock.mono() < self._upload_at:
            return
        try:
            while not self._stop.is_set() and (records := self._journal.unsent(self._batch)):
                answers = self._client.upload(UploadRequest(tuple(records))).answers
                if len(answers) != len(records):
                    raise NoAnswer("not every record was answered")
                # One answer a record, in the order sent: also to one that was too broken to tell its number.
                answers = tuple(
                    replace(answer, seq=record["seq"])
                    for record, answer in zip(records, answers, strict=True)
                )
                self._journal.answered(answers, self._clock.now_ms())
                self._batch = min(MAX_RECORDS, self._batch * 2)
        except (NoAnswer, Rejected):
            self._upload_at = self._clock.mono() + BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
            self._failures += 1
            self._batch = max(1, self._batch // 4)
            raise
        self._failures = 0
