"""MFA with sessions: the code that comes along, what conditions see of it, and how often one may guess."""

from __future__ import annotations

import base64
import hmac
import struct
import time
from typing import Any

import pytest

from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.sts.conftest import Account, User, allow, trust

WRONG = "MultiFactorAuthentication failed with invalid MFA one time pass code."
MFA: dict[str, Any] = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def code_at(seed: str, step: int) -> str:
    """A code of RFC 6238, made here once more."""
    digest = hmac.digest(base64.b32decode(seed), struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset : offset + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


class Device:
    """A virtual device of a user: `code` is a fresh one at each call."""

    def __init__(self, home: Account, user: User) -> None:
        made = home.iam.create_virtual_mfa_device(VirtualMFADeviceName=fresh_name("mfa"))["VirtualMFADevice"]
        self.serial: str = made["SerialNumber"]
        self.seed: str = made["Base32StringSeed"].decode()
        self._step = int(time.time()) // 30 - 1
        home.iam.enable_mfa_device(
            UserName=user.name,
            SerialNumber=self.serial,
            AuthenticationCode1=code_at(self.seed, self._step - 1),
            AuthenticationCode2=code_at(self.seed, self._step),
        )

    def code(self) -> str:
        self._step += 1
        return code_at(self.seed, self._step)

    def wrong(self) -> str:
        """A code that the device shows at no time near now."""
        near = {code_at(self.seed, self._step + n) for n in range(-3, 6)}
        return next(code for code in ("000000", "111111", "222222", *map("{:06d}".format, range(20))) if code not in near)


@pytest.fixture
def user(home: Account) -> User:
    return home.user(allow("sts:*", "ecr:DescribeRegistry", **MFA))


@pytest.fixture
def device(home: Account, user: User) -> Device:
    return Device(home, user)


def test_a_session_with_mfa(home: Account, user: User, device: Device) -> None:
    sts = home.sts(user.key)
    plain = sts.get_session_token()["Credentials"]
    proven = sts.get_session_token(SerialNumber=device.serial, TokenCode=device.code())["Credentials"]
    home.using(proven, "ecr").describe_registry()
    with refused("AccessDenied", status=403):  # IAM takes it, the user's policy does not say so
        home.using(proven, "iam").list_users()
    with refused("AccessDeniedException"):
        home.using(plain, "ecr").describe_registry()
    with refused("AccessDeniedException"):
        home.server.client("ecr", key=user.key).describe_registry()


def test_a_role_that_wants_mfa(home: Account, user: User, device: Device) -> None:
    conditions: dict[str, Any] = {**MFA, "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}
    role = home.role(trust(user.arn, **conditions), allow("ecr:DescribeRegistry", **MFA))
    sts = home.sts(user.key)
    with refused("AccessDenied", status=403):
        sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1")
    made = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", SerialNumber=device.serial, TokenCode=device.code())
    home.using(made["Credentials"], "ecr").describe_registry()
    session = sts.get_session_token(SerialNumber=device.serial, TokenCode=device.code())["Credentials"]
    home.using(session).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")


def test_a_code_counts_once(home: Account, user: User, device: Device) -> None:
    code = device.code()
    home.sts(user.key).get_session_token(SerialNumber=device.serial, TokenCode=code)
    with refused("AccessDenied", WRONG, 403):
        home.sts(user.key).get_session_token(SerialNumber=device.serial, TokenCode=code)


def test_only_ones_own_device_and_only_with_long_term_keys(home: Account, user: User, device: Device) -> None:
    other = home.user()
    with refused("AccessDenied", WRONG, 403):
        home.sts(other.key).get_session_token(SerialNumber=device.serial, TokenCode=device.code())
    role = home.role(trust(user.arn))
    session = home.using(home.sts(user.key).get_session_token()["Credentials"])
    with refused("AccessDenied", WRONG, 403):
        session.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", SerialNumber=device.serial, TokenCode=device.code())


def test_guessing_has_to_wait(home: Account, user: User, device: Device) -> None:
    sts = home.sts(user.key)
    for _ in range(9):
        with refused("AccessDenied", WRONG, 403):
            sts.get_session_token(SerialNumber=device.serial, TokenCode=device.wrong())
    with refused("AccessDenied", WRONG, 403):  # the right one does not help now
        sts.get_session_token(SerialNumber=device.serial, TokenCode=device.code())
