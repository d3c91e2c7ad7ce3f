"""The benchmark: Moorage beside its peers, on one machine, in one run."""
