"""Lifecycle policies of repositories: their text, and what it says about images. Pure: no I/O, no clock."""
