"""Account settings: named values of a registry, each with a default. Source: ECR GetAccountSetting, PutAccountSetting.

The default of BLOB_MOUNTING is ENABLED here, as OCI clients expect; Amazon's is DISABLED. The scope V1 of registry policies was
withdrawn in April 2026: nobody can choose it any more, and where it was chosen before it holds until V2 is.
"""

from __future__ import annotations

from msgspec import Struct

from moorage.auth.authorize import Question, authorize
from moorage.auth.snapshots import REGISTRY_POLICY_SCOPE
from moorage.metadata.identity import identities
from moorage.metadata.registry import documents as registry_documents
from moorage.metadata.registry import registries
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import SettingInvalid
from moorage.model.principal import Caller, RequestFacts
from moorage.model.scope import Scope

BASIC_SCAN_TYPE_VERSION, BLOB_MOUNTING = "BASIC_SCAN_TYPE_VERSION", "BLOB_MOUNTING"
V1, V2 = "V1", "V2"


class _Setting(Struct, frozen=True):
    default: str
    values: tuple[str, ...]


SETTINGS = {
    BASIC_SCAN_TYPE_VERSION: _Setting("AWS_NATIVE", ("AWS_NATIVE",)),
    BLOB_MOUNTING: _Setting("ENABLED", ("ENABLED", "DISABLED")),
    REGISTRY_POLICY_SCOPE: _Setting(V2, (V2,)),
}
"""By name."""


def get_account_setting(tx: ReadTransaction, caller: Caller, scope: Scope, name: str) -> str:
    """The value of a setting, its default where it was never set. Raises SettingInvalid: no such setting."""
    authorize(tx, caller, Question("ecr:GetAccountSetting", scope, "*", _about(name)))
    return value_of(tx, scope, name)


def put_account_setting(tx: Transaction, caller: Caller, scope: Scope, name: str, value: str) -> None:
    """Set a setting.

    Raises:
        SettingInvalid: no such setting or value.
    """
    authorize(tx, caller, Question("ecr:PutAccountSetting", scope, "*", _about(name)))
    if value not in _setting(name).values:
        raise SettingInvalid(value[:64], f"one of {', '.join(_setting(name).values)}")
    if name == REGISTRY_POLICY_SCOPE:
        identities.touch(tx, scope.registry_id)
    registry_documents.put_setting(tx, registries.hold(tx, scope), name, value)


def value_of(tx: ReadTransaction, scope: Scope, name: str) -> str:
    """The value of a setting for whoever acts by it. Raises SettingInvalid."""
    default = _setting(name).default
    return registry_documents.setting(tx, scope, name) or default


def _setting(name: str) -> _Setting:
    found = SETTINGS.get(name)
    if found is None:
        raise SettingInvalid(name[:64], "no such setting")
    return found


def _about(name: str) -> RequestFacts:
    return RequestFacts(extra={"ecr:accountsetting": name})
