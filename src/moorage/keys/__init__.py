"""Keys that seal other keys: the root key, a key per registry, a data key per object."""
