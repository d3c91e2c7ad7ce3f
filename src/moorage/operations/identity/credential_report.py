"""Who in the account has which credentials, as CSV. Source: IAM user guide, "Get credential reports for your AWS account"."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from dataclasses import dataclass

from moorage.metadata.identity import account_facts, credentials, identities, mfa_devices
from moorage.metadata.identity.records import Document, Identity, KeyUse, LoginProfile
from moorage.metadata.registry import registries
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits
from moorage.model.identity_errors import ReportMissing, ReportOutdated
from moorage.model.principal import Caller, root_arn
from moorage.operations.identity.authorized import permit
from moorage.operations.identity.login_profiles import HISTORY
from moorage.operations.identity.password_policy import policy_of

_KIND = "credential-report"
_KEY_COLUMNS = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
HEADER = (
    "user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed",
    "password_next_rotation", "mfa_active",
    *(f"access_key_{number}_{column}" for number in (1, 2) for column in _KEY_COLUMNS),
    *(f"cert_{number}_{column}" for number in (1, 2) for column in ("active", "last_rotated")),
)  # fmt: skip
_NONE, _UNKNOWN, _UNSUPPORTED = "N/A", "no_information", "not_supported"
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report is made of. Times are microseconds."""

    account_id: str
    root_created_at: int
    users: list[Identity]
    keys: dict[str, list[KeyUse]]
    profiles: dict[str, LoginProfile]
    changed_at: dict[str, int]
    with_device: set[str]
    max_age_days: int | None


def generate_credential_report(tx: Transaction, caller: Caller) -> bool:
    """Make a report, unless there is a fresh one. True: it was made now."""
    permit(tx, caller, "GenerateCredentialReport", "*")
    existing = account_facts.find_document(tx, caller.account_id, _KIND)
    if existing is not None and _age_seconds(tx, existing) < identity_limits.REPORT_FRESH_SECONDS:
        return False
    account_facts.put_document(tx, caller.account_id, _KIND, as_csv(_facts_of(tx, caller.account_id)))
    return True


def get_credential_report(tx: ReadTransaction, caller: Caller) -> Document:
    """The newest report. Raises ReportMissing, ReportOutdated."""
    permit(tx, caller, "GetCredentialReport", "*")
    existing = account_facts.find_document(tx, caller.account_id, _KIND)
    if existing is None:
        raise ReportMissing("No credential report was generated: call GenerateCredentialReport first")
    if _age_seconds(tx, existing) > identity_limits.REPORT_LIFE_SECONDS:
        raise ReportOutdated("The credential report has expired: call GenerateCredentialReport")
    return existing


def as_csv(facts: Facts) -> str:
    """The report: the root first, then users by name."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerow(_root_row(facts))
    writer.writerows(_user_row(facts, user) for user in facts.users)
    return out.getvalue().removesuffix("\n")


def _root_row(facts: Facts) -> Iterator[str]:
    yield from ("<root_account>", root_arn(facts.account_id), _time(facts.root_created_at))
    yield from (_UNSUPPORTED, _NONE, _UNSUPPORTED, _UNSUPPORTED, _flag(facts.account_id in facts.with_device))
    yield from _keys(facts.keys.get(facts.account_id, []))


def _user_row(facts: Facts, user: Identity) -> Iterator[str]:
    profile = facts.profiles.get(user.id)
    yield from (user.name, user.arn, _time(user.created_at), _flag(profile is not None))
    if profile is None:
        yield from (_NONE, _NONE, _NONE)
    else:
        changed = facts.changed_at.get(user.id, profile.created_at)
        days = facts.max_age_days
        yield _time(user.last_used_at) if user.last_used_at is not None else _UNKNOWN
        yield _time(changed)
        yield _time(changed + days * 24 * 3600 * 1_000_000) if days is not None else _NONE
    yield _flag(user.id in facts.with_device)
    yield from _keys(facts.keys.get(user.id, []))


def _keys(keys: list[KeyUse]) -> Iterator[str]:
    for position in (0, 1):
        if position >= len(keys):
            yield from ("false", _NONE, _NONE, _NONE, _NONE)
            continue
        key = keys[position]
        used = _time(key.last_used_at) if key.last_used_at is not None else _NONE
        yield from (_flag(key.status == "Active"), _time(key.created_at), used)
        yield from (key.last_used_region or _NONE, key.last_used_service or _NONE)
    yield from ("false", _NONE, "false", _NONE)


def _facts_of(tx: ReadTransaction, account_id: str) -> Facts:
    users: list[Identity] = []
    after = ""
    while page := identities.list_page(tx, account_id, "user", "/", after, _PAGE):
        users += page
        after = page[-1].name.lower()
    keys: dict[str, list[KeyUse]] = {}
    for key in credentials.keys_in(tx, account_id):
        keys.setdefault(key.principal_id, []).append(key)
    policy = policy_of(tx, account_id)
    return Facts(
        account_id=account_id,
        root_created_at=registries.account_created_at(tx, account_id) or 0,
        users=users,
        keys=keys,
        profiles={profile.user_id: profile for profile in credentials.profiles_in(tx, account_id)},
        changed_at={
            user: document.updated_at for user, document in account_facts.documents_named(tx, account_id, HISTORY).items()
        },
        with_device=mfa_devices.users_with_device(tx, account_id),
        max_age_days=policy.max_age_days if policy is not None else None,
    )


def _age_seconds(tx: ReadTransaction, report: Document) -> int:
    return (tx.now - report.updated_at) // 1_000_000


def _time(micros: int | None) -> str:
    return dt.datetime.fromtimestamp((micros or 0) // 1_000_000, dt.UTC).isoformat()


def _flag(value: bool) -> str:
    return "true" if value else "false"
