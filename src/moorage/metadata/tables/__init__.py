"""The schema, one module per subject; importing this package fills `schema.metadata`."""

from moorage.metadata.tables import (
    answers,
    blobs,
    identity,
    images,
    jobs,
    lifecycle,
    public,
    rates,
    registries,
    settings,
    uploads,
)

__all__ = ["answers", "blobs", "identity", "images", "jobs", "lifecycle", "public", "rates", "registries", "settings", "uploads"]
