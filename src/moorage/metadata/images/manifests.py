"""Queries over manifests: their rows, their bytes, the edges to blobs and children, referrers, pulls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import and_, bindparam, case, delete, exists, func, literal_column, or_, select, true, tuple_

from moorage.metadata.records import Image, Payload
from moorage.metadata.statements import Statement
from moorage.metadata.tables.images import (
    manifest_blobs,
    manifest_children,
    manifest_payloads,
    manifest_pulls,
    manifests,
    tags,
)
from moorage.metadata.tables.settings import image_replications
from moorage.metadata.transaction import ReadTransaction, Row, Transaction
from moorage.metadata.types import among
from moorage.model.digest import Digest
from moorage.model.manifest import Manifest

_m = manifests.c
COLUMNS = (
    _m.id, _m.digest, _m.media_type, _m.artifact_type, _m.config_media_type, _m.subject_digest, _m.annotations, _m.size_bytes,
    _m.image_size_bytes, _m.pushed_at, _m.archived, _m.last_archived_at, _m.last_activated_at,
)  # fmt: skip
HERE = _m.repository_id == bindparam("repository")
_PAYLOAD = (manifest_payloads.c.sealed, manifest_payloads.c.wrapped_key)
_TAGGED = exists().where(tags.c.manifest_id == _m.id)

_BY_DIGEST = Statement(lambda _: select(*COLUMNS).where(HERE, _m.digest == bindparam("digest")))
_BY_TAG = Statement(
    lambda _: (
        select(*COLUMNS)
        .join(tags, tags.c.manifest_id == _m.id)
        .where(tags.c.repository_id == bindparam("repository"), tags.c.name == bindparam("tag"))
    )
)
_PAYLOAD_OF = Statement(lambda _: select(*_PAYLOAD).where(manifest_payloads.c.manifest_id == bindparam("manifest")))
_LOCK = Statement(lambda _: select(*COLUMNS).where(HERE, _m.digest == bindparam("digest")).with_for_update())
# Against a delete and nothing else: other pushes keep the same image, and tags refer to it.
_KEEP = Statement(
    lambda _: select(*COLUMNS).where(HERE, _m.digest == bindparam("digest")).with_for_update(read=True, key_share=True)
)
_HOLD_TAGS = Statement(lambda _: select(_m.id).where(_m.id == bindparam("manifest")).with_for_update(key_share=True))
_PRESENT = Statement(lambda _: select(_m.digest, _m.image_size_bytes).where(HERE, among(_m.digest, "digests")))
_COUNT = Statement(lambda _: select(func.count()).select_from(manifests).where(HERE))
_INSERT = Statement(
    lambda insert: (
        insert(manifests)
        .values(
            repository_id=bindparam("repository"),
            digest=bindparam("digest"),
            media_type=bindparam("media_type"),
            artifact_type=bindparam("artifact_type"),
            config_media_type=bindparam("config_media_type"),
            subject_digest=bindparam("subject"),
            annotations=bindparam("annotations"),
            size_bytes=bindparam("size"),
            image_size_bytes=bindparam("image_size"),
            pushed_at=bindparam("now"),
            pushed_by=bindparam("pushed_by"),
        )
        .on_conflict_do_nothing()
        .returning(_m.id)
    )
)
_INSERT_PAYLOAD = Statement(
    lambda insert: insert(manifest_payloads).values(
        manifest_id=bindparam("manifest"), sealed=bindparam("sealed"), wrapped_key=bindparam("wrapped_key")
    )
)
_INSERT_BLOB = Statement(
    lambda insert: insert(manifest_blobs).values(
        manifest_id=bindparam("manifest"),
        position=bindparam("position"),
        repository_id=bindparam("repository"),
        digest=bindparam("digest"),
        role=bindparam("role"),
        media_type=bindparam("media_type"),
        size_bytes=bindparam("size"),
    )
)
_INSERT_CHILD = Statement(
    lambda insert: insert(manifest_children).values(
        parent_id=bindparam("manifest"),
        position=bindparam("position"),
        repository_id=bindparam("repository"),
        digest=bindparam("digest"),
    )
)
_PARENTS = Statement(
    lambda _: (
        select(_m.digest)
        .distinct()
        .join(manifest_children, manifest_children.c.parent_id == _m.id)
        .where(manifest_children.c.repository_id == bindparam("repository"), manifest_children.c.digest == bindparam("digest"))
        .order_by(_m.digest)
    )
)
_BLOBS_OF = Statement(
    lambda _: select(manifest_blobs.c.digest).distinct().where(manifest_blobs.c.manifest_id == bindparam("manifest"))
)
_BLOB_NAMED = Statement(
    lambda _: (
        select(manifest_blobs.c.media_type)
        .where(manifest_blobs.c.repository_id == bindparam("repository"), manifest_blobs.c.digest == bindparam("digest"))
        .limit(1)
    )
)
_CURSOR = tuple_(_m.pushed_at, _m.digest) < tuple_(bindparam("before"), bindparam("before_digest"))


def _page(*conditions: Any) -> Any:
    return (
        select(*COLUMNS)
        .where(HERE, _CURSOR, *conditions)
        .order_by(_m.pushed_at.desc(), _m.digest.desc())
        .limit(bindparam("count"))
    )


_IS_TAGGED = {"ANY": true(), "TAGGED": _TAGGED, "UNTAGGED": ~_TAGGED}
NOT_ARCHIVED, _ACTIVATED = _m.archived == literal_column("0"), _m.last_activated_at <= bindparam("now")
IS_ACTIVE = and_(NOT_ARCHIVED, or_(_m.last_activated_at.is_(None), _ACTIVATED))
"""What can be pulled at ``:now``."""
_IS_IN = {
    "ANY": true(),
    "ACTIVE": IS_ACTIVE,
    "ARCHIVED": ~NOT_ARCHIVED,
    "ACTIVATING": and_(NOT_ARCHIVED, ~_ACTIVATED),
}
_PAGES = {
    (tagged, status): Statement(partial(lambda conditions, _: _page(*conditions), (_IS_TAGGED[tagged], _IS_IN[status])))
    for tagged in _IS_TAGGED
    for status in _IS_IN
}


def _referrers(*conditions: Any) -> Any:
    return (
        select(*COLUMNS)
        .where(HERE, _m.subject_digest == bindparam("subject"), _m.id > bindparam("after"), *conditions)
        .order_by(_m.id)
        .limit(bindparam("count"))
    )


_REFERRERS = {
    (of_type, status): Statement(
        partial(
            lambda conditions, _: _referrers(*conditions),
            (_IS_IN[status], among(_m.artifact_type, "artifact_types") if of_type else true()),
        )
    )
    for of_type in (False, True)
    for status in _IS_IN
}
_DELETE = tuple(
    Statement(build)
    for build in (
        lambda _: delete(image_replications).where(image_replications.c.manifest_id == bindparam("manifest")),
        lambda _: delete(manifest_pulls).where(manifest_pulls.c.manifest_id == bindparam("manifest")),
        lambda _: delete(manifest_payloads).where(manifest_payloads.c.manifest_id == bindparam("manifest")),
        lambda _: delete(manifest_blobs).where(manifest_blobs.c.manifest_id == bindparam("manifest")),
        lambda _: delete(manifest_children).where(manifest_children.c.parent_id == bindparam("manifest")),
        lambda _: delete(manifests).where(_m.id == bindparam("manifest")),
    )
)
# No index has this order: the tags of one repository are sorted for each page, which only this list costs anything.
_NEWEST_TAGS = Statement(
    lambda _: (
        select(tags.c.name, tags.c.tagged_at, *COLUMNS)
        .join(tags, tags.c.manifest_id == _m.id)
        .where(
            tags.c.repository_id == bindparam("repository"),
            or_(
                tags.c.tagged_at < bindparam("before"),
                and_(tags.c.tagged_at == bindparam("before"), tags.c.name > bindparam("after")),
            ),
        )
        .order_by(tags.c.tagged_at.desc(), tags.c.name)
        .limit(bindparam("count"))
    )
)
_ANY = Statement(lambda _: select(_m.id).where(HERE).order_by(_m.pushed_at).limit(bindparam("count")))
_PULLS = Statement(
    lambda _: select(manifest_pulls.c.manifest_id, manifest_pulls.c.last_pulled_at).where(
        among(manifest_pulls.c.manifest_id, "ids", "bigint")
    )
)
_COUNT_PULL = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["manifest_id"],
            set_={
                "last_pulled_at": case(
                    (it.excluded.last_pulled_at > manifest_pulls.c.last_pulled_at, it.excluded.last_pulled_at),
                    else_=manifest_pulls.c.last_pulled_at,
                ),
                "pulls": manifest_pulls.c.pulls + it.excluded.pulls,
            },
        )
    )(
        insert(manifest_pulls).from_select(
            ["manifest_id", "last_pulled_at", "pulls"],
            # Locked, because a manifest that is deleted at this moment would be seen here and missed by the foreign key.
            select(_m.id, bindparam("at", type_=_m.pushed_at.type), bindparam("pulls", type_=_m.pushed_at.type))
            .where(_m.id == bindparam("manifest"))
            .with_for_update(read=True, key_share=True),
        )
    )
)


def image(row: Row) -> Image:
    """An Image from a row of `COLUMNS`."""
    return Image(*row[: len(COLUMNS)])


def find_by_digest(tx: ReadTransaction, repository_id: int, digest: str) -> Image | None:
    """An image by digest."""
    row = tx.first(_BY_DIGEST, repository=repository_id, digest=digest)
    return image(row) if row else None


def find_by_tag(tx: ReadTransaction, repository_id: int, tag: str) -> Image | None:
    """The image that a tag points to now."""
    row = tx.first(_BY_TAG, repository=repository_id, tag=tag)
    return image(row) if row else None


def payload_of(tx: ReadTransaction, manifest_id: int) -> Payload | None:
    """The sealed bytes of a manifest; None if it has gone meanwhile."""
    row = tx.first(_PAYLOAD_OF, manifest=manifest_id)
    return Payload(bytes(row[0]), bytes(row[1])) if row else None


def lock(tx: Transaction, repository_id: int, digest: str) -> Image | None:
    """`find_by_digest`, holding the row."""
    row = tx.first(_LOCK, repository=repository_id, digest=digest)
    return image(row) if row else None


def keep(tx: Transaction, repository_id: int, digest: str) -> Image | None:
    """`find_by_digest`, kept from being deleted before this transaction ends. Before tags: one that is set keeps it too."""
    row = tx.first(_KEEP, repository=repository_id, digest=digest)
    return image(row) if row else None


def hold_tags(tx: Transaction, manifest_id: int) -> None:
    """Let those who point tags at a manifest do so one after the other, as far as they ask."""
    tx.first(_HOLD_TAGS, manifest=manifest_id)


def present(tx: ReadTransaction, repository_id: int, digests: list[str]) -> dict[str, int]:
    """Those of `digests` that are images of the repository, with their image sizes."""
    return {row[0]: row[1] for row in tx.all(_PRESENT, repository=repository_id, digests=digests)} if digests else {}


def count_in(tx: ReadTransaction, repository_id: int) -> int:
    """How many images a repository has."""
    row = tx.first(_COUNT, repository=repository_id)
    assert row is not None
    return int(row[0])


def insert(
    tx: Transaction,
    repository_id: int,
    digest: Digest,
    manifest: Manifest,
    *,
    annotations: str,
    size_bytes: int,
    image_size_bytes: int,
    pushed_by: str,
    sealed: bytes,
    wrapped_key: bytes,
) -> int | None:
    """Add a manifest, its bytes and its edges; None if another transaction was first. Returns the new id."""
    row = tx.first(
        _INSERT,
        repository=repository_id,
        digest=digest,
        media_type=manifest.media_type,
        artifact_type=manifest.artifact_type,
        config_media_type=manifest.config.media_type if manifest.config else None,
        subject=manifest.subject,
        annotations=annotations,
        size=size_bytes,
        image_size=image_size_bytes,
        now=tx.now,
        pushed_by=pushed_by,
    )
    if row is None:
        return None
    manifest_id = int(row[0])
    tx.run(_INSERT_PAYLOAD, manifest=manifest_id, sealed=sealed, wrapped_key=wrapped_key)
    tx.run_many(
        _INSERT_BLOB,
        (
            {
                "manifest": manifest_id,
                "position": position,
                "repository": repository_id,
                "digest": blob.digest,
                "role": "config" if position == 0 else "layer",
                "media_type": blob.media_type,
                "size": blob.size,
            }
            for position, blob in enumerate(manifest.blobs)
            if blob.must_exist
        ),
    )
    tx.run_many(
        _INSERT_CHILD,
        (
            {"manifest": manifest_id, "position": position, "repository": repository_id, "digest": child.digest}
            for position, child in enumerate(manifest.children)
        ),
    )
    return manifest_id


def remove(tx: Transaction, manifest_id: int) -> None:
    """Delete a manifest, its bytes, its edges and its pull record. Its tags must be gone."""
    for statement in _DELETE:
        tx.run(statement, manifest=manifest_id)


def some_ids(tx: ReadTransaction, repository_id: int, count: int) -> list[int]:
    """At most `count` manifests of a repository, for purging it in batches."""
    return [row[0] for row in tx.all(_ANY, repository=repository_id, count=count)]


def parents_of(tx: ReadTransaction, repository_id: int, digest: str) -> list[str]:
    """Digests of the indexes that name an image."""
    return [row[0] for row in tx.all(_PARENTS, repository=repository_id, digest=digest)]


def blobs_of(tx: ReadTransaction, manifest_id: int) -> list[str]:
    """Digests of config and layers."""
    return [row[0] for row in tx.all(_BLOBS_OF, manifest=manifest_id)]


def media_type_of_blob(tx: ReadTransaction, repository_id: int, digest: str) -> str | None:
    """What some manifest of the repository calls a blob; None if none names it."""
    row = tx.first(_BLOB_NAMED, repository=repository_id, digest=digest)
    return str(row[0]) if row else None


def list_page(
    tx: ReadTransaction, repository_id: int, tag_status: str, image_status: str, before: tuple[int, str], count: int
) -> list[Image]:
    """At most `count` images that come after `before` (pushed_at, digest), newest first.

    Args:
        tag_status: ANY, TAGGED or UNTAGGED.
        image_status: ANY, ACTIVE, ARCHIVED or ACTIVATING.
    """
    rows = tx.all(
        _PAGES[tag_status, image_status],
        repository=repository_id,
        before=before[0],
        before_digest=before[1],
        count=count,
        **_now(tx, image_status),
    )
    return [image(row) for row in rows]


def _now(tx: ReadTransaction, image_status: str) -> dict[str, int]:
    """The parameter that only those statements have which ask whether an image is active."""
    return {"now": tx.now} if image_status in {"ACTIVE", "ACTIVATING"} else {}


def newest_tags(tx: ReadTransaction, repository_id: int, after: tuple[int, str], count: int) -> list[tuple[str, int, Image]]:
    """At most `count` tags, the one set last first, that come after `after` (time, name); each with its time and its image."""
    before, name = after
    rows = tx.all(_NEWEST_TAGS, repository=repository_id, before=before, after=name, count=count)
    return [(row[0], row[1], image(row[2:])) for row in rows]


def referrers(
    tx: ReadTransaction,
    repository_id: int,
    subject: str,
    artifact_types: Sequence[str],
    image_status: str,
    after: int,
    count: int,
) -> list[Image]:
    """At most `count` manifests whose subject is `subject`, in order of arrival, after the one with id `after`.

    Args:
        artifact_types: any of these; none: of every type.
        image_status: ANY, ACTIVE, ARCHIVED or ACTIVATING.
    """
    parameters: dict[str, Any] = {"artifact_types": list(artifact_types)} if artifact_types else {}
    rows = tx.all(
        _REFERRERS[bool(artifact_types), image_status],
        repository=repository_id,
        subject=subject,
        after=after,
        count=count,
        **parameters,
        **_now(tx, image_status),
    )
    return [image(row) for row in rows]


def last_pulls(tx: ReadTransaction, manifest_ids: list[int]) -> dict[int, int]:
    """When manifests were last pulled, where they were."""
    return {row[0]: row[1] for row in tx.all(_PULLS, ids=manifest_ids) if row[1]} if manifest_ids else {}


def count_pulls(tx: Transaction, manifest_id: int, at: int, pulls: int) -> None:
    """Add to a manifest's pulls; no effect if it is gone."""
    tx.run(_COUNT_PULL, manifest=manifest_id, at=at, pulls=pulls)
