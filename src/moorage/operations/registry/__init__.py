"""What is set for a whole registry, and its authorization tokens."""
