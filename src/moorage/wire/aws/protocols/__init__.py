"""The AWS wire protocols, both directions, driven by shapes."""
