"""Tags of everything in IAM that has some: the same rules for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.iam.documents import POLICY, TRUST, arn

METADATA = f"<EntityDescriptor>{'x' * 1000}</EntityDescriptor>"


@dataclass(frozen=True)
class Tagged:
    """Something that has tags: how it is named, and what its operations are called."""

    iam: Any
    noun: str
    member: str
    name: str

    def call(self, verb: str, **arguments: Any) -> Any:
        """``call("tag")`` is ``tag_user(UserName=...)`` for a user."""
        method = f"list_{self.noun}_tags" if verb == "list" else f"{verb}_{self.noun}"
        return getattr(self.iam, method)(**{self.member: self.name}, **arguments)


def _make(iam: Any, noun: str) -> Tagged:
    name = fresh_name(noun.replace("_", "-"))
    match noun:
        case "user":
            iam.create_user(UserName=name)
            return Tagged(iam, noun, "UserName", name)
        case "role":
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
            return Tagged(iam, noun, "RoleName", name)
        case "policy":
            made = iam.create_policy(PolicyName=name, PolicyDocument=POLICY)["Policy"]["Arn"]
            return Tagged(iam, noun, "PolicyArn", made)
        case "instance_profile":
            iam.create_instance_profile(InstanceProfileName=name)
            return Tagged(iam, noun, "InstanceProfileName", name)
        case "open_id_connect_provider":
            made = iam.create_open_id_connect_provider(Url=f"https://{name}.example")["OpenIDConnectProviderArn"]
            return Tagged(iam, noun, "OpenIDConnectProviderArn", made)
        case "saml_provider":
            made = iam.create_saml_provider(Name=name, SAMLMetadataDocument=METADATA)["SAMLProviderArn"]
            return Tagged(iam, noun, "SAMLProviderArn", made)
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]["SerialNumber"]
    return Tagged(iam, "mfa_device", "SerialNumber", made)


NOUNS = ["user", "role", "policy", "instance_profile", "open_id_connect_provider", "saml_provider", "mfa_device"]


@pytest.fixture(params=NOUNS)
def tagged(request: pytest.FixtureRequest, iam: Any) -> Tagged:
    return _make(iam, request.param)


def tags(**pairs: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def test_life_of_tags(tagged: Tagged) -> None:
    tagged.call("tag", Tags=tags(Team="red", env="a", zone=""))
    tagged.call("tag", Tags=tags(team="blue"))
    first = tagged.call("list", MaxItems=2)
    assert first["Tags"] == tags(env="a", team="blue")
    assert tagged.call("list", MaxItems=2, Marker=first["Marker"])["Tags"] == tags(zone="")
    tagged.call("untag", TagKeys=["ENV", "absent"])
    assert tagged.call("list")["Tags"] == tags(team="blue", zone="")


def test_rules(tagged: Tagged) -> None:
    message = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    with refused("InvalidInput", message):
        tagged.call("tag", Tags=tags(a="1", A="2"))
    with refused("InvalidInput"):
        tagged.call("tag", Tags=[{"Key": "aws:x", "Value": ""}])
    with refused("InvalidInput"):
        tagged.call("untag", TagKeys=["AWS:x"])
    for key in ("a!", "k" * 129, "\u0301"):
        with refused("ValidationError"):
            tagged.call("tag", Tags=[{"Key": key, "Value": ""}])
    tagged.call("tag", Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    tagged.call("tag", Tags=[{"Key": "K7", "Value": "again"}])
    with refused("LimitExceeded", "The number of tags has reached the maximum limit.", 409):
        tagged.call("tag", Tags=tags(one="more"))
    with refused("ValidationError"):
        tagged.call("tag", Tags=[{"Key": f"k{number}", "Value": ""} for number in range(51)])
    assert len(tagged.call("list")["Tags"]) == 50


def test_long_keys_page(tagged: Tagged) -> None:
    keys = ["\u4e2d" * 127 + end for end in "abc"]
    tagged.call("tag", Tags=[{"Key": key, "Value": "v"} for key in keys])
    seen, marker = [], None
    while True:
        page = tagged.call("list", MaxItems=1, **({"Marker": marker} if marker else {}))
        seen += [tag["Key"] for tag in page["Tags"]]
        if not page["IsTruncated"]:
            break
        marker = page["Marker"]
    assert sorted(seen) == keys


@pytest.mark.parametrize(
    ("noun", "member", "name"),
    [
        ("user", "UserName", "nobody"),
        ("role", "RoleName", "nothing"),
        ("policy", "PolicyArn", arn("policy", "nothing")),
        ("instance_profile", "InstanceProfileName", "nothing"),
        ("open_id_connect_provider", "OpenIDConnectProviderArn", arn("oidc-provider", "nothing.example")),
        ("saml_provider", "SAMLProviderArn", arn("saml-provider", "nothing")),
        ("mfa_device", "SerialNumber", arn("mfa", "nothing")),
    ],
)
def test_unknown(iam: Any, noun: str, member: str, name: str) -> None:
    missing = Tagged(iam, noun, member, name)
    for verb, arguments in (("tag", {"Tags": tags(a="b")}), ("untag", {"TagKeys": ["a"]}), ("list", {})):
        with refused("NoSuchEntity", status=404):
            missing.call(verb, **arguments)


def test_tags_end_with_what_they_are_on(iam: Any) -> None:
    provider = _make(iam, "open_id_connect_provider")
    provider.call("tag", Tags=tags(a="b"))
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider.name)
    url = "https://" + provider.name.partition("oidc-provider/")[2]
    assert iam.create_open_id_connect_provider(Url=url)["OpenIDConnectProviderArn"] == provider.name
    assert provider.call("list")["Tags"] == []
