"""``moorage jobs``: what waits, runs and has failed in the background. Works beside running servers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from moorage.cli.exits import REFUSED, fail
from moorage.cli.installed import opened
from moorage.cli.options import INSTALLATION, with_settings
from moorage.cli.output import show, with_output
from moorage.server.settings import Loaded

if TYPE_CHECKING:
    from moorage.metadata.database import Database
    from moorage.metadata.jobs.records import JobRow

_PAGE = 500
_STATES = ("ready", "leased", "failed")


@click.group()
def jobs() -> None:
    """Background jobs: list them, look at one, try a failed one again, cancel one."""


@jobs.command("list")
@click.option(
    "--state", type=click.Choice(_STATES), metavar="ready|leased|failed", help="only those that wait, run or have failed"
)
@click.option("--kind", metavar="KIND", help="only those of a kind")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, metavar="NUMBER", help="how many at most")
@with_output
@with_settings(*INSTALLATION)
def list_jobs(loaded: Loaded, state: str | None, kind: str | None, limit: int, form: str) -> None:
    """Print jobs, the oldest first. Those that are done are not kept; failed ones are for 30 days."""
    with opened(loaded) as installation:
        found = [job for job, _ in zip(_all(installation.db, state, kind), range(limit + 1), strict=False)]
    data = [_data(job) for job in found[:limit]]
    if len(found) > limit:
        click.echo(f"moorage: there are more: see --limit, now {limit}", err=True)
    rows = [
        {name: line[name] for name in ("id", "kind", "key", "lane", "state", "attempts", "runAfter", "error")} for line in data
    ]
    show(form, data, "\n".join(_line(job) for job in found[:limit]) or "no jobs", rows)


@jobs.command("show")
@click.argument("job_id", metavar="ID", type=int)
@with_output
@with_settings(*INSTALLATION)
def show_job(loaded: Loaded, job_id: int, form: str) -> None:
    """Print all that is known of a job: how far it is, why it failed."""
    from moorage.metadata.jobs import administration

    with opened(loaded) as installation:
        found = installation.db.run_read(administration.find, job_id)
    if found is None:
        fail(_absent(job_id))
    data = _data(found)
    show(form, data, "\n".join(f"{name}: {_text(value)}" for name, value in data.items() if value is not None))


@jobs.command("retry")
@click.argument("job_ids", metavar="[ID]...", type=int, nargs=-1)
@click.option("--failed", is_flag=True, help="all that have failed, in the place of ids")
@click.option("--kind", metavar="KIND", help="with --failed: only those of a kind")
@with_settings(*INSTALLATION)
def retry(loaded: Loaded, job_ids: tuple[int, ...], *, failed: bool, kind: str | None) -> None:
    """Run jobs now: those that have failed, with all of their attempts, and those that wait for a later time."""
    from moorage.metadata.jobs import administration
    from moorage.model.jobs import JobState

    if bool(job_ids) is failed or (kind is not None and not failed):
        raise click.UsageError("name jobs by their ids, or all that have failed by --failed, of one kind with --kind")
    with opened(loaded) as installation:
        ids = [job.id for job in _all(installation.db, "failed", kind)] if failed else list(job_ids)
        missed = 0
        for job_id in ids:
            state = installation.db.run_write(administration.retry, job_id)
            if state is None and not failed:
                click.echo(f"moorage: {_absent(job_id)}", err=True)
                missed += 1
            elif state is JobState.LEASED:
                click.echo(f"job {job_id} runs already")
            elif state is not None:
                click.echo(f"job {job_id} runs as soon as a server has room")
        if failed and not ids:
            click.echo("no job has failed")
    sys.exit(REFUSED if missed else 0)


@jobs.command("cancel")
@click.argument("job_ids", metavar="ID...", type=int, nargs=-1, required=True)
@with_settings(*INSTALLATION)
def cancel(loaded: Loaded, job_ids: tuple[int, ...]) -> None:
    """Remove jobs that wait or have failed, and stop those that run."""
    from moorage.metadata.jobs import administration
    from moorage.model.jobs import JobState

    missed = 0
    with opened(loaded) as installation:
        for job_id in job_ids:
            state = installation.db.run_write(administration.cancel, job_id)
            if state is None:
                click.echo(f"moorage: {_absent(job_id)}", err=True)
                missed += 1
            elif state is JobState.LEASED:
                click.echo(f"job {job_id} runs: it is told to stop within seconds")
            else:
                click.echo(f"job {job_id} is removed")
    sys.exit(REFUSED if missed else 0)


def _all(db: Database, state: str | None, kind: str | None) -> Iterator[JobRow]:
    from moorage.metadata.jobs import administration
    from moorage.model.jobs import JobState

    wanted, after = None if state is None else JobState(state), 0
    while page := db.run_read(administration.list_page, kind=kind, state=wanted, after=after, count=_PAGE):
        yield from page
        after = page[-1].id


def _absent(job_id: int) -> str:
    return f"there is no job {job_id}: it is done, was cancelled, or never was; see moorage jobs list"


def _data(job: JobRow) -> dict[str, Any]:
    left = job.seconds_left
    return {
        "id": job.id,
        "kind": job.kind,
        "key": job.unique_key or None,
        "lane": job.lane.name.lower(),
        "state": str(job.state),
        "attempts": job.attempts,
        "error": job.last_error,
        "payload": json.loads(job.payload),
        "enqueuedAt": _time(job.enqueued_at),
        "runAfter": _time(job.run_after),
        "begunAt": _time(job.begun_at),
        "failedAt": _time(job.failed_at),
        "leasedBy": job.leased_by,
        "leaseUntil": _time(job.lease_until or None),
        "cancelled": job.is_cancelled or None,
        "done": job.done,
        "total": job.total,
        "perSecond": None if job.rate is None else round(job.rate, 3),
        "secondsLeft": None if left is None else round(left),
    }


def _line(job: JobRow) -> str:
    words = [str(job.id), job.kind, str(job.state), f"attempts {job.attempts}"]
    if job.unique_key:
        words.append(f"key {job.unique_key}")
    if job.done is not None:
        words.append(f"done {job.done}" + (f" of {job.total}" if job.total is not None else ""))
    if job.seconds_left is not None:
        words.append(f"{round(job.seconds_left)} s left")
    if job.last_error:
        words.append(f"error: {' '.join(job.last_error.split())}")
    return "  ".join(words)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _time(micros: int | None) -> str | None:
    return None if micros is None else datetime.fromtimestamp(micros // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
