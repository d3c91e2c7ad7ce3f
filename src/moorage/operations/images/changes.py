"""What becomes of an image is told here, in the transaction that does it: the one place where engines join in.

Replication asks for its copies here. Scanning on push, signing, notifications and whatever else follows a push is enqueued here
as a job, in the same transaction: a change and its consequences stand or fall together.
"""

from __future__ import annotations

from enum import Enum, auto

from moorage.metadata.records import Repository
from moorage.metadata.transaction import Transaction
from moorage.operations.replication import rules as replication


class Change(Enum):
    """What happened."""

    PUSHED = auto()
    """Its manifest is new in the repository."""
    TAGGED = auto()
    """A tag was moved to it."""
    RESTORED = auto()
    """It came back from the archive."""


def image_changed(tx: Transaction, repository: Repository, manifest_id: int, change: Change) -> None:
    """An image is new, has another tag, or is back: what follows from that is asked for."""
    if change in {Change.PUSHED, Change.TAGGED, Change.RESTORED}:
        replication.ask(tx, repository, manifest_id)
