"""Blobs as a repository sees them. Source: ECR BatchCheckLayerAvailability, GetDownloadUrlForLayer; OCI "Pulling blobs",
"Deleting blobs"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moorage.auth.authorize import Question, authorize
from moorage.metadata.images import archive, blobs, manifests
from moorage.metadata.records import Blob, Repository
from moorage.metadata.registry import repositories
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import limits, media_types
from moorage.model.digest import is_digest
from moorage.model.errors import AccessDenied, BlobNotFound, BlobReferenced, LayerInaccessible, RepositoryNotFound
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.authorized import locked_repository_for, repository_for

GET, CHECK = "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"


@dataclass(frozen=True, slots=True)
class LayerState:
    """One layer of BatchCheckLayerAvailability; size and media type only where it is available."""

    digest: str
    size_bytes: int | None
    media_type: str | None
    is_archived: bool = False

    @property
    def availability(self) -> str:
        """AVAILABLE, ARCHIVED (only archived images name it) or UNAVAILABLE. Source: ECR LayerAvailability."""
        if self.size_bytes is None:
            return "UNAVAILABLE"
        return "ARCHIVED" if self.is_archived else "AVAILABLE"


def get_blob(tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, digest: str) -> Blob:
    """A blob to be read. Raises BlobNotFound unless this very repository holds it."""
    repository = repository_for(tx, caller, GET, scope, name)
    blob = blobs.find(tx, repository.id, digest)
    if blob is None:
        raise BlobNotFound(scope.registry_id, name, digest)
    return blob


def is_named(tx: ReadTransaction, scope: Scope, name: RepositoryName, digest: str) -> bool:
    """Tell whether an image of the repository names the blob."""
    repository = repositories.find(tx, scope, name)
    return repository is not None and blobs.is_named(tx, repository.id, digest)


def get_presigned_blob(tx: ReadTransaction, repository_id: int, digest: str) -> Blob | None:
    """A blob for the bearer of a URL that was signed for it; None if the repository holds it no more, or is deleted."""
    return blobs.find(tx, repository_id, digest) if repositories.is_live(tx, repository_id) else None


def head_blob(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, digest: str
) -> tuple[Repository, int, bool]:
    """Repository, size, and whether the answer has to be kept true by `renew_blob`.

    Allowed to those who may check and to those who may pull: pull-only clients ask for the size first.
    """
    found = repositories.find(tx, scope, name)
    action = GET if scope.is_public else CHECK
    try:
        authorize(tx, caller, Question(action, scope, scope.repository_arn(name), repository=found))
    except AccessDenied:
        action = GET
    repository = repository_for(tx, caller, action, scope, name) if action is GET and not scope.is_public else found
    if repository is None:
        raise RepositoryNotFound(scope.registry_id, name)
    held = blobs.size_of(tx, repository.id, digest)
    if held is None:
        raise BlobNotFound(scope.registry_id, name, digest)
    return repository, held[0], is_nearly_due(tx, held[1])


def is_nearly_due(tx: ReadTransaction, check_after: int | None) -> bool:
    """Tell whether a link may be collected before a push that was told "exists" is done."""
    return check_after is not None and check_after - tx.now < limits.BLOB_GRACE_SECONDS * 500_000


def renew_blob(tx: Transaction, repository_id: int, digest: str) -> None:
    """Keep an "exists" true for another grace."""
    blobs.renew(tx, repository_id, digest, tx.now + limits.BLOB_GRACE_SECONDS * 1_000_000)


def delete_blob(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, digest: str) -> None:
    """Take a blob out of a repository. Raises BlobNotFound, BlobReferenced (a manifest of the repository names it)."""
    # Alone: a push that runs may have found the blob named by an image that goes, and a link that is named is not locked.
    repository = locked_repository_for(tx, caller, "ecr:BatchDeleteImage", scope, name, share=False)
    link = blobs.lock_link(tx, repository.id, digest)
    if link is None:
        raise BlobNotFound(scope.registry_id, name, digest)
    if blobs.is_named(tx, repository.id, digest):
        raise BlobReferenced(scope.registry_id, name, digest)
    blobs.unlink(tx, repository.id, digest)
    blobs.collect(tx, link[0], tx.now + limits.DOOM_SECONDS * 1_000_000)


def batch_check_layer_availability(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, digests: Sequence[str]
) -> tuple[list[LayerState], list[str], list[str]]:
    """Layers in the order of the request, each once; the digests that are none; and those whose answer has to be kept true."""
    repository = repository_for(tx, caller, CHECK, scope, name)
    asked = list(dict.fromkeys(digests))
    valid = [digest for digest in asked if is_digest(digest)]
    held = blobs.links(tx, repository.id, valid)
    archived = archive.archived_blobs(tx, repository.id, list(held))
    states: list[LayerState] = []
    for digest in valid:
        if digest in held:
            media_type = manifests.media_type_of_blob(tx, repository.id, digest) or media_types.DOCKER_LAYER
            states.append(LayerState(digest, held[digest][1], media_type, digest in archived))
        else:
            states.append(LayerState(digest, None, None))
    return states, [d for d in asked if not is_digest(d)], [d for d in held if is_nearly_due(tx, held[d][0])]


def renew_blobs(tx: Transaction, scope: Scope, caller: Caller, name: RepositoryName, digests: Sequence[str]) -> None:
    """`renew_blob` for several."""
    repository = repository_for(tx, caller, CHECK, scope, name)
    for digest in sorted(digests):
        renew_blob(tx, repository.id, digest)


def get_download_url_for_layer(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, digest: str
) -> tuple[Repository, Blob]:
    """What a URL for a layer has to be made for.

    Raises:
        BlobNotFound: the repository does not hold it.
        LayerInaccessible: it does, but no image names it, or only archived ones.
    """
    repository = repository_for(tx, caller, GET, scope, name)
    blob = blobs.find(tx, repository.id, digest) if is_digest(digest) else None
    if blob is None:
        raise BlobNotFound(scope.registry_id, name, digest)
    if not blobs.is_named(tx, repository.id, digest) or archive.archived_blobs(tx, repository.id, [digest]):
        raise LayerInaccessible(scope.registry_id, name, digest)
    return repository, blob
