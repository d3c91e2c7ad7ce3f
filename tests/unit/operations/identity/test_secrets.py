"""Passwords and codes, with the clock in hand: what is wrong makes the next try wait, what is right counts once."""

from __future__ import annotations

import pytest

from moorage.auth.passwords import hash_password
from moorage.auth.totp import STEP_SECONDS, code_at, step_at
from moorage.metadata.identity import credentials
from moorage.model.errors import AccessDenied
from moorage.model.identity_errors import OldPasswordWrong, PasswordRefused, TriesExhausted
from moorage.model.principal import Caller
from moorage.operations.identity import login_profiles, mfa_devices, password_policy
from moorage.operations.identity.mfa import check_mfa
from moorage.operations.identity.password_policy import PasswordPolicy
from moorage.operations.identity.tries import FREE_TRIES, LONGEST_SECONDS, locked_until
from tests.unit.operations.identity.conftest import ACCOUNT, ROOT_KEY, World
from tests.unit.operations.identity.rights import Right

OLD, NEW = "correct Horse 1", "battery Staple 2"


@pytest.fixture
def bob(world: World) -> Caller:
    """A user with a password, who may change it."""
    caller = world.user("bob", Right("iam:ChangePassword", f"arn:aws:iam::{ACCOUNT}:user/bob"))
    world.write(login_profiles.create_login_profile, world.caller, "bob", hash_password(OLD), must_reset=True)
    return caller


def change(world: World, caller: Caller, old: str, new: str) -> None:
    """ChangePassword as the wire does it."""
    begun = world.write(login_profiles.begin_change, caller, new)
    hashed = login_profiles.hashed_change(begun, old, new)
    world.write(login_profiles.change_password, caller, begun, hashed)


def test_change(world: World, bob: Caller) -> None:
    change(world, bob, OLD, NEW)
    profile = world.read(credentials.find_profile, bob.principal_id)
    assert profile is not None
    assert (profile.must_reset, profile.failures) == (False, 0)
    with pytest.raises(OldPasswordWrong):
        change(world, bob, OLD, NEW)
    change(world, bob, NEW, OLD)


def test_wrong_ones_wait_longer_and_longer(world: World, bob: Caller) -> None:
    for _ in range(FREE_TRIES):
        with pytest.raises(OldPasswordWrong):
            change(world, bob, "wrong", NEW)
    for wait in (1, 2, 4):
        with pytest.raises(TriesExhausted):
            change(world, bob, OLD, NEW)  # though it is right
        world.wait(wait)
        with pytest.raises(OldPasswordWrong):
            change(world, bob, "wrong", NEW)
    world.wait(8)
    change(world, bob, OLD, NEW)
    change(world, bob, NEW, OLD)


def test_parallel_guesses_gain_nothing(world: World, bob: Caller) -> None:
    """Each try is counted when it begins."""
    begun = 0
    with pytest.raises(TriesExhausted):
        for _ in range(100):
            world.write(login_profiles.begin_change, bob, NEW)
            begun += 1
    assert begun == FREE_TRIES


def test_a_password_that_was_changed_meanwhile_is_not_overwritten(world: World, bob: Caller) -> None:
    begun = world.write(login_profiles.begin_change, bob, NEW)
    change(world, bob, OLD, "another One 3")
    with pytest.raises(OldPasswordWrong):
        world.write(login_profiles.change_password, bob, begun, hash_password(NEW))


def test_a_refused_password_costs_no_try(world: World, bob: Caller) -> None:
    for _ in range(FREE_TRIES + 1):
        with pytest.raises(PasswordRefused):
            world.write(login_profiles.begin_change, bob, "short")
    change(world, bob, OLD, NEW)


def test_the_account_may_let_all_users_change_theirs(world: World, bob: Caller) -> None:
    world.let(bob)
    with pytest.raises(AccessDenied):
        change(world, bob, OLD, NEW)
    world.write(password_policy.update_account_password_policy, world.caller, PasswordPolicy(users_may_change=True))
    change(world, bob, OLD, NEW)


def test_waits_end(world: World) -> None:
    assert [locked_until(0, failures) for failures in range(FREE_TRIES)] == [0] * FREE_TRIES
    assert locked_until(0, 10_000) == LONGEST_SECONDS * 1_000_000


def device_of(world: World, caller: Caller, name: str) -> tuple[str, bytes]:
    """A device that a user has had enabled for a while."""
    made = world.write(mfa_devices.create_virtual_mfa_device, ROOT_KEY, world.caller, name, "/", [])
    step = step_at(world.now[0])
    codes = code_at(made.seed, step - 1), code_at(made.seed, step)
    assert world.write(mfa_devices.enable_mfa_device, ROOT_KEY, world.caller, name, made.serial, *codes)
    world.wait(10 * STEP_SECONDS)
    return made.serial, made.seed


def test_a_code_counts_once(world: World, bob: Caller) -> None:
    serial, seed = device_of(world, bob, "bob")

    def try_code(code: str, principal: str = bob.principal_id, device: str = serial) -> bool:
        return world.write(check_mfa, ROOT_KEY, principal, device, code)

    step = step_at(world.now[0])
    assert try_code(code_at(seed, step))
    assert not try_code(code_at(seed, step))
    assert not try_code(code_at(seed, step - 1))  # older than one that was used
    assert try_code(code_at(seed, step + 1))  # its clock is ahead
    world.wait(10 * STEP_SECONDS)
    step = step_at(world.now[0])
    assert not try_code(code_at(seed, step - 2))
    assert not try_code(code_at(seed, step + 2))
    assert try_code(code_at(seed, step - 1))
    world.wait(10 * STEP_SECONDS)
    right = code_at(seed, step_at(world.now[0]))
    for code in ("", "12345", right + "0", "abcdef", "\uff11" * 6, right[::-1] if right != right[::-1] else "x"):
        assert not try_code(code)
    world.wait(1000)
    right = code_at(seed, step_at(world.now[0]))
    assert not try_code(right, principal="AIDAOTHER")
    assert not try_code(right, principal=ACCOUNT)
    assert not try_code(right, device=serial + "x")
    assert try_code(right)


def test_wrong_codes_wait(world: World, bob: Caller) -> None:
    serial, seed = device_of(world, bob, "bob")
    for _ in range(FREE_TRIES):
        assert not world.write(check_mfa, ROOT_KEY, bob.principal_id, serial, "wrong")
    right = code_at(seed, step_at(world.now[0]))
    assert not world.write(check_mfa, ROOT_KEY, bob.principal_id, serial, right)
    world.wait(2)
    assert world.write(check_mfa, ROOT_KEY, bob.principal_id, serial, code_at(seed, step_at(world.now[0])))
