"""What STS says about callers and keys: GetCallerIdentity, GetAccessKeyInfo, DecodeAuthorizationMessage; and what it refuses."""

from __future__ import annotations

from typing import NoReturn

from moorage.auth.authorize import Question, admit, authorize, check_status
from moorage.metadata.registry import registries
from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import AccessDenied, ParameterInvalid
from moorage.model.identity import home
from moorage.model.ids import account_in_key_id
from moorage.model.principal import Caller
from moorage.model.sts_errors import MessageUndecodable, SessionsMayNotAsk


def get_caller_identity(tx: ReadTransaction, caller: Caller) -> None:
    """Make sure that the caller still counts: that is all it takes, whatever policies say. Raises NotAuthenticated."""
    check_status(tx, caller)
    admit(caller)


def get_access_key_info(tx: ReadTransaction, caller: Caller, access_key_id: str) -> str:
    """The account that a key belongs to, also of another account's and of temporary keys. Raises ParameterInvalid."""
    _permit(tx, caller, "GetAccessKeyInfo")
    status = registries.key_status(tx, access_key_id)
    account = status[0] if status is not None else account_in_key_id(access_key_id)
    if account is None:
        raise ParameterInvalid("accessKeyId", "Member must be the id of an access key")
    return account


def decode_authorization_message(tx: ReadTransaction, caller: Caller, _message: str) -> NoReturn:
    """No refusal of this server is encoded, so there is nothing to decode. Raises MessageUndecodable."""
    _permit(tx, caller, "DecodeAuthorizationMessage")
    raise MessageUndecodable("nothing is encoded here")


def refuse(tx: ReadTransaction, caller: Caller, operation: str, resource: str) -> NoReturn:
    """Answer an operation that nobody is allowed here. Raises AccessDenied."""
    check_status(tx, caller)
    raise AccessDenied(caller.arn, f"sts:{operation}", resource, "")


def _permit(tx: ReadTransaction, caller: Caller, operation: str) -> None:
    check_status(tx, caller)
    if caller.session is not None and caller.session.kind != "AssumedRole":
        # Of STS a user's own sessions have AssumeRole and GetCallerIdentity, a federated user's the latter alone.
        raise SessionsMayNotAsk(operation)
    authorize(tx, caller, Question(f"sts:{operation}", home(caller.account_id), "*"))
