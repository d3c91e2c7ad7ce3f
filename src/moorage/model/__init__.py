"""Values of the field: frozen, validated once at the edge, no I/O, no framework."""
