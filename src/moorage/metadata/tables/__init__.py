"""The schema, one module per subject; importing this package fills `schema.metadata`."""

from moorage.metadata.tables import blobs, images, registries, uploads

__all__ = ["blobs", "images", "registries", "uploads"]
