"""Use cases of public registries that private ones do not have."""
