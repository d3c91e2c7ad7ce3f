"""Tests of pure or self-contained packages."""
