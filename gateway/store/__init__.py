"""SQL is the system of record: one schema, one set of operations, for SQLite and PostgreSQL alike. SQL is here only."""
