"""Each operation done twice, by the server and by the model: the answers have to be the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from moorage.testing.server import KeyPair, MoorageServer, make_client
from tests.integration.agreement.model import Refused, Registry, shown_filters
from tests.integration.agreement.things import BAD_POLICY, Thing, blobs, things

TIMES = {"createdAt", "updatedAt", "lastEvaluatedAt"}
"""Not compared, but that they are there."""


def compare(ask: Callable[[], Any], expect: Callable[[], dict[str, Any]], *, in_order: bool = True) -> None:
    """The server's answer is the model's: every member of it, or code and text of the refusal."""
    try:
        expected, refusal = expect(), None
    except Refused as error:
        expected, refusal = {}, error
    try:
        told = _plain(ask())
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        assert refusal is not None, f"refused with {code}: {message}; expected {expected}"
        assert code == refusal.code, f"{code}: {message}; expected {refusal.code}"
        if refusal.message is not None:
            assert message == refusal.message
        return
    assert refusal is None, f"answered {told}; expected {refusal}"
    if not in_order:
        told, expected = _sorted(told), _sorted(expected)
    assert told == expected, f"answered {told}\nexpected {expected}"


class Agreement:
    """A client and a model of the same registry."""

    def __init__(self, client: Any, registry: Registry) -> None:
        self.client, self.model = client, registry

    def _same(self, ask: Callable[[], Any], expect: Callable[[], dict[str, Any]], *, in_order: bool = True) -> None:
        compare(ask, expect, in_order=in_order)

    # Repositories.

    def create(self, name: str, mode: str | None, filters: tuple[str, ...] | None, tags: dict[str, str]) -> None:
        more = _given(imageTagMutability=mode) | _filters(filters)
        self._same(
            lambda: self.client.create_repository(repositoryName=name, tags=_pairs(tags), **more),
            lambda: self.model.create(name, mode, filters, tags),
        )

    def delete(self, name: str, *, force: bool) -> None:
        self._same(
            lambda: self.client.delete_repository(repositoryName=name, force=force), lambda: self.model.delete(name, force=force)
        )

    def describe(self, names: list[str] | None) -> None:
        self._same(lambda: self.client.describe_repositories(**_given(repositoryNames=names)), lambda: self.model.describe(names))

    def put_mutability(self, name: str, mode: str, filters: tuple[str, ...] | None) -> None:
        self._same(
            lambda: self.client.put_image_tag_mutability(repositoryName=name, imageTagMutability=mode, **_filters(filters)),
            lambda: self.model.put_mutability(name, mode, filters),
        )

    def put_scanning(self, name: str, *, on: bool) -> None:
        self._same(
            lambda: self.client.put_image_scanning_configuration(
                repositoryName=name, imageScanningConfiguration={"scanOnPush": on}
            ),
            lambda: self.model.put_scanning(name, on=on),
        )

    def tag(self, name: str, tags: dict[str, str]) -> None:
        arn = self.model.arn(name)
        self._same(lambda: self.client.tag_resource(resourceArn=arn, tags=_pairs(tags)), lambda: self.model.tag(name, tags))

    def untag(self, name: str, keys: list[str]) -> None:
        arn = self.model.arn(name)
        self._same(lambda: self.client.untag_resource(resourceArn=arn, tagKeys=keys), lambda: self.model.untag(name, keys))

    def list_tags(self, name: str) -> None:
        arn = self.model.arn(name)
        self._same(lambda: self.client.list_tags_for_resource(resourceArn=arn), lambda: self.model.list_tags(name))

    def set_policy(self, name: str, text: str) -> None:
        self._same(
            lambda: self.client.set_repository_policy(repositoryName=name, policyText=text),
            lambda: self.model.set_policy(name, text, is_valid=text != BAD_POLICY),
        )

    def get_policy(self, name: str, *, delete: bool) -> None:
        ask = self.client.delete_repository_policy if delete else self.client.get_repository_policy
        self._same(lambda: ask(repositoryName=name), lambda: self.model.get_policy(name, delete=delete))

    def put_lifecycle(self, name: str, text: str) -> None:
        self._same(
            lambda: self.client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text),
            lambda: self.model.put_lifecycle(name, text),
        )

    def get_lifecycle(self, name: str, *, delete: bool) -> None:
        ask = self.client.delete_lifecycle_policy if delete else self.client.get_lifecycle_policy
        self._same(lambda: ask(repositoryName=name), lambda: self.model.get_lifecycle(name, delete=delete))

    # Layers.

    def upload(self, name: str, digest: str) -> None:
        data = blobs()[digest]

        def ask() -> Any:
            upload = self.client.initiate_layer_upload(repositoryName=name)["uploadId"]
            middle = len(data) // 2
            if middle > 5 << 20:  # smaller parts may only be the last ones
                self._part(name, upload, data[:middle], 0)
            else:
                middle = 0
            self._part(name, upload, data[middle:], middle)
            told = self.client.complete_layer_upload(repositoryName=name, uploadId=upload, layerDigests=[digest])
            assert told.pop("uploadId") == upload
            return told

        self._same(ask, lambda: self.model.upload(name, digest))

    def _part(self, name: str, upload: str, data: bytes, at: int) -> None:
        last = at + len(data) - 1
        told = self.client.upload_layer_part(
            repositoryName=name, uploadId=upload, partFirstByte=at, partLastByte=last, layerPartBlob=data
        )
        assert told["lastByteReceived"] == last

    def upload_all(self, name: str) -> None:
        """What images need."""
        for thing in things().values():
            for digest in thing.blobs:
                self.upload(name, digest)

    def check_layers(self, name: str, digests: list[str]) -> None:
        self._same(
            lambda: self.client.batch_check_layer_availability(repositoryName=name, layerDigests=digests),
            lambda: self.model.check_layers(name, digests),
        )

    def download(self, name: str, digest: str) -> None:
        def ask() -> Any:
            told = self.client.get_download_url_for_layer(repositoryName=name, layerDigest=digest)
            assert told.pop("downloadUrl").startswith("http")
            return told

        self._same(ask, lambda: self.model.download(name, digest))

    # Images.

    def put(self, name: str, thing: Thing, tag: str | None, claimed: str | None) -> None:
        more = _given(imageTag=tag, imageDigest=claimed)
        self._same(
            lambda: self.client.put_image(repositoryName=name, imageManifest=thing.text, **more),
            lambda: self.model.put(name, thing, tag, claimed),
        )

    def get_images(self, name: str, wanted: list[dict[str, str]]) -> None:
        self._same(
            lambda: self.client.batch_get_image(repositoryName=name, imageIds=wanted),
            lambda: self.model.get_images(name, wanted),
            in_order=False,
        )

    def delete_images(self, name: str, wanted: list[dict[str, str]]) -> None:
        self._same(
            lambda: self.client.batch_delete_image(repositoryName=name, imageIds=wanted),
            lambda: self.model.delete_images(name, wanted),
            in_order=False,
        )

    def list_images(self, name: str, tagged: str, status: str, size: int | None) -> None:
        self._same(
            lambda: self._walked("list_images", "imageIds", size, repositoryName=name, filter=_chosen(tagged, status)),
            lambda: self.model.list_images(name, tagged, status),
        )

    def describe_images(self, name: str, tagged: str, status: str, size: int | None) -> None:
        self._same(
            lambda: self._shown(
                name, self._walked("describe_images", "imageDetails", size, repositoryName=name, filter=_chosen(tagged, status))
            ),
            lambda: self.model.describe_images(name, tagged, status),
        )

    def describe_named(self, name: str, wanted: list[dict[str, str]]) -> None:
        self._same(
            lambda: self._shown(name, self.client.describe_images(repositoryName=name, imageIds=wanted)),
            lambda: self.model.describe_named(name, wanted),
        )

    def _shown(self, name: str, told: dict[str, Any]) -> dict[str, Any]:
        """Details of images with times reduced to whether they are there; pulls are recorded a moment later, so not compared."""
        for detail in told["imageDetails"]:
            detail.pop("lastRecordedPullTime", None)
            for member in ("imagePushedAt", "lastArchivedAt", "lastActivatedAt"):
                if member in detail:
                    detail[member] = True
        return told

    def _walked(self, method: str, member: str, size: int | None, **arguments: Any) -> dict[str, Any]:
        if size is None:
            return dict(getattr(self.client, method)(**arguments))
        pages = self.client.get_paginator(method).paginate(**arguments, PaginationConfig={"PageSize": size})
        items: list[Any] = []
        for page in pages:
            assert len(page[member]) <= size
            items += page[member]
        return {member: items}

    def referrers(self, name: str, subject: str, types: list[str], status: str) -> None:
        chosen = {"artifactStatus": status} | ({"artifactTypes": types} if types else {})
        self._same(
            lambda: self.client.list_image_referrers(repositoryName=name, subjectId={"imageDigest": subject}, filter=chosen),
            lambda: self.model.referrers(name, subject, types, status),
        )

    def move(self, name: str, wanted: dict[str, str], target: str) -> None:
        self._same(
            lambda: self.client.update_image_storage_class(repositoryName=name, imageId=wanted, targetStorageClass=target),
            lambda: self.model.move(name, wanted, target),
        )

    # Everything.

    def compare_all(self, names: list[str] | None = None) -> None:
        """All state that is told, of all repositories or of some; others may have more."""
        if names is None or names:
            self.describe(names)
        for name in sorted(self.model.repositories):
            self.list_tags(name)
            self.get_policy(name, delete=False)
            self.get_lifecycle(name, delete=False)
            self.describe_images(name, "ANY", "ANY", None)
            self.list_images(name, "ANY", "ANY", 2)
            self.check_layers(name, sorted(blobs()))
            self.referrers(name, things()["lone"].digest, [], "ANY")


def agreement_in(server: MoorageServer, key: KeyPair) -> Agreement:
    """An agreement about an account that has no repositories."""
    client = make_client(server.endpoint, "ecr", key, parameter_validation=False)
    made = client.create_repository(repositoryName="probe")["repository"]["repositoryUri"]
    client.delete_repository(repositoryName="probe")
    return Agreement(client, Registry(key.account_id, made.removesuffix("/probe")))


def _given(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _filters(filters: tuple[str, ...] | None) -> dict[str, Any]:
    return {} if filters is None else {"imageTagMutabilityExclusionFilters": shown_filters(filters)}


def _pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _chosen(tagged: str, status: str) -> dict[str, str]:
    return {"tagStatus": tagged, "imageStatus": status}


def _plain(told: Any) -> Any:
    """An answer without what belongs to the request alone, and without times."""
    if isinstance(told, dict):
        skipped = TIMES | {"ResponseMetadata"}
        return {name: _plain(value) for name, value in told.items() if name not in skipped}
    return [_plain(item) for item in told] if isinstance(told, list) else told


def _sorted(told: Any) -> Any:
    """Lists of an answer in an order of their own: for batches, whose order nobody documents."""
    if isinstance(told, dict):
        return {name: _sorted(value) for name, value in told.items()}
    if isinstance(told, list):
        return sorted((_sorted(item) for item in told), key=lambda item: json.dumps(item, sort_keys=True))
    return told
