"""The account's password policy. Source: the operations ...AccountPasswordPolicy of IAM, and "Set an account password policy"."""

from __future__ import annotations

import string
from hmac import compare_digest

import msgspec

from moorage.metadata.identity import account_facts, identities
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.identity_errors import EntityNotFound, PasswordRefused
from moorage.model.principal import Caller
from moorage.operations.identity.authorized import permit

_KIND = "password-policy"
_SYMBOLS = frozenset("!@#$%^&*()_+-=[]{}|'")


class PasswordPolicy(msgspec.Struct, frozen=True):
    """What passwords have to obey; defaults are those of UpdateAccountPasswordPolicy."""

    minimum_length: int = 6
    require_symbols: bool = False
    require_numbers: bool = False
    require_uppercase: bool = False
    require_lowercase: bool = False
    users_may_change: bool = False
    max_age_days: int | None = None
    reuse_prevention: int | None = None
    hard_expiry: bool = False

    def check(self, password: str) -> None:
        """Raises PasswordRefused for the first rule that is broken."""
        if len(password) < self.minimum_length:
            raise PasswordRefused(f"Password should have a minimum length of {self.minimum_length}")
        for is_required, what, members in (
            (self.require_uppercase, "one uppercase letter", _UPPER),
            (self.require_lowercase, "one lowercase letter", _LOWER),
            (self.require_numbers, "one number", _DIGITS),
            (self.require_symbols, "one symbol", _SYMBOLS),
        ):
            if is_required and members.isdisjoint(password):
                raise PasswordRefused(f"Password should have at least {what}")


_UPPER, _LOWER, _DIGITS = map(frozenset, (string.ascii_uppercase, string.ascii_lowercase, string.digits))


def check_default(password: str, account_id: str) -> None:
    """The rules where the account has no policy of its own. Raises PasswordRefused."""
    PasswordPolicy(minimum_length=8).check(password)
    kinds = sum(not members.isdisjoint(password) for members in (_UPPER, _LOWER, _DIGITS, _SYMBOLS))
    if kinds < 3 or compare_digest(password.encode(), account_id.encode()):
        raise PasswordRefused(
            "Password should have at least three of: uppercase letters, lowercase letters, numbers, non-alphanumeric characters"
        )


def policy_of(tx: ReadTransaction, account_id: str) -> PasswordPolicy | None:
    """The account's policy; None: it has none of its own."""
    found = account_facts.find_document(tx, account_id, _KIND)
    return msgspec.json.decode(found.text, type=PasswordPolicy) if found is not None else None


def check_password(tx: ReadTransaction, account_id: str, password: str) -> None:
    """The rules of the account. Raises PasswordRefused."""
    policy = policy_of(tx, account_id)
    if policy is None:
        check_default(password, account_id)
    else:
        policy.check(password)


def update_account_password_policy(tx: Transaction, caller: Caller, policy: PasswordPolicy) -> None:
    """Replace the policy as a whole; passwords that exist stay."""
    permit(tx, caller, "UpdateAccountPasswordPolicy", "*")
    identities.touch(tx, caller.account_id)
    account_facts.put_document(tx, caller.account_id, _KIND, msgspec.json.encode(policy).decode())


def get_account_password_policy(tx: ReadTransaction, caller: Caller) -> PasswordPolicy:
    """The policy. Raises EntityNotFound if the account has none of its own."""
    permit(tx, caller, "GetAccountPasswordPolicy", "*")
    policy = policy_of(tx, caller.account_id)
    if policy is None:
        raise EntityNotFound("password policy", caller.account_id)
    return policy


def delete_account_password_policy(tx: Transaction, caller: Caller) -> None:
    """Go back to the default rules. Raises EntityNotFound if the account has no policy of its own."""
    permit(tx, caller, "DeleteAccountPasswordPolicy", "*")
    identities.touch(tx, caller.account_id)
    if not account_facts.drop_document(tx, caller.account_id, _KIND):
        raise EntityNotFound("password policy", caller.account_id)
