"""SQL is the system of record: one schema, one set of operations, SQLite and PostgreSQL alike. Nothing else touches SQL."""
