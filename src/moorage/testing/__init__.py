"""Shipped test support: contract suites, real servers, image builders."""
