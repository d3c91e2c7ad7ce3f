"""Which claims of a provider's tokens describe their subject: ContextProvider and IdentityCenterInstanceArn of IAM.

Kept and shown as they were given; the shapes of the API have been checked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from moorage.metadata.identity import account_facts
from moorage.metadata.identity.records import Provider
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.identity_errors import InputInvalid

_KIND = "provider-context:"


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """`definition` is the shape ContextProvider of the API; None where none was set."""

    definition: dict[str, Any] | None = None
    instance_arn: str | None = None


NO_CONTEXT = ProviderContext()


@dataclass(frozen=True, slots=True)
class ContextChange:
    """What a request says about it: what is None and not removed stays."""

    definition: dict[str, Any] | None = None
    instance_arn: str | None = None
    removes_definition: bool = False
    removes_instance: bool = False


NO_CHANGE = ContextChange()


def contexts_of(tx: ReadTransaction, account_id: str) -> dict[str, ProviderContext]:
    """Those of an account's providers that have one, by ARN."""
    found = account_facts.documents_named(tx, account_id, _KIND)
    return {arn: ProviderContext(**json.loads(document.text)) for arn, document in found.items()}


def context_of(tx: ReadTransaction, provider: Provider) -> ProviderContext:
    """That of one provider."""
    found = account_facts.find_document(tx, provider.account_id, _KIND + provider.arn)
    return NO_CONTEXT if found is None else ProviderContext(**json.loads(found.text))


def change_context(tx: Transaction, provider: Provider, change: ContextChange) -> None:
    """Set or remove. Raises InputInvalid for what is to be set and removed at once."""
    if change == NO_CHANGE:
        return
    if change.removes_definition and change.definition is not None:
        raise InputInvalid("ContextProvider and RemoveContextProvider cannot be given together")
    if change.removes_instance and change.instance_arn is not None:
        raise InputInvalid("IdentityCenterInstanceArn and RemoveIdentityCenterInstance cannot be given together")
    now = context_of(tx, provider)
    definition = None if change.removes_definition else change.definition or now.definition
    instance_arn = None if change.removes_instance else change.instance_arn or now.instance_arn
    text = json.dumps({"definition": definition, "instance_arn": instance_arn})
    account_facts.put_document(tx, provider.account_id, _KIND + provider.arn, text)


def drop_context(tx: Transaction, provider: Provider) -> None:
    """Forget it, with its provider."""
    account_facts.drop_document(tx, provider.account_id, _KIND + provider.arn)
