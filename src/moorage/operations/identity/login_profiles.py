"""Passwords of users. Source: the operations ...LoginProfile and ChangePassword of IAM.

Hashing is slow on purpose, so it happens between two transactions: the first authorises and says what to hash against, the second
authorises again and writes. A try to prove an old password is counted before it is made: parallel guesses gain nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest

from moorage.auth.passwords import hash_password, is_among, verify_password
from moorage.metadata.identity import account_facts, credentials, identities
from moorage.metadata.identity.records import Identity, LoginProfile
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import AccessDenied
from moorage.model.identity_errors import (
    EntityExists,
    EntityNotFound,
    OldPasswordWrong,
    PasswordRefused,
    TriesExhausted,
    UserTypeInvalid,
)
from moorage.model.principal import Caller
from moorage.operations.identity.authorized import changing, identity_for, permit
from moorage.operations.identity.password_policy import check_password, policy_of
from moorage.operations.identity.signin import change_signin_seconds, signin_seconds
from moorage.operations.identity.tries import locked_until

HISTORY = "passwords:"
"""Kind of the document that keeps a user's earlier hashes, followed by the user's id."""
_REMEMBERED = 24
"""More cannot be asked for by a policy."""
_PROFILE = "login profile"


@dataclass(frozen=True, slots=True)
class ProfileView:
    """A login profile as it is shown."""

    user: Identity
    profile: LoginProfile
    signin_seconds: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """A password that is to be changed by its owner: the hash that the old one has to verify, those that may not come again."""

    current: str
    earlier: tuple[str, ...]


def check_new_password(tx: ReadTransaction, caller: Caller, action: str, user_name: str, password: str | None) -> tuple[str, ...]:
    """The first half of CreateLoginProfile and UpdateLoginProfile: hashes of passwords that may not come again.

    Raises:
        EntityNotFound, PasswordRefused
    """
    user = identity_for(tx, caller, action, "user", user_name)
    if password is None:
        return ()
    check_password(tx, caller.account_id, password)
    return _not_again(tx, user)


def hashed_anew(password: str, earlier: Sequence[str]) -> str:
    """The hash of a new password. Slow. Raises PasswordRefused for one that was used before."""
    if is_among(password, earlier):
        raise PasswordRefused("Password has been used before, and the account password policy prevents its reuse")
    return hash_password(password)


def create_login_profile(
    tx: Transaction, caller: Caller, user_name: str, hashed: str, longest: int | None = None, *, must_reset: bool
) -> ProfileView:
    """Give a user a password, and `longest`, the seconds of a sign-in with it. Raises EntityNotFound, EntityExists."""
    user = changing(tx, caller, "CreateLoginProfile", "user", user_name)
    if not credentials.insert_profile(tx, user.id, hashed, must_reset=must_reset):
        raise EntityExists(_PROFILE, user.name)
    _remember(tx, user, hashed)
    change_signin_seconds(tx, "profile", user, longest)
    return _view(tx, user)


def get_login_profile(tx: ReadTransaction, caller: Caller, user_name: str) -> ProfileView:
    """A user's login profile. Raises EntityNotFound."""
    user = identity_for(tx, caller, "GetLoginProfile", "user", user_name)
    return _view(tx, user)


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """What UpdateLoginProfile can say; what is None stays."""

    hashed: str | None = None
    must_reset: bool | None = None
    signin_seconds: int | None = None
    resets_signin: bool = False


def update_login_profile(tx: Transaction, caller: Caller, user_name: str, change: ProfileChange) -> None:
    """Replace a user's password, say whether it must be changed at the next sign-in, or how long sign-ins last.

    Raises:
        EntityNotFound, InputInvalid
    """
    hashed = change.hashed
    user = changing(tx, caller, "UpdateLoginProfile", "user", user_name)
    profile = _profile_of(tx, user, locked=True)  # its owner may change it at this moment, who raises no epoch
    reset = profile.must_reset if change.must_reset is None else change.must_reset
    credentials.set_password(tx, user.id, hashed if hashed is not None else profile.password_hash, must_reset=reset)
    if hashed is not None:
        credentials.set_tries(tx, user.id, 0, 0)
        _remember(tx, user, hashed)
    change_signin_seconds(tx, "profile", user, change.signin_seconds, reset=change.resets_signin)


def delete_login_profile(tx: Transaction, caller: Caller, user_name: str) -> None:
    """Take a user's password away. Raises EntityNotFound."""
    user = changing(tx, caller, "DeleteLoginProfile", "user", user_name)
    if not credentials.delete_profile(tx, user.id):
        raise EntityNotFound(_PROFILE, user.name)
    change_signin_seconds(tx, "profile", user, None, reset=True)


def begin_change(tx: Transaction, caller: Caller, new_password: str) -> Change:
    """The first half of ChangePassword, which counts the try as a failed one.

    Raises:
        UserTypeInvalid: the caller is no user.
        EntityNotFound: the user has no password.
        PasswordRefused, TriesExhausted
    """
    user = _permitted(tx, caller)
    check_password(tx, caller.account_id, new_password)
    profile = _profile_of(tx, user, locked=True)
    if tx.now < profile.locked_until:
        raise TriesExhausted(user.name, (profile.locked_until - tx.now) // 1_000_000 + 1)
    failures = profile.failures + 1
    credentials.set_tries(tx, user.id, failures, locked_until(tx.now, failures))
    return Change(profile.password_hash, _not_again(tx, user))


def hashed_change(change: Change, old_password: str, new_password: str) -> str:
    """The hash of the new password, if the old one is right. Slow. Raises OldPasswordWrong, PasswordRefused."""
    if not verify_password(old_password, change.current):
        raise OldPasswordWrong("The old password was incorrect.")
    return hashed_anew(new_password, change.earlier)


def change_password(tx: Transaction, caller: Caller, change: Change, hashed: str) -> None:
    """The second half of ChangePassword. Raises OldPasswordWrong if the password was changed meanwhile."""
    user = _permitted(tx, caller)
    if not compare_digest(_profile_of(tx, user, locked=True).password_hash, change.current):
        raise OldPasswordWrong("The old password was incorrect.")
    credentials.set_password(tx, user.id, hashed, must_reset=False)
    credentials.set_tries(tx, user.id, 0, 0)
    _remember(tx, user, hashed)


def _permitted(tx: ReadTransaction, caller: Caller) -> Identity:
    """The calling user, if it may change its password: by its policies, or because the account lets all users do so."""
    user = identities.find_by_id(tx, caller.principal_id)
    if user is None or user.kind != "user":
        raise UserTypeInvalid("Only IAM Users can change their own password")
    try:
        permit(tx, caller, "ChangePassword", user.arn)
    except AccessDenied as denied:
        policy = policy_of(tx, caller.account_id)
        if policy is None or not policy.users_may_change or "explicit deny" in denied.reason:
            raise
    return user


def _view(tx: ReadTransaction, user: Identity) -> ProfileView:
    return ProfileView(user, _profile_of(tx, user), signin_seconds(tx, "profile", user))


def _profile_of(tx: ReadTransaction, user: Identity, *, locked: bool = False) -> LoginProfile:
    profile = credentials.lock_profile(tx, user.id) if locked else credentials.find_profile(tx, user.id)
    if profile is None:
        raise EntityNotFound(_PROFILE, user.name)
    return profile


def _history(tx: ReadTransaction, user: Identity) -> list[str]:
    found = account_facts.find_document(tx, user.account_id, HISTORY + user.id)
    return list(json.loads(found.text)) if found is not None else []


def _not_again(tx: ReadTransaction, user: Identity) -> tuple[str, ...]:
    policy = policy_of(tx, user.account_id)
    return tuple(_history(tx, user)[: policy.reuse_prevention or 0]) if policy is not None else ()


def _remember(tx: Transaction, user: Identity, hashed: str) -> None:
    history = [hashed, *_history(tx, user)][:_REMEMBERED]
    account_facts.put_document(tx, user.account_id, HISTORY + user.id, json.dumps(history))
