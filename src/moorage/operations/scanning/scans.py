"""Scans that somebody asks for. Source: ECR StartImageScan; ECR User Guide, "Image scanning"."""

from __future__ import annotations

from typing import NoReturn

from moorage.metadata.transaction import ReadTransaction
from moorage.model import media_types
from moorage.model.errors import NotBuilt
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.registry_errors import ConfigurationInvalid, ImageArchived, NotScannable
from moorage.model.scope import Scope
from moorage.operations.authorized import repository_for
from moorage.operations.images.storage_class import ARCHIVED
from moorage.operations.scanning.configuration import DISABLED, ENHANCED, configuration_of
from moorage.operations.wanted_images import WantedImage, one_image

ENGINE = "image scanning engine"


def start_image_scan(tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, wanted: WantedImage) -> NoReturn:
    """Find the image and say whether it may be scanned. Nothing scans yet, so no image has ever used up its daily scan.

    Raises:
        RepositoryNotFound, ImageNotFound
        ConfigurationInvalid: enhanced scanning is on.
        ImageArchived, NotScannable: an archived image; an index or an artifact.
        NotBuilt: it could be scanned.
    """
    repository = repository_for(tx, caller, "ecr:StartImageScan", scope, name)
    image = one_image(tx, repository, wanted)
    if configuration_of(tx, scope).scan_type == ENHANCED:
        raise ConfigurationInvalid(DISABLED)
    if image.status_at(tx.now) == ARCHIVED:
        raise ImageArchived(scope.registry_id, name, image.digest, wanted.tag)
    if (image.artifact_type or image.config_media_type) not in media_types.IMAGE_CONFIGS:
        raise NotScannable(scope.registry_id, name, image.digest, wanted.tag)
    raise NotBuilt(f"Scans wait for the {ENGINE}, which is not available in this version of Moorage.")
