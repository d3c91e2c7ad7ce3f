"""Pull images. Source: ECR BatchGetImage; OCI distribution-spec 1.1, pulling manifests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from moorage.auth.authorize import Question, authorize, key_to_check
from moorage.metadata.database import Version
from moorage.metadata.images import manifests, pulls
from moorage.metadata.records import Image, Payload, Repository
from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import ImageNotFound, RepositoryNotFound
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.authorized import repository_for
from moorage.operations.wanted_images import NOT_FOUND, BatchFailure, WantedImage, fault_of, find


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image that may be pulled. `is_lasting`: this caller would get the same until something changes in the database;
    `version`: see `Pull`."""

    repository: Repository
    image: Image
    is_lasting: bool
    version: Version


def get_image(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, digest: str | None, tag: str | None
) -> Pulled:
    """The image that is pulled. Raises RepositoryNotFound, ImageNotFound."""
    # An anonymous caller has no account row; join from the registry's account.
    pull = pulls.find(tx, caller.account_id or scope.registry_id, key_to_check(caller), scope, name, digest, tag)
    arn = scope.repository_arn(name)
    question = Question("ecr:BatchGetImage", scope, arn, repository=pull.repository)
    is_lasting = authorize(tx, caller, question, pull.credential_status)
    if pull.repository is None:
        raise RepositoryNotFound(scope.registry_id, name)
    if pull.image is None or pull.image.status_at(tx.now) != "ACTIVE":
        raise ImageNotFound(scope.registry_id, name, digest, tag)
    return Pulled(pull.repository, pull.image, is_lasting, pull.version)


def get_sealed_image(
    tx: ReadTransaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    digest: str | None,
    tag: str | None,
    is_open: Callable[[Image], bool],
) -> tuple[Pulled, Payload | None]:
    """`get_image`, and its sealed bytes if nobody has opened them yet. Raises what `get_image` raises."""
    pulled = get_image(tx, caller, scope, name, digest, tag)
    return pulled, None if is_open(pulled.image) else sealed_payload(tx, pulled.repository, pulled.image)


def sealed_payload(tx: ReadTransaction, repository: Repository, image: Image) -> Payload:
    """The sealed bytes of an image that was found. Raises ImageNotFound if it has gone meanwhile."""
    payload = manifests.payload_of(tx, image.id)
    if payload is None:
        raise ImageNotFound(repository.scope.registry_id, repository.name, image.digest, None)
    return payload


def batch_get_image(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, wanted: Sequence[WantedImage]
) -> tuple[Repository, list[tuple[WantedImage, Image]], list[BatchFailure]]:
    """Images by digest or tag, each entry standing or falling alone."""
    repository = repository_for(tx, caller, "ecr:BatchGetImage", scope, name)
    found: list[tuple[WantedImage, Image]] = []
    failures: list[BatchFailure] = []
    for entry in dict.fromkeys(wanted):
        fault = fault_of(entry)
        if fault is not None:
            failures.append(BatchFailure(entry, *fault))
            continue
        image = find(tx, repository, entry)
        status = None if image is None else image.status_at(tx.now)
        if image is None:
            failures.append(BatchFailure(entry, *NOT_FOUND))
        elif entry.digest is not None and image.digest != entry.digest:
            failures.append(
                BatchFailure(entry, "ImageTagDoesNotMatchDigest", "Requested image tag does not match the image digest")
            )
        elif status == "ARCHIVED":
            failures.append(BatchFailure(entry, *NOT_FOUND))
        elif status == "ACTIVATING":
            failures.append(BatchFailure(entry, "ImageInaccessible", "Requested image is being activated"))
        else:
            found.append((entry, image))
    return repository, found, failures
