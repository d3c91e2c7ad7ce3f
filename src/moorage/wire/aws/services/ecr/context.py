"""What the ECR operations work with, and how a call becomes a caller and a registry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from moorage.auth.cursors import Cursors
from moorage.auth.registry_token import RegistryTokens
from moorage.keys.data_keys import DataKeys
from moorage.metadata.database import Database
from moorage.metadata.records import Image, Repository
from moorage.model.clock import Clock
from moorage.model.errors import NameInvalid, ParameterInvalid
from moorage.model.names import RepositoryName, parse_repository_name
from moorage.model.scope import Scope
from moorage.operations.wanted_images import WantedImage
from moorage.transfer.create_on_push import pushing
from moorage.transfer.payload_cache import PayloadCache
from moorage.transfer.receive import Receiver
from moorage.transfer.work import Pools
from moorage.wire.aws.callers import caller_of, registry_of
from moorage.wire.aws.service import Call

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EcrContext:
    """Made once by the composition root.

    Args:
        registry_host: the host (and path prefix) under which docker reaches a registry, given the call that asks.
        link_key: signs download URLs of layers.
        activation_seconds: how long an image that leaves the archive is being activated.
        tokens_end_with_session: whether a registry token ends with the session that asked for it.
    """

    db: Database
    keys: DataKeys
    receiver: Receiver
    payloads: PayloadCache
    pools: Pools
    tokens: RegistryTokens
    cursors: Cursors
    clock: Clock
    registry_host: Callable[[Scope, Call], Awaitable[str]]
    link_key: bytes
    tokens_end_with_session: bool = False
    activation_seconds: int = 0


def scope_of(call: Call) -> Scope:
    """`registry_of`; of a call to ECR Public the public registry, which has no region."""
    if call.service == "ecr-public":
        return Scope.public(call.get("registryId") or call.signer.account_id)
    return registry_of(call)


def image_of(call: Call, member: str = "imageId") -> WantedImage:
    """The one image that the call is about."""
    given = call[member]
    return WantedImage(given.get("imageDigest"), given.get("imageTag"))


def shown_image(image: Image, wanted: WantedImage) -> dict[str, str | None]:
    """An image in the form of the API: its digest, and the tag that it was asked for by."""
    return {"imageDigest": image.digest, "imageTag": wanted.tag}


def position_of(context: EcrContext, call: Call, binding: str) -> list[Any] | None:
    """What `nextToken` says a page comes after; None: the first page. Raises TokenInvalid."""
    token = call.get("nextToken")
    return context.cursors.open(binding, token) if token else None


async def pushed_by(context: EcrContext, call: Call, push: Callable[[], Awaitable[T]]) -> T:
    """The outcome of a push by this call; see `transfer.create_on_push`."""
    return await pushing(context.db, context.keys, caller_of(call), scope_of(call), name_of(call), push)


def name_of(call: Call) -> RepositoryName:
    """The repository's name. The model has checked the form; our own limit is the stricter one of the two."""
    try:
        return parse_repository_name(call["repositoryName"])
    except NameInvalid as error:
        raise ParameterInvalid("repositoryName", error.reason) from None


def names_of(call: Call) -> list[RepositoryName]:
    """The repositories of `repositoryNames`, as `name_of` has one."""
    try:
        return [parse_repository_name(name) for name in call["repositoryNames"]]
    except NameInvalid as error:
        raise ParameterInvalid("repositoryNames", error.reason) from None


def seconds(micros: int) -> float:
    """A time of the database as the API shows it: seconds with milliseconds."""
    return round(micros / 1_000_000, 3)


async def described(context: EcrContext, call: Call, *repositories: Repository) -> list[dict[str, object]]:
    """Repositories of one registry in the `Repository` shape."""
    if not repositories:
        return []
    host = await context.registry_host(repositories[0].scope, call)
    return [_described(host, repository) for repository in repositories]


def _described(host: str, repository: Repository) -> dict[str, object]:
    shown: dict[str, object] = {
        "repositoryArn": repository.arn,
        "registryId": repository.scope.registry_id,
        "repositoryName": repository.name,
        "repositoryUri": f"{host}/{repository.name}",
        "createdAt": seconds(repository.created_at),
    }
    if repository.scope.is_public:
        return shown
    shown |= {
        "imageTagMutability": repository.tag_mutability,
        "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
        "encryptionConfiguration": {"encryptionType": repository.encryption_type},
    }
    if repository.mutability_filters:
        shown["imageTagMutabilityExclusionFilters"] = shown_filters(repository.mutability_filters)
    return shown


def shown_filters(filters: tuple[str, ...]) -> list[dict[str, str]]:
    """Exclusion filters in the form of the API."""
    return [{"filterType": "WILDCARD", "filter": pattern} for pattern in filters]


def page_size(call: Call, default: int = 100) -> int:
    """`maxResults`, whose bounds the model has checked."""
    size = call.get("maxResults")
    return default if size is None else int(size)


def refuse_paging_with(call: Call, list_member: str) -> None:
    """An explicit list and paging exclude each other."""
    for member in ("maxResults", "nextToken"):
        if call.get(member) is not None:
            raise ParameterInvalid(member, f"must not be specified together with {list_member}")
