"""Every limit with its source. Units are in the names; all are those of ECR unless stated."""

from __future__ import annotations

MIB = 1024 * 1024

MANIFEST_BYTES = 4 * MIB
"""ECR quota; OCI distribution-spec asks for at least this much."""
LAYER_BYTES = 52_000 * MIB
"""ECR quota "layer size"."""
UPLOAD_PARTS = 4_200
"""ECR quota "layer parts"; also bounds the segments that a client of many small PATCHes may leave."""
PART_BYTES_MIN = 5 * MIB
PART_BYTES_ADVISED = 10 * MIB
"""What InitiateLayerUpload answers as `partSize`."""
DESCRIPTORS_PER_MANIFEST = 1_000
"""Ours: layers of an image, or children of an index."""
TAGS_PER_IMAGE = 1_000
IMAGES_PER_REPOSITORY = 100_000
REPOSITORIES_PER_REGISTRY = 100_000
RESOURCE_TAGS = 50
PUBLIC_LAYER_BYTES = 10_000 * MIB
PUBLIC_UPLOAD_PARTS = 1_000
PUBLIC_REPOSITORIES_PER_REGISTRY = 10_000
"""ECR Public quotas, where they differ from those of private registries."""
PUBLIC_ALIASES_PER_REGISTRY = 10
"""Ours: a registry's own aliases, the default one not counted."""
ANONYMOUS_TOKEN_SECONDS = 3600
"""Ours: life of a token that nobody in particular asked for; it grants what its absence would."""
TOKEN_SECONDS = 12 * 3600
"""Life of an authorization token."""
PAGE_DEFAULT, PAGE_MAX = 100, 1_000
UPLOAD_LIFE_SECONDS = 24 * 3600
"""Ours: an upload without progress for this long is swept."""
UPLOAD_LEASE_SECONDS = 10
"""Ours: how long a request may hold an upload without moving a byte."""
BLOB_GRACE_SECONDS = 24 * 3600
"""Ours: a blob that no manifest names is kept this long, so that a push in progress finds what it uploaded."""
DOOM_SECONDS = 900
"""Ours: bytes outlive their last reference this long, for transfers that have begun. Links to our own blob route are checked
when they are used, so they need no longer."""
EXCLUSION_FILTER_STARS = 2
REPLICATION_DESTINATIONS = 25
"""ECR quota: unique ones over all rules."""
RUNNING_BACKFILLS = 10
PULL_THROUGH_RULES = 50
CREATION_TEMPLATES = 50
"""ECR quota."""
PULL_TIME_EXCLUSIONS = 100
