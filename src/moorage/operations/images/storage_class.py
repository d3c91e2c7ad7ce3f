"""The archive: images that are kept and cannot be pulled. Source: ECR UpdateImageStorageClass; ECR User Guide, "Image archival".

What hangs together moves together: an index takes the children along that no other standard index names, and every image the
artifacts that are attached to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from moorage.metadata.images import archive, manifests
from moorage.metadata.records import Image, Repository
from moorage.metadata.transaction import Transaction
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.registry_errors import StorageClassFixed
from moorage.model.scope import Scope
from moorage.operations.authorized import locked_repository_for
from moorage.operations.images.changes import Change, image_changed
from moorage.operations.wanted_images import WantedImage, one_image

ACTIVE, ARCHIVED, ACTIVATING = "ACTIVE", "ARCHIVED", "ACTIVATING"
_PAGE = 1000


def update_image_storage_class(
    tx: Transaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    wanted: WantedImage,
    target: str,
    activation_seconds: int,
) -> tuple[Image, str]:
    """Move an image to STANDARD or ARCHIVE; return it as it was, and the status that it has now.

    Args:
        activation_seconds: how long a restored image stays ACTIVATING.

    Raises:
        ImageNotFound
        StorageClassFixed: an index that is not archived names it, or it is being activated and cannot be archived yet.
    """
    repository = locked_repository_for(tx, caller, "ecr:UpdateImageStorageClass", scope, name, share=False)
    image = one_image(tx, repository, wanted)
    status = image.status_at(tx.now)
    if target == "ARCHIVE":
        if status == ARCHIVED:
            return image, status
        if status == ACTIVATING or archive.has_standard_parent(tx, repository.id, image.digest):
            raise StorageClassFixed(scope.registry_id, name, wanted.digest, wanted.tag)
        _archive(tx, repository, image)
        return image, ARCHIVED
    if status != ARCHIVED:
        return image, status
    _restore(tx, repository, image, tx.now + activation_seconds * 1_000_000)
    return image, ACTIVATING if activation_seconds else ACTIVE


def restore_now(tx: Transaction, repository: Repository, image: Image) -> bool:
    """An image was pushed again: it is active at once, with what hangs together with it. False if it was."""
    if image.status_at(tx.now) == ACTIVE:
        return False
    _restore(tx, repository, image, tx.now)
    return True


def restore_children_now(tx: Transaction, repository: Repository, index_id: int) -> None:
    """An index was pushed: what can be pulled by it is active at once."""
    for child in archive.children_of(tx, index_id):
        if child.archived:
            _restore(tx, repository, child, tx.now)


def _archive(tx: Transaction, repository: Repository, first: Image) -> None:
    waiting, seen = [first], {first.id}
    while waiting:
        image = waiting.pop()
        archive.set_archived(tx, image.id)
        for child in archive.children_of(tx, image.id):
            is_free = not archive.has_standard_parent(tx, repository.id, child.digest, but=image.id)
            if is_free and child.id not in seen and child.status_at(tx.now) == ACTIVE:
                seen.add(child.id)
                waiting.append(child)
        for attached in _attached(tx, repository, image, ACTIVE):
            if attached.id not in seen:
                seen.add(attached.id)
                waiting.append(attached)


def _restore(tx: Transaction, repository: Repository, first: Image, at: int) -> None:
    waiting, seen = [first], {first.id}
    while waiting:
        image = waiting.pop()
        archive.set_activated(tx, image.id, at)
        image_changed(tx, repository, image.id, Change.RESTORED)
        together = [child for child in archive.children_of(tx, image.id) if child.archived]
        for other in (*together, *_attached(tx, repository, image, ARCHIVED)):
            if other.id not in seen:
                seen.add(other.id)
                waiting.append(other)


def _attached(tx: Transaction, repository: Repository, image: Image, status: str) -> Iterator[Image]:
    after = 0
    while page := manifests.referrers(tx, repository.id, image.digest, (), status, after, _PAGE):
        yield from page
        after = page[-1].id
