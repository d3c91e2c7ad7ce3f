"""Files of our own that a crash must leave whole."""
