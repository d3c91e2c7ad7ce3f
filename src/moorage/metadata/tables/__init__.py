"""The schema, one module per subject."""
