"""Identity providers: OpenID Connect and SAML."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.iam.documents import arn

PRINT = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"
METADATA = f"<md:EntityDescriptor>{'x' * 1000}</md:EntityDescriptor>"


def test_life_of_a_provider(iam: Any) -> None:
    host = f"{fresh_name('issuer')}.example:8443/realms/a"
    made = iam.create_open_id_connect_provider(
        Url=f"https://{host}", ClientIDList=["a", "b", "a"], ThumbprintList=[PRINT], Tags=[{"Key": "k", "Value": "v"}]
    )
    provider = made["OpenIDConnectProviderArn"]
    assert provider == arn("oidc-provider", host)
    assert made["Tags"] == [{"Key": "k", "Value": "v"}]
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    assert (found["Url"], found["ClientIDList"], found["ThumbprintList"]) == (host, ["a", "b"], [PRINT])
    with refused("EntityAlreadyExists", f"Provider with url https://{host} already exists.", 409):
        iam.create_open_id_connect_provider(Url=f"https://{host}")
    for _ in range(2):
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID="c")
        iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID="a")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=provider, ThumbprintList=["b" * 40])
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    assert (found["ClientIDList"], found["ThumbprintList"]) == (["b", "c"], ["b" * 40])
    assert {"Arn": provider, "IsTrustedIdentityPropagationEnabled": False} in iam.list_open_id_connect_providers()[
        "OpenIDConnectProviderList"
    ]
    for _ in range(2):
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    with refused("NoSuchEntity", f"OpenIDConnect Provider not found for arn {provider}", 404):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example",
        "issuer.example",
        "https://",
        "https://-x",
        "https://user@issuer.example",
        "https://issuer.example/?q=1",
        "https://issuer.example/#f",
        "https://issuer.example/a b",
        "https://ä.example",
        "file:///etc/passwd",
    ],
)
def test_bad_urls(iam: Any, url: str) -> None:
    with refused("ValidationError", "Invalid Open ID Connect Provider URL"):
        iam.create_open_id_connect_provider(Url=url)


def test_bounds(iam: Any) -> None:
    url = f"https://{fresh_name('bounds')}.example"
    with refused("InvalidInput", "Thumbprint list must contain fewer than 5 entries."):
        iam.create_open_id_connect_provider(Url=url, ThumbprintList=[PRINT] * 6)
    with refused("LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100", 409):
        iam.create_open_id_connect_provider(Url=url, ClientIDList=[f"c{number}" for number in range(101)])
    with refused("ValidationError"):
        iam.create_open_id_connect_provider(Url=url, ThumbprintList=["a" * 41])
    provider = iam.create_open_id_connect_provider(Url=url, ClientIDList=[f"c{number}" for number in range(100)])
    with refused("LimitExceeded", status=409):
        iam.add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=provider["OpenIDConnectProviderArn"], ClientID="more"
        )


def test_providers_of_other_accounts(iam: Any, own: Any) -> None:
    url = f"https://{fresh_name('shared')}.example"
    first = iam.create_open_id_connect_provider(Url=url)["OpenIDConnectProviderArn"]
    second = own.create_open_id_connect_provider(Url=url)["OpenIDConnectProviderArn"]
    assert first != second
    assert own.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [
        {"Arn": second, "IsTrustedIdentityPropagationEnabled": False}
    ]
    with refused("NoSuchEntity", status=404):
        own.get_open_id_connect_provider(OpenIDConnectProviderArn=first)
    own.delete_open_id_connect_provider(OpenIDConnectProviderArn=first)
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=first)["Url"] == url.removeprefix("https://")


def test_unknown(iam: Any) -> None:
    provider = arn("oidc-provider", "nothing.example")
    message = f"OpenIDConnect Provider not found for arn {provider}"
    with refused("NoSuchEntity", message, 404):
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID="a")
    with refused("NoSuchEntity", message, 404):
        iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID="a")
    with refused("NoSuchEntity", message, 404):
        iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=provider, ThumbprintList=[])


def test_saml(iam: Any) -> None:
    name = fresh_name("saml")
    provider = iam.create_saml_provider(Name=name, SAMLMetadataDocument=METADATA)["SAMLProviderArn"]
    assert provider == arn("saml-provider", name)
    assert iam.get_saml_provider(SAMLProviderArn=provider)["SAMLMetadataDocument"] == METADATA
    with refused("EntityAlreadyExists", status=409):
        iam.create_saml_provider(Name=name, SAMLMetadataDocument=METADATA)
    with refused("InvalidInput", "Could not parse metadata"):
        iam.update_saml_provider(SAMLProviderArn=provider, SAMLMetadataDocument="x" * 1000)
    changed = METADATA.replace("xx", "yy")
    assert iam.update_saml_provider(SAMLProviderArn=provider, SAMLMetadataDocument=changed)["SAMLProviderArn"] == provider
    assert iam.get_saml_provider(SAMLProviderArn=provider)["SAMLMetadataDocument"] == changed
    assert provider in [entry["Arn"] for entry in iam.list_saml_providers()["SAMLProviderList"]]
    with refused("InvalidAction"):
        iam.update_saml_provider(SAMLProviderArn=provider, AssertionEncryptionMode="Required")
    iam.delete_saml_provider(SAMLProviderArn=provider)
    with refused("NoSuchEntity", status=404):
        iam.delete_saml_provider(SAMLProviderArn=provider)
    with refused("NoSuchEntity", status=404):
        iam.get_saml_provider(SAMLProviderArn=provider)


def test_update_open_id_connect_provider(iam: Any) -> None:
    context = {"SubjectSourceKey": "sub", "KeyDefinitionList": [{"SourceKey": "dept", "TargetKey": "department"}]}
    instance = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
    provider = iam.create_open_id_connect_provider(Url=f"https://{fresh_name('issuer')}.example", ContextProvider=context)
    arn = provider["OpenIDConnectProviderArn"]

    def shown() -> dict[str, Any]:
        found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        return {key: found.get(key) for key in ("ContextProvider", "IdentityCenterInstanceArn")}

    def propagates() -> bool:
        listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        return next(bool(each["IsTrustedIdentityPropagationEnabled"]) for each in listed if each["Arn"] == arn)

    assert shown() == {"ContextProvider": context, "IdentityCenterInstanceArn": None}
    iam.update_open_id_connect_provider(OpenIDConnectProviderArn=arn, IdentityCenterInstanceArn=instance)
    assert shown() == {"ContextProvider": context, "IdentityCenterInstanceArn": instance}
    assert propagates()
    iam.update_open_id_connect_provider(
        OpenIDConnectProviderArn=arn, RemoveContextProvider=True, RemoveIdentityCenterInstance=True
    )
    assert shown() == {"ContextProvider": None, "IdentityCenterInstanceArn": None}
    assert not propagates()
    with refused("InvalidInput"):
        iam.update_open_id_connect_provider(OpenIDConnectProviderArn=arn, ContextProvider=context, RemoveContextProvider=True)
    with refused("NoSuchEntity", status=404):
        iam.update_open_id_connect_provider(OpenIDConnectProviderArn=arn + "x", IdentityCenterInstanceArn=instance)
    iam.update_open_id_connect_provider(OpenIDConnectProviderArn=arn, ContextProvider=context)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    iam.create_open_id_connect_provider(Url=f"https://{arn.partition('oidc-provider/')[2]}")
    assert shown() == {"ContextProvider": None, "IdentityCenterInstanceArn": None}


def test_what_describes_the_subjects_of_saml(iam: Any) -> None:
    context = {"SubjectSourceKey": "NameID", "SubjectTypeValue": "person"}
    made = iam.create_saml_provider(Name=fresh_name("saml"), SAMLMetadataDocument=METADATA, ContextProvider=context)
    arn = made["SAMLProviderArn"]
    assert iam.get_saml_provider(SAMLProviderArn=arn)["ContextProvider"] == context
    iam.update_saml_provider(SAMLProviderArn=arn, RemoveContextProvider=True)
    assert "ContextProvider" not in iam.get_saml_provider(SAMLProviderArn=arn)
