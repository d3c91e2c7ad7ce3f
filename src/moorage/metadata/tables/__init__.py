"""The schema, one module per subject; importing this package fills `schema.metadata`."""

from moorage.metadata.tables import blobs, identity, images, lifecycle, public, rates, registries, settings, uploads

__all__ = ["blobs", "identity", "images", "lifecycle", "public", "rates", "registries", "settings", "uploads"]
