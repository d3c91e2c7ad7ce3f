"""Login profiles, the account's password policy."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.aws.errors import refused

GOOD = "correct Horse 1"


def test_life_of_a_login_profile(iam: Any, user: str) -> None:
    made = iam.create_login_profile(UserName=user, Password=GOOD, PasswordResetRequired=True)["LoginProfile"]
    assert (made["UserName"], made["PasswordResetRequired"]) == (user, True)
    with refused("EntityAlreadyExists", f"Login Profile for user {user} already exists.", 409):
        iam.create_login_profile(UserName=user, Password=GOOD)
    iam.update_login_profile(UserName=user, PasswordResetRequired=False)
    found = iam.get_login_profile(UserName=user)["LoginProfile"]
    assert found == made | {"PasswordResetRequired": False}
    iam.update_login_profile(UserName=user, Password=GOOD + "!")
    iam.delete_login_profile(UserName=user)
    message = f"Login Profile for User {user} cannot be found."
    with refused("NoSuchEntity", message, 404):
        iam.get_login_profile(UserName=user)
    with refused("NoSuchEntity", message, 404):
        iam.delete_login_profile(UserName=user)
    with refused("NoSuchEntity", message, 404):
        iam.update_login_profile(UserName=user, PasswordResetRequired=True)


def test_what_is_missing(iam: Any, user: str) -> None:
    with refused("NoSuchEntity", "The user with name nobody cannot be found.", 404):
        iam.create_login_profile(UserName="nobody", Password=GOOD)
    for member, arguments in (("password", {"UserName": user}), ("userName", {"Password": GOOD})):
        message = f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        with refused("ValidationError", message):
            iam.create_login_profile(**arguments)


@pytest.mark.parametrize("password", ["short1A", "onlyletters", "ONLYupperlower", "12345678"])
def test_the_default_rules(iam: Any, user: str, password: str) -> None:
    with refused("PasswordPolicyViolation"):
        iam.create_login_profile(UserName=user, Password=password)


def test_password_policy(own: Any) -> None:
    missing = "The Password Policy with domain name"
    with refused("NoSuchEntity", status=404) as answer:
        own.get_account_password_policy()
    assert answer["Error"]["Message"].startswith(missing)
    own.update_account_password_policy()
    assert own.get_account_password_policy()["PasswordPolicy"] == {
        "MinimumPasswordLength": 6,
        "RequireSymbols": False,
        "RequireNumbers": False,
        "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False,
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": False,
        "HardExpiry": False,
    }
    own.update_account_password_policy(
        MinimumPasswordLength=14,
        RequireSymbols=True,
        RequireNumbers=True,
        RequireUppercaseCharacters=True,
        RequireLowercaseCharacters=True,
        AllowUsersToChangePassword=True,
        MaxPasswordAge=90,
        PasswordReusePrevention=2,
        HardExpiry=True,
    )
    found = own.get_account_password_policy()["PasswordPolicy"]
    assert (found["MaxPasswordAge"], found["ExpirePasswords"], found["PasswordReusePrevention"]) == (90, True, 2)
    own.create_user(UserName="u")
    for password, message in (
        ("Short1!", "Password should have a minimum length of 14"),
        ("all lower case 1!", "Password should have at least one uppercase letter"),
        ("ALL UPPER CASE 1!", "Password should have at least one lowercase letter"),
        ("No number at all!", "Password should have at least one number"),
        ("No symbol at all 1", "Password should have at least one symbol"),
    ):
        with refused("PasswordPolicyViolation", message):
            own.create_login_profile(UserName="u", Password=password)
    first, second, third = (f"Correct horse battery {number}!" for number in range(3))
    own.create_login_profile(UserName="u", Password=first)
    own.update_login_profile(UserName="u", Password=second)
    for password in (first, second):
        with refused("PasswordPolicyViolation"):
            own.update_login_profile(UserName="u", Password=password)
    own.update_login_profile(UserName="u", Password=third)
    own.update_login_profile(UserName="u", Password=first)
    own.delete_account_password_policy()
    with refused("NoSuchEntity", status=404):
        own.delete_account_password_policy()


def test_bounds_of_the_policy(iam: Any) -> None:
    for arguments in ({"MinimumPasswordLength": 129}, {"MaxPasswordAge": 1096}, {"PasswordReusePrevention": 25}):
        with refused("ValidationError"):
            iam.update_account_password_policy(**arguments)


def test_a_root_has_no_password_to_change(iam: Any) -> None:
    with refused("InvalidUserType", "Only IAM Users can change their own password"):
        iam.change_password(OldPassword=GOOD, NewPassword=GOOD + "2")


def test_how_long_a_sign_in_with_a_password_may_last(iam: Any, user: str) -> None:
    made = iam.create_login_profile(UserName=user, Password="correct Horse 9 battery", MaxSigninSessionDuration=3600)
    assert made["LoginProfile"]["MaxSigninSessionDuration"] == 3600
    iam.update_login_profile(UserName=user, MaxSigninSessionDuration=7200)
    assert iam.get_login_profile(UserName=user)["LoginProfile"]["MaxSigninSessionDuration"] == 7200
    iam.update_login_profile(UserName=user, ResetMaxSigninSessionDuration=True)
    assert "MaxSigninSessionDuration" not in iam.get_login_profile(UserName=user)["LoginProfile"]
