"""What the IAM operations work with, and how their lists are paged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moorage.auth.cursors import Cursors
from moorage.keys.root_key import RootKey
from moorage.metadata.database import Database
from moorage.model import identity_limits
from moorage.model.clock import Clock
from moorage.operations.identity.paging import Key, Page
from moorage.transfer.work import Pools
from moorage.wire.aws.service import Call

_PAGING = frozenset(("Marker", "MaxItems"))


@dataclass(frozen=True, slots=True)
class IamContext:
    """Made once by the composition root. `pools` has the threads in which passwords are hashed."""

    db: Database
    root_key: RootKey
    cursors: Cursors
    clock: Clock
    pools: Pools

    def page_asked(self, call: Call) -> tuple[Key, int]:
        """The key that the page comes after, and its size. Raises TokenInvalid."""
        marker = call.get("Marker")
        return (self.cursors.open(_binding(call), marker) if marker else ()), call.get("MaxItems") or identity_limits.PAGE_DEFAULT

    def page_shown(self, call: Call, page: Page[Any]) -> dict[str, Any]:
        """The members of the answer that say whether there is more."""
        marker = self.cursors.seal(_binding(call), page.last) if page.last is not None else None
        return {"IsTruncated": marker is not None, "Marker": marker}


def _binding(call: Call) -> str:
    """The list that a marker belongs to: an operation, an account and filters."""
    filters = {name: value for name, value in call.params.items() if name not in _PAGING}
    return f"iam|{call.operation}|{call.signer.account_id}|{json.dumps(filters, sort_keys=True)}"


def pairs(tags: Sequence[dict[str, str]] | None) -> list[tuple[str, str]]:
    """Tags of a request as pairs."""
    return [(tag["Key"], tag["Value"]) for tag in tags or ()]
