"""Identity providers: OpenID Connect and SAML. Source: the operations of the same names of IAM."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from moorage.metadata.identity import identities, providers
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.identity.records import Provider
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits
from moorage.model.errors import LimitExceeded
from moorage.model.identity_errors import EntityExists, EntityNotFound, InputInvalid, RequestInvalid
from moorage.model.principal import Caller
from moorage.operations.identity.authorized import Tags, facts_of, permit
from moorage.operations.identity.provider_context import (
    NO_CHANGE,
    NO_CONTEXT,
    ContextChange,
    ProviderContext,
    change_context,
    context_of,
    contexts_of,
    drop_context,
)
from moorage.operations.identity.tag_rules import add_tags, check_tags

ProviderKind = Literal["oidc", "saml"]

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_ISSUER = re.compile(rf"https://({_HOST}(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9._~%!$&'()*+,;=:@/-]*)?)", re.ASCII)
_NOUNS: dict[ProviderKind, str] = {"oidc": "OpenIDConnectProvider", "saml": "SAMLProvider"}
_QUOTAS: dict[ProviderKind, str] = {"oidc": "OpenIdConnectProvidersPerAccount", "saml": "SAMLProvidersPerAccount"}


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A provider with its tags."""

    provider: Provider
    tags: dict[str, str]
    context: ProviderContext = NO_CONTEXT


def provider_arn(account_id: str, kind: ProviderKind, url: str) -> str:
    """The ARN of a provider: of OIDC by the issuer's URL without its scheme, of SAML by its name."""
    return f"arn:aws:iam::{account_id}:{kind}-provider/{url}"


def provider_for(
    tx: ReadTransaction,
    caller: Caller,
    action: str,
    kind: ProviderKind,
    arn: str,
    *,
    tags: Tags = (),
    tag_keys: Sequence[str] = (),
) -> Provider:
    """The provider, if the caller may do `action` on it. Raises EntityNotFound."""
    found = _found(tx, caller, kind, arn)
    own_tags = identity_tags.tags_of(tx, found.arn) if found is not None else {}
    permit(tx, caller, action, arn, facts_of(resource_tags=own_tags, tags=tags, tag_keys=tag_keys))
    if found is None:
        raise EntityNotFound(f"{kind} provider", arn)
    return found


def create_open_id_connect_provider(
    tx: Transaction,
    caller: Caller,
    url: str,
    client_ids: Sequence[str],
    thumbprints: Sequence[str],
    tags: Tags,
    context: ContextChange = NO_CHANGE,
) -> ProviderView:
    """Trust an issuer of OpenID Connect; its tokens are verified by its own keys, thumbprints are only kept.

    Raises:
        RequestInvalid: of the URL.
        EntityExists, LimitExceeded, InputInvalid
    """
    issuer = _ISSUER.fullmatch(url)
    where = issuer[1] if issuer is not None else url.removeprefix("https://")
    _permit_creation(tx, caller, "oidc", where, tags)
    if issuer is None:
        raise RequestInvalid("Invalid Open ID Connect Provider URL")
    clients = tuple(dict.fromkeys(client_ids))
    _check_clients(clients)
    created = _add(tx, caller, "oidc", where, clients, _checked_thumbprints(thumbprints), None, tags)
    change_context(tx, created.provider, context)
    return created


def create_saml_provider(
    tx: Transaction, caller: Caller, name: str, document: str, tags: Tags, context: ContextChange = NO_CHANGE
) -> ProviderView:
    """Keep the metadata of a SAML provider. Raises EntityExists, LimitExceeded, InputInvalid."""
    _permit_creation(tx, caller, "saml", name, tags)
    created = _add(tx, caller, "saml", name, (), (), _checked_metadata(document), tags)
    change_context(tx, created.provider, context)
    return created


def get_provider(tx: ReadTransaction, caller: Caller, kind: ProviderKind, arn: str) -> ProviderView:
    """GetOpenIDConnectProvider, GetSAMLProvider. Raises EntityNotFound."""
    found = provider_for(tx, caller, f"Get{_NOUNS[kind]}", kind, arn)
    return ProviderView(found, identity_tags.tags_of(tx, found.arn), context_of(tx, found))


def list_providers(tx: ReadTransaction, caller: Caller, kind: ProviderKind) -> list[ProviderView]:
    """ListOpenIDConnectProviders, ListSAMLProviders: by ARN, without tags."""
    permit(tx, caller, f"List{_NOUNS[kind]}s", provider_arn(caller.account_id, kind, "*"))
    contexts = contexts_of(tx, caller.account_id)
    found = providers.list_in(tx, caller.account_id, kind)
    return [ProviderView(provider, {}, contexts.get(provider.arn, NO_CONTEXT)) for provider in found]


def update_open_id_connect_provider(tx: Transaction, caller: Caller, arn: str, context: ContextChange) -> None:
    """UpdateOpenIDConnectProvider. Raises EntityNotFound, InputInvalid."""
    change_context(tx, _changing(tx, caller, "UpdateOpenIDConnectProvider", "oidc", arn), context)


def delete_provider(tx: Transaction, caller: Caller, kind: ProviderKind, arn: str) -> None:
    """DeleteOpenIDConnectProvider, DeleteSAMLProvider. Of OIDC one that is not there is no error. Raises EntityNotFound."""
    try:
        found = _changing(tx, caller, f"Delete{_NOUNS[kind]}", kind, arn)
    except EntityNotFound:
        if kind == "oidc":
            return
        raise
    identity_tags.drop_all(tx, found.arn)
    drop_context(tx, found)
    providers.remove(tx, found)


def add_client_id(tx: Transaction, caller: Caller, arn: str, client_id: str) -> None:
    """AddClientIDToOpenIDConnectProvider; one that is there already stays. Raises EntityNotFound, LimitExceeded."""
    found = _changing(tx, caller, "AddClientIDToOpenIDConnectProvider", "oidc", arn)
    clients = tuple(dict.fromkeys((*found.client_ids, client_id)))
    _check_clients(clients)
    providers.change(tx, found, client_ids=clients)


def remove_client_id(tx: Transaction, caller: Caller, arn: str, client_id: str) -> None:
    """RemoveClientIDFromOpenIDConnectProvider; an absent one is no error. Raises EntityNotFound."""
    found = _changing(tx, caller, "RemoveClientIDFromOpenIDConnectProvider", "oidc", arn)
    providers.change(tx, found, client_ids=tuple(each for each in found.client_ids if each != client_id))


def update_thumbprints(tx: Transaction, caller: Caller, arn: str, thumbprints: Sequence[str]) -> None:
    """UpdateOpenIDConnectProviderThumbprint. Raises EntityNotFound, InputInvalid."""
    found = _changing(tx, caller, "UpdateOpenIDConnectProviderThumbprint", "oidc", arn)
    providers.change(tx, found, thumbprints=_checked_thumbprints(thumbprints))


def update_saml_provider(
    tx: Transaction, caller: Caller, arn: str, document: str | None, context: ContextChange = NO_CHANGE
) -> None:
    """UpdateSAMLProvider: other metadata. Raises EntityNotFound, InputInvalid."""
    found = _changing(tx, caller, "UpdateSAMLProvider", "saml", arn)
    change_context(tx, found, context)
    if document is not None:
        providers.change(tx, found, document=_checked_metadata(document))


def _found(tx: ReadTransaction, caller: Caller, kind: ProviderKind, arn: str) -> Provider | None:
    found = providers.find(tx, arn)
    return found if found is not None and (found.account_id, found.kind) == (caller.account_id, kind) else None


def _changing(tx: Transaction, caller: Caller, action: str, kind: ProviderKind, arn: str) -> Provider:
    """`provider_for`, as it is now that no other change of the account runs."""
    provider_for(tx, caller, action, kind, arn)
    identities.touch(tx, caller.account_id)
    now = _found(tx, caller, kind, arn)
    if now is None:
        raise EntityNotFound(f"{kind} provider", arn)
    return now


def _permit_creation(tx: ReadTransaction, caller: Caller, kind: ProviderKind, url: str, tags: Tags) -> None:
    arn, facts = provider_arn(caller.account_id, kind, url), facts_of(tags=tags)
    permit(tx, caller, f"Create{_NOUNS[kind]}", arn, facts)
    if tags:
        permit(tx, caller, f"Tag{_NOUNS[kind]}", arn, facts)


def _add(
    tx: Transaction,
    caller: Caller,
    kind: ProviderKind,
    url: str,
    client_ids: tuple[str, ...],
    thumbprints: tuple[str, ...],
    document: str | None,
    tags: Tags,
) -> ProviderView:
    checked = check_tags(tags)
    identities.touch(tx, caller.account_id)
    arn = provider_arn(caller.account_id, kind, url)
    provider = Provider(arn, caller.account_id, kind, url, client_ids, thumbprints, document, tx.now)
    if not providers.insert(tx, provider):
        raise EntityExists(f"{kind} provider", url)
    if providers.counts(tx, caller.account_id)[kind] > identity_limits.PROVIDERS:
        raise LimitExceeded(f"Cannot exceed quota for {_QUOTAS[kind]}: {identity_limits.PROVIDERS}")
    add_tags(tx, arn, checked)
    return ProviderView(provider, checked)


def _check_clients(client_ids: tuple[str, ...]) -> None:
    if len(client_ids) > identity_limits.CLIENT_IDS:
        raise LimitExceeded(f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {identity_limits.CLIENT_IDS}")


def _checked_thumbprints(thumbprints: Sequence[str]) -> tuple[str, ...]:
    if len(thumbprints) > identity_limits.THUMBPRINTS:
        raise InputInvalid("Thumbprint list must contain fewer than 5 entries.")
    return tuple(thumbprints)


def _checked_metadata(document: str) -> str:
    """The metadata is kept, never read: enough that it looks like some."""
    if "EntityDescriptor" not in document:
        raise InputInvalid("Could not parse metadata")
    return document
