"""Repositories, and what is set for each: policy, lifecycle, tags, templates."""
