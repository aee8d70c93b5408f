"""Storage: one schema on SQLite and PostgreSQL, group commit, migrations, the data folder."""
