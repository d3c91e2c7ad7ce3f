"""Pull-through cache: its rules."""
