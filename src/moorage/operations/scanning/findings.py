"""What scans have found in images. Source: ECR DescribeImageScanFindings. Nothing is scanned yet, so no image has findings."""

from __future__ import annotations

from typing import NoReturn

from moorage.metadata.transaction import ReadTransaction
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.registry_errors import ScanNotFound
from moorage.model.scope import Scope
from moorage.operations.authorized import repository_for
from moorage.operations.wanted_images import WantedImage, one_image


def describe_image_scan_findings(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, wanted: WantedImage
) -> NoReturn:
    """Say that the image was never scanned. Raises RepositoryNotFound, ImageNotFound, ScanNotFound."""
    repository = repository_for(tx, caller, "ecr:DescribeImageScanFindings", scope, name)
    image = one_image(tx, repository, wanted)
    raise ScanNotFound(scope.registry_id, name, image.digest, wanted.tag)
