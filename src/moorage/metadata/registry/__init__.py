"""Registries, their repositories, and what is set for either."""
