"""One random operation on a registry: what is chosen comes from outside, so that hypothesis or a seeded source can choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from tests.integration.agreement.client import Agreement
from tests.integration.agreement.things import ABSENT, BAD_POLICY, FILTERS, LIFECYCLES, MODES, POLICIES, TAGS, blobs, things

T = TypeVar("T")


class Pick(Protocol):
    """Takes one of several."""

    def __call__(self, options: Sequence[T], /) -> T:
        """One of `options`."""


STATUSES, ARCHIVAL = ("ANY", "TAGGED", "UNTAGGED"), ("ACTIVE", "ARCHIVED", "ACTIVATING", "ANY")
RESOURCE_TAGS: tuple[dict[str, str], ...] = ({}, {"team": "red"}, {"team": "blue", "Größe": "1 m"}, {"aws:x": "y"})


class Choices:
    """Operations on repositories of some names."""

    def __init__(self, agreement: Agreement, names: Sequence[str], pick: Pick) -> None:
        self.to, self.names, self.pick = agreement, names, pick

    def begin(self) -> None:
        """Repositories with what images need, and some images in the first."""
        self.to.create(self.names[0], None, None, {})
        self.to.create(self.names[1], "IMMUTABLE_WITH_EXCLUSION", ("v*",), {"team": "red"})
        for name in self.names:
            self.to.upload_all(name)
        for thing, tag in (("first", "v1"), ("second", None), ("both", "latest"), ("lone", "rel-1"), ("sbom", None)):
            self.to.put(self.names[0], things()[thing], tag, None)

    def name(self) -> str:
        return self.pick((self.names[0], *self.names))

    def thing(self) -> str:
        return self.pick(sorted(things()))

    def image_id(self, name: str) -> dict[str, str]:
        """Mostly of an image that is there, by digest, by tag or by both; at times of another, or of none."""
        repository = self.to.model.repositories.get(name)
        held = {image.thing.digest: image.tags for image in repository.images} if repository is not None else {}
        is_there = self.pick((True, True, True, False)) and bool(held)
        if is_there:
            chosen = self.pick(sorted(held))
            digest = {"imageDigest": chosen}
            if not held[chosen]:
                return digest
            tag = {"imageTag": self.pick(held[chosen])}
            return self.pick((digest, tag, tag, digest | tag, tag | {"imageDigest": ABSENT}))
        digest, tag = {"imageDigest": things()[self.thing()].digest}, {"imageTag": self.pick(TAGS)}
        return self.pick((digest, tag, digest | tag, {"imageDigest": ABSENT}, {"imageTag": "nowhere"}))

    def image_ids(self, name: str) -> list[dict[str, str]]:
        made = [self.image_id(name) for _ in range(self.pick((1, 1, 2, 3, 4)))]
        return made + [{}] * self.pick((0, 0, 0, 1))

    def create(self) -> None:
        mode = self.pick((None, *MODES))
        fitting = ("rel-*",) if mode is not None and mode.endswith("_WITH_EXCLUSION") else None
        self.to.create(self.name(), mode, self.pick((fitting, fitting, fitting, *FILTERS)), self.pick(RESOURCE_TAGS))

    def delete(self) -> None:
        self.to.delete(self.name(), force=self.pick((False,) * 7 + (True,)))

    def describe(self) -> None:
        self.to.describe(self.pick(([*self.names], [self.name()], [self.name(), self.name()])))

    def put_mutability(self) -> None:
        self.to.put_mutability(self.name(), self.pick(MODES), self.pick(FILTERS))

    def settings(self) -> None:
        name = self.name()
        match self.pick(range(9)):
            case 0:
                self.to.put_scanning(name, on=self.pick((True, False)))
            case 1:
                self.to.tag(name, self.pick(RESOURCE_TAGS[1:3]))
            case 2:
                self.to.untag(name, [self.pick(("team", "Größe", "nothing"))])
            case 3:
                self.to.list_tags(name)
            case 4:
                self.to.set_policy(name, self.pick((*POLICIES, BAD_POLICY)))
            case 5:
                self.to.get_policy(name, delete=self.pick((False, True)))
            case 6:
                self.to.put_lifecycle(name, self.pick(LIFECYCLES))
            case 7:
                self.to.get_lifecycle(name, delete=self.pick((False, True)))
            case _:
                self.to.describe([name])

    def upload(self) -> None:
        self.to.upload(self.name(), self.pick(sorted(blobs())))

    def layers(self) -> None:
        name = self.name()
        self.to.check_layers(name, [self.pick((*sorted(blobs()), ABSENT)) for _ in range(3)])
        self.to.download(name, self.pick((*sorted(blobs()), ABSENT)))

    def put(self) -> None:
        thing = things()[self.thing()]
        claimed = self.pick((None, None, None, thing.digest, ABSENT))
        self.to.put(self.name(), thing, self.pick((None, *TAGS)), claimed)

    def put_with_all_it_needs(self) -> None:
        name, thing = self.name(), things()[self.thing()]
        for needed in (*(each for each in things().values() if each.digest in thing.children), thing):
            for digest in needed.blobs:
                self.to.upload(name, digest)
            self.to.put(name, needed, self.pick((None, *TAGS)) if needed is thing else None, None)

    def read_images(self) -> None:
        name = self.name()
        size = self.pick((None, 1, 2, 3))
        match self.pick(range(5)):
            case 0:
                self.to.get_images(name, self.image_ids(name))
            case 1:
                self.to.list_images(name, self.pick(STATUSES), self.pick(ARCHIVAL), size)
            case 2:
                self.to.describe_images(name, self.pick(STATUSES), self.pick(ARCHIVAL), size)
            case 3:
                self.to.describe_named(name, self.pick(([self.image_id(name)], self.image_ids(name))))
            case _:
                types = self.pick(([], ["application/spdx+json"], ["application/x-proof", "application/x-none"]))
                self.to.referrers(name, things()[self.pick(("lone", "first"))].digest, types, self.pick(ARCHIVAL))

    def delete_images(self) -> None:
        name = self.name()
        self.to.delete_images(name, self.image_ids(name))

    def move(self) -> None:
        name = self.name()
        self.to.move(name, self.image_id(name), self.pick(("ARCHIVE", "ARCHIVE", "STANDARD")))

    def any(self) -> None:
        """One of all, the more telling ones more often."""
        weighted = (
            *([self.put] * 5), *([self.put_with_all_it_needs] * 3), *([self.read_images] * 5), *([self.delete_images] * 2),
            *([self.move] * 2), *([self.settings] * 3), *([self.create] * 2), self.delete, self.describe, self.put_mutability,
            self.upload, self.layers,
        )  # fmt: skip
        self.pick(weighted)()
