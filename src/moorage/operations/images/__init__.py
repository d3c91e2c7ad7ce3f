"""Push, pull, list and remove images; layers and uploads; storage classes; what sweeps collect."""
