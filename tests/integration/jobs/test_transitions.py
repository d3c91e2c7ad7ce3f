"""Any sequence of transitions, held against a model of one page: what waits, who holds what, what has failed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from moorage.metadata.database import Database
from moorage.metadata.jobs import administration, claims
from moorage.metadata.jobs.enqueueing import enqueue
from moorage.metadata.jobs.records import Beat, ClaimedJob
from moorage.metadata.transaction import Transaction
from moorage.model.jobs import JobState, Lane
from tests.integration.jobs.payloads import Number

KEYS = st.sampled_from([None, "k", "l"])
LONG = 3600.0
_names = itertools.count()


@dataclass
class Expected:
    """A job as it should be."""

    id: int
    key: str | None
    state: JobState = JobState.READY
    is_due: bool = True
    attempts: int = 0
    epoch: int = 0
    is_cancelled: bool = False


@dataclass
class Model:
    """The queue in memory."""

    jobs: dict[int, Expected] = field(default_factory=dict)

    def of_key(self, key: str | None, state: JobState) -> Expected | None:
        return next((job for job in self.jobs.values() if key is not None and job.key == key and job.state is state), None)

    def held(self, claimed: ClaimedJob) -> Expected | None:
        job = self.jobs.get(claimed.id)
        return job if job is not None and job.state is JobState.LEASED and job.epoch == claimed.epoch else None

    def drop_failed(self, key: str | None) -> None:
        failed = self.of_key(key, JobState.FAILED)
        if failed is not None:
            del self.jobs[failed.id]

    def claimable(self) -> list[Expected]:
        return [
            job
            for job in sorted(self.jobs.values(), key=lambda each: each.id)
            if job.state is JobState.READY and job.is_due and self.of_key(job.key, JobState.LEASED) is None
        ]

    def give_back(self, job: Expected, attempts: int, *, is_due: bool) -> None:
        waiting = self.of_key(job.key, JobState.READY)
        if job.is_cancelled:
            del self.jobs[job.id]
        elif waiting is None:
            job.state, job.attempts, job.is_due = JobState.READY, attempts, is_due
        else:
            del self.jobs[job.id]
            waiting.attempts, waiting.is_due = max(waiting.attempts, attempts), waiting.is_due and is_due


class Queue(RuleBasedStateMachine):
    """One kind in one database, which all runs share; each run has a kind of its own."""

    db: Database
    claimed: Bundle[ClaimedJob] = Bundle("claimed")

    def __init__(self) -> None:
        super().__init__()
        self.kind, self.model = f"kind-{next(_names)}", Model()

    def write(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return self.db.run_write(function, *arguments, **named)

    @rule(key=KEYS, is_due=st.booleans())
    def enqueue(self, key: str | None, is_due: bool) -> None:
        job_id = self.write(enqueue, self.kind, Number(), unique_key=key, delay_seconds=0.0 if is_due else LONG)
        waiting = self.model.of_key(key, JobState.READY)
        if waiting is None:
            assert job_id not in self.model.jobs
            self.model.jobs[job_id] = Expected(job_id, key, is_due=is_due)
        else:
            assert job_id == waiting.id
            waiting.is_due = waiting.is_due or is_due

    @rule(target=claimed, is_over=st.booleans())
    def claim(self, is_over: bool) -> Any:
        found = self.write(claims.claim, self.kind, Lane.SMALL, 1, 0.0 if is_over else LONG, "test")
        expected = self.model.claimable()
        assert bool(found) == bool(expected)
        if not found:
            return ClaimedJob(0, 0, self.kind, None, Lane.SMALL, "", 0)
        (job,) = found
        row = next(each for each in expected if each.id == job.id)
        row.state, row.attempts, row.epoch, row.is_cancelled = JobState.LEASED, row.attempts + 1, row.epoch + 1, False
        assert (job.unique_key, job.attempts, job.epoch) == (row.key, row.attempts, row.epoch)
        return job

    @rule(job=claimed)
    def finish(self, job: ClaimedJob) -> None:
        row = self.model.held(job)
        assert self.write(claims.finish, [job]) == ({job.id} if row else set())
        if row is not None:
            del self.model.jobs[row.id]
            self.model.drop_failed(row.key)

    @rule(job=claimed)
    def fail(self, job: ClaimedJob) -> None:
        row = self.model.held(job)
        assert self.write(claims.fail, job, "no") == bool(row)
        if row is not None:
            if row.is_cancelled:
                del self.model.jobs[row.id]
            else:
                self.model.drop_failed(row.key)
                row.state = JobState.FAILED

    @rule(job=claimed, is_due=st.booleans(), uses_one=st.booleans())
    def give_back(self, job: ClaimedJob, is_due: bool, uses_one: bool) -> None:
        row = self.model.held(job)
        attempts = max(0, job.attempts - (not uses_one))
        done = self.write(claims.give_back, job, attempts=attempts, delay_seconds=0.0 if is_due else LONG, error=None)
        assert done == bool(row)
        if row is not None:
            self.model.give_back(row, attempts, is_due=is_due)

    @rule(job=claimed)
    def extend(self, job: ClaimedJob) -> None:
        row = self.model.held(job)
        beats = [Beat(job.id, job.epoch, round(LONG * 1_000_000), (1, 2))]
        assert self.write(claims.extend, beats) == ({job.id: row.is_cancelled} if row else {})

    @rule()
    def end_what_ran_out(self) -> None:
        def end(tx: Transaction) -> list[int]:
            lost = [job for job in claims.lost(tx, 1000) if job.kind == self.kind]
            for job in lost:
                assert claims.give_back(tx, job, attempts=job.attempts, delay_seconds=0.0, error="lost")
            return [job.id for job in lost]

        for job_id in self.write(end):
            row = self.model.jobs[job_id]
            assert row.state is JobState.LEASED
            self.model.give_back(row, row.attempts, is_due=True)

    @rule(choice=st.integers(min_value=0, max_value=5))
    def retry(self, choice: int) -> None:
        row = self._one(choice)
        if row is None:
            return
        assert self.write(administration.retry, row.id) is row.state
        waiting = self.model.of_key(row.key, JobState.READY)
        if row.state is JobState.FAILED and waiting is not None:
            del self.model.jobs[row.id]
            waiting.is_due = True
        elif row.state is not JobState.LEASED:
            row.attempts = 0 if row.state is JobState.FAILED else row.attempts
            row.state, row.is_due = JobState.READY, True

    @rule(choice=st.integers(min_value=0, max_value=5))
    def cancel(self, choice: int) -> None:
        row = self._one(choice)
        if row is None:
            return
        assert self.write(administration.cancel, row.id) is row.state
        if row.state is JobState.LEASED:
            row.is_cancelled = True
        else:
            del self.model.jobs[row.id]

    def _one(self, choice: int) -> Expected | None:
        rows = sorted(self.model.jobs.values(), key=lambda job: job.id)
        return rows[choice % len(rows)] if rows else None

    @invariant()
    def rows_are_as_expected(self) -> None:
        rows = self.db.run_read(administration.list_page, kind=self.kind, count=1000)
        found = [(row.id, row.unique_key, row.state, row.attempts, row.is_cancelled) for row in rows]
        assert found == [
            (job.id, job.key, job.state, job.attempts, job.is_cancelled)
            for job in sorted(self.model.jobs.values(), key=lambda each: each.id)
        ]


@pytest.mark.timeout(250)
def test_any_sequence(db: Database) -> None:
    machine = type("QueueOfThisDatabase", (Queue,), {"db": db})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)),
    )
