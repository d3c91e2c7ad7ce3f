"""Where bytes lie: a flat map from opaque keys to immutable objects, and the sealing around it."""
