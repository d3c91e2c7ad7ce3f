"""Every operation that answers in pages: how its list is filled and changed, and what tells its items apart."""

from __future__ import annotations

import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel

from moorage.testing import builders
from moorage.testing.server import KeyPair, MoorageServer

SERVICES = ("ecr", "ecr-public")
ITEMS = 7
DIGEST = "sha256:" + "a" * 64
_numbers = itertools.count(1)


def model(service: str) -> ServiceModel:
    """A service's model, as the installed botocore has it."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def paginators(service: str) -> dict[str, Any]:
    """The paginators that the installed botocore has for a service."""
    return dict(Loader().load_service_model(service, "paginators-1")["pagination"])


def paged_operations(service: str) -> list[str]:
    """The operations that take a page's token."""
    described = model(service)
    shapes = {name: described.operation_model(name).input_shape for name in described.operation_names}
    return [name for name, shape in shapes.items() if shape is not None and "nextToken" in shape.members]


class Paged(ABC):
    """A list that an operation shows, in an account of its own, with `ITEMS` items to begin with."""

    service = "ecr"
    operation: str
    result: str
    """The member that holds a page's items."""
    arguments: dict[str, Any]
    """What the operation is called with, beside the page."""
    narrower: dict[str, Any] | None = None
    """Other arguments, for which a token of `arguments` is worth nothing."""

    def __init__(self, server: MoorageServer, key: KeyPair, region: str = "us-east-1") -> None:
        self.key = key
        self.client = server.client(self.service, key=key, region=region)
        self.method = getattr(self.client, xform_name(self.operation))
        self.arguments = {}
        self.fill()

    @abstractmethod
    def fill(self) -> None:
        """Make the items."""

    @abstractmethod
    def name(self, item: Any) -> Any:
        """What tells an item from the others."""

    def items(self, page: dict[str, Any]) -> list[Any]:
        """The names of a page's items."""
        return [self.name(item) for item in page[self.result]]

    def everything(self) -> list[Any]:
        """The names of all items, in one page."""
        return self.items(self.method(**self.arguments, maxResults=50))

    def page(self, size: int, token: str | None = None, **arguments: Any) -> dict[str, Any]:
        """One page."""
        more = {} if token is None else {"nextToken": token}
        return dict(self.method(**(arguments or self.arguments), maxResults=size, **more))


class Changing(Paged):
    """A list whose items come and go one by one."""

    def fill(self) -> None:
        for _ in range(ITEMS):
            self.add()

    @abstractmethod
    def add(self) -> None:
        """Make one more item; its name is greater than those before."""

    @abstractmethod
    def drop(self, name: Any) -> None:
        """Take an item away."""


def number() -> str:
    """Part of a name that nothing else has."""
    return f"{next(_numbers):05}"


def manifest(**extra: Any) -> str:
    """An index without children that nothing else equals: it can be put without layers."""
    return builders.index([], annotations={"n": number()}, **extra).decode()


class Repositories(Changing):
    operation, result = "DescribeRepositories", "repositories"

    def add(self) -> None:
        self.client.create_repository(repositoryName=f"paged/{number()}")

    def drop(self, name: Any) -> None:
        self.client.delete_repository(repositoryName=name)

    def name(self, item: Any) -> Any:
        return item["repositoryName"]


class PublicRepositories(Repositories):
    service = "ecr-public"


class _InRepository(Changing):
    """What stands in one repository."""

    def fill(self) -> None:
        self.repository = f"paged/in-{number()}"
        self.client.create_repository(repositoryName=self.repository)
        self.arguments = {"repositoryName": self.repository}
        super().fill()


class Images(_InRepository):
    """Images with a tag each."""

    operation, result = "DescribeImages", "imageDetails"

    def add(self) -> None:
        self.client.put_image(repositoryName=self.repository, imageManifest=manifest(), imageTag=f"v{number()}")

    def drop(self, name: Any) -> None:
        told = self.client.batch_delete_image(repositoryName=self.repository, imageIds=[{"imageDigest": name}])
        assert told["imageIds"]

    def name(self, item: Any) -> Any:
        return item["imageDigest"]


class FilteredImages(Images):
    def fill(self) -> None:
        super().fill()
        self.client.put_image(repositoryName=self.repository, imageManifest=manifest())
        self.arguments = {"repositoryName": self.repository, "filter": {"tagStatus": "TAGGED"}}
        self.narrower = {"repositoryName": self.repository}


class PublicImages(Images):
    service = "ecr-public"


class ImageTags(_InRepository):
    """Tags of images, some of which have several, and an image without one."""

    operation, result = "ListImages", "imageIds"

    def fill(self) -> None:
        self.last = manifest()
        super().fill()
        self.client.put_image(repositoryName=self.repository, imageManifest=manifest())
        self.narrower = {"repositoryName": self.repository, "filter": {"tagStatus": "TAGGED"}}

    def add(self) -> None:
        tag = number()
        if int(tag) % 3 == 0:
            self.last = manifest()
        self.client.put_image(repositoryName=self.repository, imageManifest=self.last, imageTag=f"v{tag}")

    def drop(self, name: Any) -> None:
        digest, tag = name
        self.client.batch_delete_image(
            repositoryName=self.repository, imageIds=[{"imageTag": tag} if tag is not None else {"imageDigest": digest}]
        )

    def name(self, item: Any) -> Any:
        return item["imageDigest"], item.get("imageTag")


class PublicTags(_InRepository):
    service, operation, result = "ecr-public", "DescribeImageTags", "imageTagDetails"

    def add(self) -> None:
        self.client.put_image(repositoryName=self.repository, imageManifest=manifest(), imageTag=f"v{number()}")

    def drop(self, name: Any) -> None:
        self.client.batch_delete_image(repositoryName=self.repository, imageIds=[{"imageTag": name}])

    def name(self, item: Any) -> Any:
        return item["imageTag"]


class Referrers(_InRepository):
    operation, result = "ListImageReferrers", "referrers"

    def fill(self) -> None:
        super().fill()
        self.arguments = {"repositoryName": self.repository, "subjectId": {"imageDigest": DIGEST}}
        self.narrower = self.arguments | {"filter": {"artifactTypes": ["application/x-a"]}}

    def add(self) -> None:
        subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": DIGEST, "size": 2}
        self.client.put_image(
            repositoryName=self.repository, imageManifest=manifest(subject=subject, artifactType="application/x-a")
        )

    def drop(self, name: Any) -> None:
        self.client.batch_delete_image(repositoryName=self.repository, imageIds=[{"imageDigest": name}])

    def name(self, item: Any) -> Any:
        return item["digest"]


class Rules(Changing):
    operation, result = "DescribePullThroughCacheRules", "pullThroughCacheRules"

    def add(self) -> None:
        self.client.create_pull_through_cache_rule(ecrRepositoryPrefix=f"p{number()}", upstreamRegistryUrl="public.ecr.aws")

    def drop(self, name: Any) -> None:
        self.client.delete_pull_through_cache_rule(ecrRepositoryPrefix=name)

    def name(self, item: Any) -> Any:
        return item["ecrRepositoryPrefix"]


class Templates(Changing):
    operation, result = "DescribeRepositoryCreationTemplates", "repositoryCreationTemplates"

    def add(self) -> None:
        self.client.create_repository_creation_template(prefix=f"p{number()}", appliedFor=["REPLICATION"])

    def drop(self, name: Any) -> None:
        self.client.delete_repository_creation_template(prefix=name)

    def name(self, item: Any) -> Any:
        return item["prefix"]


class Exclusions(Changing):
    operation, result = "ListPullTimeUpdateExclusions", "pullTimeUpdateExclusions"

    def add(self) -> None:
        arn = f"arn:aws:iam::{self.key.account_id}:role/r{number()}"
        self.client.register_pull_time_update_exclusion(principalArn=arn)

    def drop(self, name: Any) -> None:
        self.client.deregister_pull_time_update_exclusion(principalArn=name)

    def name(self, item: Any) -> Any:
        return item


class Backfills(Paged):
    operation, result = "ListReplicationBackfills", "backfills"

    def fill(self) -> None:
        self.destination = {"region": "ap-south-1", "registryId": self.key.account_id}
        self.client.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": [self.destination]}]})
        for _ in range(ITEMS):
            self.client.start_replication_backfill(destination=self.destination)

    def name(self, item: Any) -> Any:
        return item["replicationBackfillId"]


class BackfillResults(Backfills):
    """Of a backfill that has copied nothing."""

    operation, result = "DescribeReplicationBackfillResults", "results"

    def fill(self) -> None:
        super().fill()
        first = self.client.list_replication_backfills()["backfills"][0]
        self.arguments = {"replicationBackfillId": first["replicationBackfillId"]}


class Preview(Paged):
    operation, result = "GetLifecyclePolicyPreview", "previewResults"

    def fill(self) -> None:
        self.repository = f"paged/in-{number()}"
        self.client.create_repository(repositoryName=self.repository)
        for _ in range(ITEMS):
            self.client.put_image(repositoryName=self.repository, imageManifest=manifest())
        keep_none = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1}
        rule = {"rulePriority": 1, "description": "all but one", "selection": keep_none, "action": {"type": "expire"}}
        text = json.dumps({"rules": [rule]})
        self.client.put_image(repositoryName=self.repository, imageManifest=manifest())
        self.client.start_lifecycle_policy_preview(repositoryName=self.repository, lifecyclePolicyText=text)
        self.arguments = {"repositoryName": self.repository}
        self.narrower = {"repositoryName": self.repository, "filter": {"tagStatus": "UNTAGGED"}}

    def name(self, item: Any) -> Any:
        return item["imageDigest"]


class Registries(Paged):
    """Everybody has one."""

    service, operation, result = "ecr-public", "DescribeRegistries", "registries"

    def fill(self) -> None:
        pass

    def name(self, item: Any) -> Any:
        return item["registryId"]


WAITING = {("ecr", "DescribeImageScanFindings")}
"""Lists that have no items before an engine makes them: until then the operation says that there was no scan."""
LISTS: tuple[type[Paged], ...] = (
    Repositories, PublicRepositories, Images, FilteredImages, PublicImages, ImageTags, PublicTags, Referrers, Rules, Templates,
    Exclusions, Backfills, BackfillResults, Preview, Registries,
)  # fmt: skip
CHANGING = [each for each in LISTS if issubclass(each, Changing)]


def counts(names: list[Any]) -> Iterator[Any]:
    """The names that are there more than once."""
    return (name for name in set(names) if names.count(name) > 1)
