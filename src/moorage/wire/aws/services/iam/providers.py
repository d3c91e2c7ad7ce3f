"""Identity providers."""

from __future__ import annotations

from typing import Any

from moorage.model.errors import NotBuilt
from moorage.operations.identity import providers
from moorage.operations.identity.provider_context import ContextChange
from moorage.operations.identity.providers import ProviderView
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam import shown
from moorage.wire.aws.services.iam.context import IamContext, pairs

_ARN = "OpenIDConnectProviderArn"
_KEYS = ("AssertionEncryptionMode", "AddPrivateKey", "RemovePrivateKey")
_CENTURY_SECONDS = 100 * 365 * 24 * 3600
"""Metadata is not read, so it is not known how long its certificates last."""


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""
    _oidc(service, context)
    _saml(service, context)


def _oidc(service: Service, context: IamContext) -> None:
    @service.operation("CreateOpenIDConnectProvider")
    async def create_provider(call: Call) -> Output:
        created = await context.db.write(
            providers.create_open_id_connect_provider,
            caller_of(call),
            call["Url"],
            call.get("ClientIDList") or [],
            call.get("ThumbprintList") or [],
            pairs(call.get("Tags")),
            _context_change(call),
        )
        return {_ARN: created.provider.arn, "Tags": shown.tag_list(created.tags)}

    @service.operation("GetOpenIDConnectProvider")
    async def get_provider(call: Call) -> Output:
        found = await context.db.read(providers.get_provider, caller_of(call), "oidc", call[_ARN])
        return {
            "Url": found.provider.url,
            "ClientIDList": found.provider.client_ids,
            "ThumbprintList": found.provider.thumbprints,
            "CreateDate": shown.seconds(found.provider.created_at),
            "Tags": shown.tag_list(found.tags),
            **_context_shown(found),
        }

    @service.operation("ListOpenIDConnectProviders")
    async def list_providers(call: Call) -> Output:
        found = await context.db.read(providers.list_providers, caller_of(call), "oidc")
        return {
            "OpenIDConnectProviderList": [
                {"Arn": view.provider.arn, "IsTrustedIdentityPropagationEnabled": _propagates(view)} for view in found
            ]
        }

    @service.operation("UpdateOpenIDConnectProvider")
    async def update_provider(call: Call) -> Output:
        change = _context_change(call)
        await context.db.write(providers.update_open_id_connect_provider, caller_of(call), call[_ARN], change)
        return {}

    @service.operation("DeleteOpenIDConnectProvider")
    async def delete_provider(call: Call) -> Output:
        await context.db.write(providers.delete_provider, caller_of(call), "oidc", call[_ARN])
        return {}

    @service.operation("AddClientIDToOpenIDConnectProvider")
    async def add_client_id(call: Call) -> Output:
        await context.db.write(providers.add_client_id, caller_of(call), call[_ARN], call["ClientID"])
        return {}

    @service.operation("RemoveClientIDFromOpenIDConnectProvider")
    async def remove_client_id(call: Call) -> Output:
        await context.db.write(providers.remove_client_id, caller_of(call), call[_ARN], call["ClientID"])
        return {}

    @service.operation("UpdateOpenIDConnectProviderThumbprint")
    async def update_thumbprints(call: Call) -> Output:
        await context.db.write(providers.update_thumbprints, caller_of(call), call[_ARN], call["ThumbprintList"])
        return {}


def _saml(service: Service, context: IamContext) -> None:
    @service.operation("CreateSAMLProvider")
    async def create_provider(call: Call) -> Output:
        _refuse_keys(call)
        created = await context.db.write(
            providers.create_saml_provider,
            caller_of(call),
            call["Name"],
            call["SAMLMetadataDocument"],
            pairs(call.get("Tags")),
            _context_change(call),
        )
        return {"SAMLProviderArn": created.provider.arn, "Tags": shown.tag_list(created.tags)}

    @service.operation("GetSAMLProvider")
    async def get_provider(call: Call) -> Output:
        found = await context.db.read(providers.get_provider, caller_of(call), "saml", call["SAMLProviderArn"])
        created_at = found.provider.created_at // 1_000_000
        return {
            "SAMLMetadataDocument": found.provider.document,
            "CreateDate": created_at,
            "ValidUntil": created_at + _CENTURY_SECONDS,
            "Tags": shown.tag_list(found.tags),
            **_context_shown(found),
        }

    @service.operation("ListSAMLProviders")
    async def list_providers(call: Call) -> Output:
        found = await context.db.read(providers.list_providers, caller_of(call), "saml")
        return {
            "SAMLProviderList": [
                {
                    "Arn": view.provider.arn,
                    "ValidUntil": view.provider.created_at // 1_000_000 + _CENTURY_SECONDS,
                    "CreateDate": shown.seconds(view.provider.created_at),
                    "IsTrustedIdentityPropagationEnabled": _propagates(view),
                }
                for view in found
            ]
        }

    @service.operation("UpdateSAMLProvider")
    async def update_provider(call: Call) -> Output:
        _refuse_keys(call)
        arn = call["SAMLProviderArn"]
        document, change = call.get("SAMLMetadataDocument"), _context_change(call)
        await context.db.write(providers.update_saml_provider, caller_of(call), arn, document, change)
        return {"SAMLProviderArn": arn}

    @service.operation("DeleteSAMLProvider")
    async def delete_provider(call: Call) -> Output:
        await context.db.write(providers.delete_provider, caller_of(call), "saml", call["SAMLProviderArn"])
        return {}


def _context_change(call: Call) -> ContextChange:
    return ContextChange(
        definition=call.get("ContextProvider"),
        instance_arn=call.get("IdentityCenterInstanceArn"),
        removes_definition=bool(call.get("RemoveContextProvider")),
        removes_instance=bool(call.get("RemoveIdentityCenterInstance")),
    )


def _context_shown(found: ProviderView) -> dict[str, Any]:
    return {"ContextProvider": found.context.definition, "IdentityCenterInstanceArn": found.context.instance_arn}


def _propagates(found: ProviderView) -> bool:
    return found.context.instance_arn is not None


def _refuse_keys(call: Call) -> None:
    """Encrypted assertions are not told from plain ones here, so nobody is to think that they are."""
    if any(call.get(member) is not None for member in _KEYS):
        raise NotBuilt("encrypted SAML assertions are not available in this version of Moorage")
