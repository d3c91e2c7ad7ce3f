"""The door of effects, seen from outside: what the tables say against what was sent."""
