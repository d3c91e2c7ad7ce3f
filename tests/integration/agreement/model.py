"""What a registry has to answer: the documented behaviour of ECR, in the plainest form that can be written down.

Each method is an operation: it returns the members of the answer, or raises `Refused` with a code and a text. Times are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.integration.agreement.things import Thing, blobs, things

NOT_FOUND = "Requested image not found"
FOUND_BY: dict[str, Thing] = {each.digest: each for each in things().values()}
DEFAULT_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Refused(Exception):
    """What the server answers instead; `message` None where no text is documented."""

    def __init__(self, code: str, message: str | None = None) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


@dataclass
class Image:
    thing: Thing
    tags: list[str] = field(default_factory=list)
    """In the order in which they were set."""
    is_archived: bool = False
    was_archived: bool = False
    was_activated: bool = False

    @property
    def status(self) -> str:
        return "ARCHIVED" if self.is_archived else "ACTIVE"

    def copy(self) -> Image:
        return Image(self.thing, list(self.tags), self.is_archived, self.was_archived, self.was_activated)


@dataclass
class Repository:
    name: str
    mode: str = "MUTABLE"
    filters: tuple[str, ...] = ()
    scans: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    policy: str | None = None
    lifecycle: str | None = None
    blobs: set[str] = field(default_factory=set)
    images: list[Image] = field(default_factory=list)
    """In the order of arrival."""

    def by_digest(self, digest: str) -> Image | None:
        return next((image for image in self.images if image.thing.digest == digest), None)

    def by_tag(self, tag: str) -> Image | None:
        return next((image for image in self.images if tag in image.tags), None)

    def find(self, wanted: dict[str, str]) -> Image | None:
        """The image that an id names, its tag first."""
        if "imageTag" in wanted:
            return self.by_tag(wanted["imageTag"])
        return self.by_digest(wanted.get("imageDigest", ""))

    def parents(self, digest: str) -> list[Image]:
        return [image for image in self.images if digest in image.thing.children]

    def naming(self, blob: str) -> list[Image]:
        return [image for image in self.images if blob in image.thing.blob_types]

    def is_mutable(self, tag: str) -> bool:
        excluded = any(_matches(pattern, tag) for pattern in self.filters)
        return self.mode.startswith("MUTABLE") != excluded


def _matches(pattern: str, text: str) -> bool:
    """`*` is any run of characters, all else is itself."""
    head, star, rest = pattern.partition("*")
    if not star:
        return pattern == text
    return text.startswith(head) and any(_matches(rest, text[start:]) for start in range(len(head), len(text) + 1))


def shown_filters(filters: Iterable[str]) -> list[dict[str, str]]:
    return [{"filterType": "WILDCARD", "filter": each} for each in filters]


class Registry:
    """One account's registry in one region."""

    def __init__(self, registry_id: str, host: str) -> None:
        self.registry_id, self.host = registry_id, host
        self.repositories: dict[str, Repository] = {}

    # Repositories.

    def create(self, name: str, mode: str | None, filters: tuple[str, ...] | None, tags: dict[str, str]) -> dict[str, Any]:
        _require_some(filters)
        if any(key.lower().startswith("aws:") for key in tags):
            raise Refused("InvalidTagParameterException")
        checked = self._filters(mode or "MUTABLE", filters)
        if name in self.repositories:
            raise Refused(
                "RepositoryAlreadyExistsException",
                f"The repository with name '{name}' already exists in the registry with id '{self.registry_id}'",
            )
        made = self.repositories[name] = Repository(name, mode or "MUTABLE", checked, tags=dict(tags))
        return {"repository": self.described(made)}

    def _filters(self, mode: str, filters: tuple[str, ...] | None) -> tuple[str, ...]:
        at = "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: "
        said = "can't be specified" if filters else "can't be null"
        if bool(filters) != mode.endswith("_WITH_EXCLUSION"):
            text = f"'ImageTagMutabilityExclusionFilters {said} when imageTagMutability is set as {mode}'"
            raise Refused("InvalidParameterException", at + text)
        if any(each.count("*") > 2 for each in filters or ()):
            raise Refused("InvalidParameterException")
        return filters or ()

    def described(self, repository: Repository) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "repositoryArn": self.arn(repository.name),
            "registryId": self.registry_id,
            "repositoryName": repository.name,
            "repositoryUri": f"{self.host}/{repository.name}",
            "imageTagMutability": repository.mode,
            "imageScanningConfiguration": {"scanOnPush": repository.scans},
            "encryptionConfiguration": {"encryptionType": "AES256"},
        }
        if repository.filters:
            shown["imageTagMutabilityExclusionFilters"] = shown_filters(repository.filters)
        return shown

    def arn(self, name: str) -> str:
        return f"arn:aws:ecr:us-east-1:{self.registry_id}:repository/{name}"

    def find(self, name: str) -> Repository:
        if name not in self.repositories:
            raise Refused(
                "RepositoryNotFoundException",
                f"The repository with name '{name}' does not exist in the registry with id '{self.registry_id}'",
            )
        return self.repositories[name]

    def delete(self, name: str, *, force: bool) -> dict[str, Any]:
        repository = self.find(name)
        if repository.images and not force:
            raise Refused(
                "RepositoryNotEmptyException",
                f"The repository with name '{name}' in registry with id '{self.registry_id}' cannot be deleted because it still "
                "contains images",
            )
        del self.repositories[name]
        return {"repository": self.described(repository)}

    def describe(self, names: list[str] | None) -> dict[str, Any]:
        found = [self.find(name) for name in names] if names is not None else list(self.repositories.values())
        unique = {each.name: each for each in found}
        return {"repositories": [self.described(unique[name]) for name in sorted(unique)]}

    def put_mutability(self, name: str, mode: str, filters: tuple[str, ...] | None) -> dict[str, Any]:
        _require_some(filters)
        repository = self.find(name)
        repository.filters = self._filters(mode, filters)
        repository.mode = mode
        shown = {"imageTagMutabilityExclusionFilters": shown_filters(repository.filters)} if repository.filters else {}
        return {**self._where(name), "imageTagMutability": mode, **shown}

    def put_scanning(self, name: str, *, on: bool) -> dict[str, Any]:
        self.find(name).scans = on
        return {**self._where(name), "imageScanningConfiguration": {"scanOnPush": on}}

    def _where(self, name: str) -> dict[str, Any]:
        return {"registryId": self.registry_id, "repositoryName": name}

    def _in(self, name: str) -> str:
        return f"the repository with name '{name}' in the registry with id '{self.registry_id}'"

    # Tags of resources, and documents.

    def tag(self, name: str, tags: dict[str, str]) -> dict[str, Any]:
        self.find(name).tags.update(tags)
        return {}

    def untag(self, name: str, keys: list[str]) -> dict[str, Any]:
        repository = self.find(name)
        repository.tags = {key: value for key, value in repository.tags.items() if key not in keys}
        return {}

    def list_tags(self, name: str) -> dict[str, Any]:
        return {"tags": [{"Key": key, "Value": value} for key, value in sorted(self.find(name).tags.items())]}

    def set_policy(self, name: str, text: str, *, is_valid: bool) -> dict[str, Any]:
        repository = self.find(name)
        if not is_valid:
            raise Refused("InvalidParameterException")
        repository.policy = text
        return {**self._where(name), "policyText": text}

    def get_policy(self, name: str, *, delete: bool = False) -> dict[str, Any]:
        repository = self.find(name)
        text = repository.policy
        if text is None:
            raise Refused("RepositoryPolicyNotFoundException", f"Repository policy does not exist for {self._in(name)}")
        if delete:
            repository.policy = None
        return {**self._where(name), "policyText": text}

    def put_lifecycle(self, name: str, text: str) -> dict[str, Any]:
        self.find(name).lifecycle = text
        return {**self._where(name), "lifecyclePolicyText": text}

    def get_lifecycle(self, name: str, *, delete: bool = False) -> dict[str, Any]:
        repository = self.find(name)
        text = repository.lifecycle
        if text is None:
            raise Refused("LifecyclePolicyNotFoundException", f"Lifecycle policy does not exist for {self._in(name)}")
        if delete:
            repository.lifecycle = None
        return {**self._where(name), "lifecyclePolicyText": text}

    # Layers.

    def upload(self, name: str, digest: str) -> dict[str, Any]:
        repository = self.find(name)
        if digest in repository.blobs:
            raise Refused("LayerAlreadyExistsException", f"Layer with digest '{digest}' already exists in {self._in(name)}")
        repository.blobs.add(digest)
        return {**self._where(name), "layerDigest": digest}

    def check_layers(self, name: str, digests: list[str]) -> dict[str, Any]:
        repository = self.find(name)
        layers: list[dict[str, Any]] = []
        for digest in dict.fromkeys(digests):
            if digest not in repository.blobs:
                layers.append({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"})
                continue
            naming = repository.naming(digest)
            is_archived = bool(naming) and all(image.is_archived for image in naming)
            media_type = naming[0].thing.blob_types[digest] if naming else DEFAULT_LAYER
            state = "ARCHIVED" if is_archived else "AVAILABLE"
            size = len(blobs()[digest])
            layers.append({"layerDigest": digest, "layerAvailability": state, "layerSize": size, "mediaType": media_type})
        return {"layers": layers, "failures": []}

    def download(self, name: str, digest: str) -> dict[str, Any]:
        repository = self.find(name)
        if digest not in repository.blobs:
            raise Refused("LayersNotFoundException", f"The layer with digest '{digest}' does not exist in {self._in(name)}")
        if all(image.is_archived for image in repository.naming(digest)):
            raise Refused("LayerInaccessibleException")
        return {"layerDigest": digest}

    # Images.

    def put(self, name: str, thing: Thing, tag: str | None, claimed: str | None) -> dict[str, Any]:
        repository = self.find(name)
        digest = thing.digest
        if claimed is not None and claimed != digest:
            raise Refused(
                "ImageDigestDoesNotMatchException",
                f"The image with digest '{claimed}' in repository '{name}' and registry ID '{self.registry_id}' does not match "
                "the image digest that Amazon ECR has calculated.",
            )
        needed = f"required for pushing image into repository with name '{name}' in the registry with id '{self.registry_id}' do not exist"  # noqa: E501
        image = repository.by_digest(digest)
        if image is None:
            missing = sorted(set(thing.blob_types) - repository.blobs)
            if missing:
                raise Refused("LayersNotFoundException", f"Layers with digests '[{', '.join(missing)}]' {needed}")
            absent = sorted(child for child in thing.children if repository.by_digest(child) is None)
            if absent:
                raise Refused("ReferencedImagesNotFoundException", f"Images with digests '[{', '.join(absent)}]' {needed}")
        holder = repository.by_tag(tag) if tag is not None else None
        if tag is not None and holder is not None and holder is not image and not repository.is_mutable(tag):
            raise Refused(
                "ImageTagAlreadyExistsException",
                f"The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the tag is "
                "immutable.",
            )
        if image is not None and not image.is_archived and (tag is None or holder is image):
            raise Refused(
                "ImageAlreadyExistsException",
                f"Image with digest '{digest}' and tag '{tag or 'null'}' already exists in the repository with name '{name}' in "
                f"registry with id '{self.registry_id}'",
            )
        if image is None:
            image = Image(thing)
            repository.images.append(image)
        elif image.is_archived:
            image.is_archived, image.was_activated = False, True
        if tag is not None and holder is not image:
            if holder is not None:
                holder.tags.remove(tag)
            image.tags.append(tag)
        image_id = {"imageDigest": digest} | ({"imageTag": tag} if tag is not None else {})
        shown = {"imageId": image_id, "imageManifest": thing.text, "imageManifestMediaType": thing.media_type}
        return {"image": {**self._where(name), **shown}}

    def get_images(self, name: str, wanted: list[dict[str, str]]) -> dict[str, Any]:
        repository = self.find(name)
        found, failures = [], []
        for each in _once(wanted):
            image = repository.find(each)
            fault = _fault(each, image)
            if fault is None and image is not None and image.is_archived:
                fault = "ImageNotFound", NOT_FOUND
            if image is None or fault is not None:
                code, reason = fault or ("", "")
                failures.append({"imageId": each, "failureCode": code, "failureReason": reason})
                continue
            image_id = {"imageDigest": image.thing.digest} | {key: each[key] for key in ("imageTag",) if key in each}
            shown = {"imageId": image_id, "imageManifest": image.thing.text, "imageManifestMediaType": image.thing.media_type}
            found.append({**self._where(name), **shown})
        return {"images": found, "failures": failures}

    def delete_images(self, name: str, wanted: list[dict[str, str]]) -> dict[str, Any]:
        """What is resolved at first is removed with indexes first, so that one call can remove an index with its children."""
        repository = self.find(name)
        gone: list[tuple[str, str | None]] = []
        failures: list[dict[str, Any]] = []
        resolved: list[tuple[dict[str, str], Image]] = []
        for each in _once(wanted):
            image = repository.find(each)
            fault = _fault(each, image)
            if image is None or fault is not None:
                code, reason = fault or ("", "")
                failures.append({"imageId": each, "failureCode": code, "failureReason": reason})
            else:
                resolved.append((each, image))
        for each, image in sorted(resolved, key=lambda pair: "index" not in pair[1].thing.media_type):
            tag = each.get("imageTag")
            if image not in repository.images or (tag is not None and tag not in image.tags):
                continue  # an entry before this one has removed it
            if tag is not None and image.tags != [tag]:
                image.tags.remove(tag)
                gone.append((image.thing.digest, tag))
                continue
            parents = sorted(parent.thing.digest for parent in repository.parents(image.thing.digest))
            if parents:
                reason = f"Requested image referenced by manifest list: [{', '.join(parents)}]"
                failures.append({"imageId": each, "failureCode": "ImageReferencedByManifestList", "failureReason": reason})
                continue
            repository.images.remove(image)
            gone += [(image.thing.digest, held) for held in image.tags] or [(image.thing.digest, None)]
        shown = [{"imageDigest": digest} | ({} if tag is None else {"imageTag": tag}) for digest, tag in gone]
        return {"imageIds": shown, "failures": failures}

    def _listed(self, repository: Repository, tagged: str, status: str) -> list[Image]:
        return [
            image
            for image in reversed(repository.images)
            if (status in ("ANY", image.status)) and (tagged == "ANY" or bool(image.tags) == (tagged == "TAGGED"))
        ]

    def list_images(self, name: str, tagged: str = "ANY", status: str = "ACTIVE") -> dict[str, Any]:
        entries: list[dict[str, str]] = []
        for image in self._listed(self.find(name), tagged, status):
            digest = {"imageDigest": image.thing.digest}
            entries += [digest | {"imageTag": tag} for tag in image.tags] or [digest]
        return {"imageIds": entries}

    def describe_images(self, name: str, tagged: str = "ANY", status: str = "ACTIVE") -> dict[str, Any]:
        return {"imageDetails": [self._detail(name, image) for image in self._listed(self.find(name), tagged, status)]}

    def describe_named(self, name: str, wanted: list[dict[str, str]]) -> dict[str, Any]:
        found = [self._one(name, each) for each in wanted]
        unique = {id(image): image for image in found}.values()
        return {"imageDetails": [self._detail(name, image) for image in unique]}

    def _one(self, name: str, wanted: dict[str, str]) -> Image:
        image = self.find(name).find(wanted)
        if image is None or wanted.get("imageDigest", image.thing.digest) != image.thing.digest:
            digest, tag = wanted.get("imageDigest", "null"), wanted.get("imageTag", "null")
            told = f"{{imageDigest:'{digest}', imageTag:'{tag}'}}"
            where = f"does not exist within the repository with name '{name}' in the registry with id '{self.registry_id}'"
            raise Refused("ImageNotFoundException", f"The image with imageId {told} {where}")
        return image

    def _detail(self, name: str, image: Image) -> dict[str, Any]:
        thing = image.thing
        known = blobs()
        if thing.children:
            size = max(sum(len(known[blob]) for blob in FOUND_BY[child].blob_types) for child in thing.children)
        else:
            size = sum(len(known[blob]) for blob in thing.blob_types)
        shown: dict[str, Any] = {
            **self._where(name),
            "imageDigest": thing.digest,
            "imageSizeInBytes": size,
            "imageManifestMediaType": thing.media_type,
            "imageStatus": image.status,
        }
        if image.tags:
            shown["imageTags"] = image.tags.copy()
        if thing.artifact_type is not None:
            shown["artifactMediaType"] = thing.artifact_type
        if thing.subject is not None:
            shown["subjectManifestDigest"] = thing.subject
        # Of times only whether they are told.
        shown |= {"lastArchivedAt": True} if image.was_archived else {}
        shown |= {"lastActivatedAt": True} if image.was_activated else {}
        return shown | {"imagePushedAt": True}

    def referrers(self, name: str, subject: str, types: list[str], status: str) -> dict[str, Any]:
        found = []
        for image in self.find(name).images:
            thing = image.thing
            if thing.subject != subject or status not in ("ANY", image.status) or (types and thing.artifact_type not in types):
                continue
            shown: dict[str, Any] = {
                "digest": thing.digest,
                "mediaType": thing.media_type,
                "artifactType": thing.artifact_type,
                "size": len(thing.text),
                "artifactStatus": image.status,
            }
            found.append(shown | ({"annotations": thing.annotations} if thing.annotations else {}))
        return {"referrers": found}

    def move(self, name: str, wanted: dict[str, str], target: str) -> dict[str, Any]:
        repository, image = self.find(name), self._one(name, wanted)
        shown = {"imageDigest": image.thing.digest} | {key: wanted[key] for key in ("imageTag",) if key in wanted}
        if target == "ARCHIVE" and not image.is_archived:
            if any(not parent.is_archived for parent in repository.parents(image.thing.digest)):
                raise Refused("ImageStorageClassUpdateNotSupportedException")
            self._archive(repository, image)
        elif target == "STANDARD" and image.is_archived:
            self._restore(repository, image)
        return {**self._where(name), "imageId": shown, "imageStatus": image.status}

    def _archive(self, repository: Repository, image: Image) -> None:
        image.is_archived = image.was_archived = True
        for other in repository.images:
            is_child = other.thing.digest in image.thing.children
            in_use = any(not parent.is_archived for parent in repository.parents(other.thing.digest))
            hangs_on = (is_child and not in_use) or other.thing.subject == image.thing.digest
            if hangs_on and not other.is_archived:
                self._archive(repository, other)

    def _restore(self, repository: Repository, image: Image) -> None:
        image.is_archived, image.was_activated = False, True
        for other in repository.images:
            hangs_on = other.thing.digest in image.thing.children or other.thing.subject == image.thing.digest
            if hangs_on and other.is_archived:
                self._restore(repository, other)


def _require_some(filters: tuple[str, ...] | None) -> None:
    """The service's own model of its requests wants one filter at least, if any are named: checked before all else."""
    if filters is not None and not filters:
        raise Refused("InvalidParameterException")


def _once(wanted: list[dict[str, str]]) -> list[dict[str, str]]:
    return [each for position, each in enumerate(wanted) if each not in wanted[:position]]


def _fault(wanted: dict[str, str], image: Image | None) -> tuple[str, str] | None:
    """What is wrong with an entry of a batch."""
    if not wanted:
        return "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"
    if image is None:
        return "ImageNotFound", NOT_FOUND
    if wanted.get("imageDigest", image.thing.digest) != image.thing.digest:
        return "ImageTagDoesNotMatchDigest", "Requested image tag does not match the image digest"
    return None
