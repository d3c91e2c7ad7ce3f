"""Login profiles, the account's password policy, ChangePassword. Hashing runs in the pool, between two transactions."""

from __future__ import annotations

from moorage.model.identity_errors import RequestInvalid
from moorage.operations.identity import login_profiles, password_policy
from moorage.operations.identity.login_profiles import ProfileChange, ProfileView
from moorage.operations.identity.password_policy import PasswordPolicy
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam.context import IamContext
from moorage.wire.aws.services.iam.shown import seconds
from moorage.wire.aws.validate import validation_message

_NULL = "Member must not be null"


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""
    _profiles(service, context)
    _policy(service, context)

    @service.operation("ChangePassword")
    async def change_password(call: Call) -> Output:
        caller, old, new = caller_of(call), call["OldPassword"], call["NewPassword"]
        change = await context.db.write(login_profiles.begin_change, caller, new)
        hashed = await context.pools.on_cpu(login_profiles.hashed_change, change, old, new)
        await context.db.write(login_profiles.change_password, caller, change, hashed)
        return {}


def _profiles(service: Service, context: IamContext) -> None:
    @service.operation("CreateLoginProfile")
    async def create_login_profile(call: Call) -> Output:
        caller, name, password = caller_of(call), _given(call, "UserName"), _given(call, "Password")
        earlier = await context.db.read(login_profiles.check_new_password, caller, "CreateLoginProfile", name, password)
        hashed = await context.pools.on_cpu(login_profiles.hashed_anew, password, earlier)
        must_reset = bool(call.get("PasswordResetRequired"))
        longest = call.get("MaxSigninSessionDuration")
        created = await context.db.write(
            login_profiles.create_login_profile, caller, name, hashed, longest, must_reset=must_reset
        )
        return {"LoginProfile": _shown(created)}

    @service.operation("GetLoginProfile")
    async def get_login_profile(call: Call) -> Output:
        found = await context.db.read(login_profiles.get_login_profile, caller_of(call), _given(call, "UserName"))
        return {"LoginProfile": _shown(found)}

    @service.operation("UpdateLoginProfile")
    async def update_login_profile(call: Call) -> Output:
        caller, name, password = caller_of(call), call["UserName"], call.get("Password")
        earlier = await context.db.read(login_profiles.check_new_password, caller, "UpdateLoginProfile", name, password)
        hashed = None
        if password is not None:
            hashed = await context.pools.on_cpu(login_profiles.hashed_anew, password, earlier)
        change = ProfileChange(
            hashed=hashed,
            must_reset=call.get("PasswordResetRequired"),
            signin_seconds=call.get("MaxSigninSessionDuration"),
            resets_signin=bool(call.get("ResetMaxSigninSessionDuration")),
        )
        await context.db.write(login_profiles.update_login_profile, caller, name, change)
        return {}

    @service.operation("DeleteLoginProfile")
    async def delete_login_profile(call: Call) -> Output:
        await context.db.write(login_profiles.delete_login_profile, caller_of(call), _given(call, "UserName"))
        return {}


def _policy(service: Service, context: IamContext) -> None:
    @service.operation("UpdateAccountPasswordPolicy")
    async def update_policy(call: Call) -> Output:
        policy = PasswordPolicy(
            minimum_length=call.get("MinimumPasswordLength") or PasswordPolicy().minimum_length,
            require_symbols=bool(call.get("RequireSymbols")),
            require_numbers=bool(call.get("RequireNumbers")),
            require_uppercase=bool(call.get("RequireUppercaseCharacters")),
            require_lowercase=bool(call.get("RequireLowercaseCharacters")),
            users_may_change=bool(call.get("AllowUsersToChangePassword")),
            max_age_days=call.get("MaxPasswordAge"),
            reuse_prevention=call.get("PasswordReusePrevention"),
            hard_expiry=bool(call.get("HardExpiry")),
        )
        await context.db.write(password_policy.update_account_password_policy, caller_of(call), policy)
        return {}

    @service.operation("GetAccountPasswordPolicy")
    async def get_policy(call: Call) -> Output:
        policy = await context.db.read(password_policy.get_account_password_policy, caller_of(call))
        return {
            "PasswordPolicy": {
                "MinimumPasswordLength": policy.minimum_length,
                "RequireSymbols": policy.require_symbols,
                "RequireNumbers": policy.require_numbers,
                "RequireUppercaseCharacters": policy.require_uppercase,
                "RequireLowercaseCharacters": policy.require_lowercase,
                "AllowUsersToChangePassword": policy.users_may_change,
                "ExpirePasswords": policy.max_age_days is not None,
                "MaxPasswordAge": policy.max_age_days,
                "PasswordReusePrevention": policy.reuse_prevention,
                "HardExpiry": policy.hard_expiry,
            }
        }

    @service.operation("DeleteAccountPasswordPolicy")
    async def delete_policy(call: Call) -> Output:
        await context.db.write(password_policy.delete_account_password_policy, caller_of(call))
        return {}


def _given(call: Call, member: str) -> str:
    """A member that the model lets be absent, for callers that this server does not have."""
    value = call.get(member)
    if value is None:
        raise RequestInvalid(validation_message(member[:1].lower() + member[1:], "null", _NULL))
    return str(value)


def _shown(view: ProfileView) -> dict[str, object]:
    return {
        "UserName": view.user.name,
        "CreateDate": seconds(view.profile.created_at),
        "PasswordResetRequired": view.profile.must_reset,
        "MaxSigninSessionDuration": view.signin_seconds,
    }
