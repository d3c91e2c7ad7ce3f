"""Tests of parts that work together for real: sockets, databases, files."""
