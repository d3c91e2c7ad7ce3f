"""Tests of moorage.transfer."""
