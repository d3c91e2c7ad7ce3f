"""Principals by their ARNs: what policies name them by, and the unique ids that they are bound to."""

from __future__ import annotations

import re

from moorage.metadata.identity import identities
from moorage.metadata.registry import registries
from moorage.metadata.transaction import ReadTransaction
from moorage.model.identity import Kind, account_of_root, parse_iam_arn

_SESSION = re.compile(
    r"arn:aws:sts::([0-9]{12}):(?:assumed-role/([\w+=,.@-]{1,64})/[\w+=,.@-]{2,64}|federated-user/[\w+=,.@-]{2,32})", re.ASCII
)


def unique_id_of(tx: ReadTransaction, arn: str) -> str | None:
    """The unique id of the principal that an ARN names, in any account of this server; None: there is none.

    A user or a role by its ARN to the letter, path and case included; a role's session: the role; a root or twelve digits: the
    account itself; a federated user: its account and name. Groups are no principals.
    """
    account = account_of_root(arn)
    if account is not None:
        return account if registries.account_exists(tx, account) else None
    session = _SESSION.fullmatch(arn)
    if session is not None:
        if session[2] is None:
            return f"{session[1]}:{arn.rpartition('/')[2]}" if registries.account_exists(tx, session[1]) else None
        role = identities.find(tx, session[1], "role", session[2])
        return role.id if role is not None and role.name == session[2] else None
    parts = parse_iam_arn(arn)
    if parts is None or parts.kind not in {"user", "role"}:
        return None
    kind: Kind = "user" if parts.kind == "user" else "role"
    found = identities.find(tx, parts.account, kind, parts.name)
    return found.id if found is not None and found.arn == arn else None


def present_arn(tx: ReadTransaction, arn: str, unique_id: str) -> str | None:
    """The ARN by which a principal goes now that was bound to `unique_id` when it went by `arn`; None: it is gone."""
    if unique_id_of(tx, arn) == unique_id:
        return arn
    found = identities.find_by_id(tx, unique_id)
    return found.arn if found is not None and found.kind == "user" else None
