"""Noting where a card job is, under its lock: one step for each change, the first write told, the end."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from purse.rules import Refusal
from terminals.messages.jobs import Trouble
from terminals.models import CardJob, CardJobStep, JobState
from terminals.services import jobs
from transactions.services.desk import DeskRefusal


def go_to(job: CardJob, state: JobState, trouble: Trouble | None, *, now: datetime) -> None:
    """Note where the job is; one step for each change."""
    changed = (job.state, job.trouble) != (state.value, word(trouble))
    job.state, job.trouble, job.heard_at = state, word(trouble), now
    job.save(update_fields=["state", "trouble", "heard_at", "taken_at"])
    if changed:
        CardJobStep.objects.create(job=job, at=now, state=state, trouble=word(trouble))


def tell(job: CardJob, key: uuid.UUID, detail: dict[str, Any], *, now: datetime) -> None:
    """Note that the desk gets something to write, under this key."""
    job.told, job.state, job.trouble, job.heard_at = True, JobState.WRITING, "", now
    job.save(
        update_fields=["told", "state", "trouble", "heard_at", "uid", "result", "entry_seq", "card_outcome"]
    )
    if not job.steps.filter(key=key).exists():
        CardJobStep.objects.create(job=job, at=now, state=JobState.WRITING, key=key, detail=detail)


def end_refused(job: CardJob, refusal: Refusal | DeskRefusal, *, now: datetime) -> None:
    """Not done; but what this job did before to book or card is not undone by that."""
    state = JobState.STATE_UNKNOWN if job.told else JobState.REFUSED
    jobs.end(job, state, now=now, refusal=refusal.value)


def word(trouble: Trouble | None) -> str:
    return trouble.value if trouble else ""
