"""Manifests, tags, blobs, uploads and pulls: what repositories hold."""
