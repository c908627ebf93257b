"""What a desk says to the server, and what it writes down before."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from purse.procedures import Outcome
from terminals.device.client import Client
from terminals.device.journal import BEGIN, WRITING, Journal
from terminals.messages import strictjson
from terminals.messages.jobs import (
    JobAnswer,
    JobCardAnswer,
    JobCardRequest,
    JobProgressRequest,
    JobRequest,
    JobResultRequest,
    JobStateAnswer,
    JobTicket,
)
from terminals.messages.records import Clocks
from terminals.messages.wire import OperationKey

_WHAT = "job "


class DeskClient(Client):
    """The calls of card jobs. Raise ``NoAnswer`` or ``Rejected`` like every call."""

    def job(self, wait_ms: int) -> JobTicket | None:
        """The open job of this desk; the server waits so long before it says that there is none."""
        return self._call("job", JobRequest(wait_ms).to_json(), JobAnswer.parse).job

    def job_progress(self, request: JobProgressRequest) -> JobStateAnswer:
        """Say how far the job is."""
        return self._call("job_progress", request.to_json(), JobStateAnswer.parse)

    def job_card(self, request: JobCardRequest) -> JobCardAnswer:
        """Show a card."""
        return self._call("job_card", request.to_json(), JobCardAnswer.parse)

    def job_result(self, request: JobResultRequest) -> JobStateAnswer:
        """Say how a write ended."""
        return self._call("job_result", request.to_json(), JobStateAnswer.parse)


@dataclass(frozen=True, slots=True)
class Untold:
    """How a shown card ended, which the server has not confirmed to have heard."""

    key: OperationKey
    job: uuid.UUID
    outcome: Outcome


class DeskJournal(Journal):
    """The desk's diary: one operation key for each card that is shown, noted before the question leaves."""

    def show(self, job: uuid.UUID, uid: bytes, at_ms: int) -> OperationKey:
        """Claim a key for showing this card for this job."""
        return self.begin(uid=uid, fen=0, what=f"{_WHAT}{job}", at_ms=at_ms)

    def cut_off(self) -> int:
        """Close what a power cut left open: certain where nothing was about to be written. Returns how many."""
        left = self.begun()
        for begun in left:
            touched = self._body(begun.key.seq, WRITING) is not None
            outcome = Outcome.UNKNOWN if touched else Outcome.NOT_WRITTEN
            self.end(begun.key, "cut_off", report=outcome.value)
        return len(left)

    def untold(self) -> list[Untold]:
        """The endings that must still go up, the oldest first."""
        found = []
        for report in self.unreported():
            what = str((self._body(report.seq, BEGIN) or {}).get("what", ""))
            key = OperationKey(self.terminal, self.id, report.seq)
            found.append(Untold(key, uuid.UUID(what.removeprefix(_WHAT)), Outcome(report.outcome)))
        return found

    def heard(self, key: OperationKey) -> None:
        """The server has heard how this key ended."""
        self.reported([(key.journal, key.seq)])

    def reboot(self, boot: int, clocks: Clocks, hotlist_version: int) -> None:
        """Take a higher boot number. A desk uploads nothing, so no record is made of it."""
        with self._store.writing() as db:
            db.execute("UPDATE journal SET last_boot = max(last_boot, ?)", (boot,))
        self.boot = boot

    def _body(self, key_seq: int, name: str) -> dict[str, object] | None:
        with self._store.reading() as db:
            row = db.execute(
                "SELECT body FROM step WHERE key_seq = ? AND name = ? ORDER BY seq LIMIT 1", (key_seq, name)
            ).fetchone()
        return strictjson.loads(row[0].encode()) if row else None
