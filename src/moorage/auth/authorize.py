"""May this caller do that, now? The one place where it is decided, for both planes, inside the transaction that acts.

Nothing is remembered between requests: the key is looked up again each time, so one that was disabled or deleted has no rights
from the next request on, whatever tokens it made before. Until IAM policies exist there is one kind of principal, the root of
an account, which may do everything in its own account and nothing elsewhere; whatever is not known to be allowed is denied.
"""

from __future__ import annotations

from moorage.metadata import registries
from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import AccessDenied, NotAuthenticated
from moorage.model.principal import NO_FACTS, Caller, RequestFacts
from moorage.model.scope import Scope

INVALID_CREDENTIALS = "The security token included in the request is invalid."


def check_standing(tx: ReadTransaction, caller: Caller) -> None:
    """Make sure that the caller's key still counts. Raises NotAuthenticated."""
    _check(registries.key_standing(tx, caller.access_key_id), caller)


def _check(standing: tuple[str, str, str] | None, caller: Caller) -> None:
    if standing != (caller.account_id, caller.principal_id, "Active"):
        raise NotAuthenticated(INVALID_CREDENTIALS)


def authorize(
    tx: ReadTransaction, caller: Caller, action: str, scope: Scope, resource: str, facts: RequestFacts = NO_FACTS
) -> None:
    """Allow `action` (such as ``ecr:PutImage``) on `resource` (an ARN or ``*``) of the registry `scope`, or raise.

    Called before it is disclosed whether the resource exists. Services that know no region (IAM, STS) give the `Scope` of their
    account in ``us-east-1``. `facts` are what policy conditions may ask about this request.

    Raises:
        NotAuthenticated: the caller's key was disabled or deleted.
        AccessDenied: it may not.
    """
    judge(registries.key_standing(tx, caller.access_key_id), caller, action, scope, resource)


def judge(standing: tuple[str, str, str] | None, caller: Caller, action: str, scope: Scope, resource: str) -> None:
    """`authorize` for those who have looked up how the key stands (account, principal, status) themselves."""
    _check(standing, caller)
    is_root = caller.principal_id == caller.account_id
    if is_root and caller.account_id == scope.registry_id:
        return
    kind = "resource-based" if caller.account_id != scope.registry_id else "identity-based"
    raise AccessDenied(caller.arn, action, resource, f"no {kind} policy allows the {action} action")
