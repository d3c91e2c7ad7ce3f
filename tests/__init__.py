"""The tests of moorage."""
