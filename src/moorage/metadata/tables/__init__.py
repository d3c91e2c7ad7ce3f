"""The schema, one module per subject; importing this package fills `schema.metadata`."""

from moorage.metadata.tables import blobs, identity, images, jobs, lifecycle, public, rates, registries, settings, uploads

__all__ = ["blobs", "identity", "images", "jobs", "lifecycle", "public", "rates", "registries", "settings", "uploads"]
