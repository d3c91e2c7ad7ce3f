"""A node of the tests: a process that runs jobs, to be killed or stopped. A program:

    python -m tests.integration.jobs.node URL FOLDER NAME

Its jobs write into FOLDER what they do: a line for each run into ``runs``, one for each end into ``ends``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from moorage.jobs.job_kinds import Kind, Periodic, Registry
from moorage.jobs.lease import Work
from moorage.jobs.periodic import Schedule
from moorage.jobs.runner import Runner
from moorage.metadata.opening import open_database
from moorage.metadata.transaction import Transaction
from moorage.model.jobs import LeaseLost
from tests.integration.jobs.payloads import Number

LEASE_SECONDS = 2.0
SLOT_SECONDS = 1


def note(folder: Path, file: str, text: str) -> None:
    """Add a line, whole, whoever else adds one."""
    descriptor = os.open(folder / file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


async def main(url: str, folder: Path, name: str) -> None:
    """Run jobs until this process is killed."""
    db = open_database(url)

    async def wait(work: Work, payload: Number) -> None:
        """Ends when the test says so, and even if it is told to stop it wants to write what it has found."""
        note(folder, "runs", f"{name} {payload.number} {work.job.attempts}")
        with contextlib.suppress(asyncio.CancelledError):
            while not (folder / "go-on").exists():  # noqa: ASYNC110  # another process makes it
                await asyncio.sleep(0.02)
        is_written = False
        while not is_written:
            try:
                await db.write(confirm, work)
                is_written = True
            except asyncio.CancelledError:
                continue
            except LeaseLost:
                note(folder, "refused", f"{name} {payload.number} {work.job.attempts}")
                raise
        note(folder, "ends", f"{name} {payload.number} {work.job.attempts}")

    def confirm(tx: Transaction, work: Work) -> None:
        work.hold(tx)

    async def tick(work: Work, payload: Number) -> None:
        note(folder, "ticks", name)

    kinds = [
        Kind("wait", Number, wait, lease_seconds=LEASE_SECONDS, pause_seconds=0.1, attempts=2),
        Kind("tick", Number, tick),
    ]
    registry = Registry(kinds, [Periodic("tick", SLOT_SECONDS)] if "ticking" in name else [])
    runner = Runner(db, registry, name, poll_seconds=0.2)
    note(folder, "started", name)
    await asyncio.gather(runner.run(), Schedule(db, registry.periodic).run())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
