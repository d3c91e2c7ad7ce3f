"""Everything that is SQL, for SQLite and PostgreSQL alike."""
