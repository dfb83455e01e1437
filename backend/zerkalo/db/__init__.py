"""Database access: which database is in use, the pool, transactions, migrations, backups.

`schema.sql` has every table. Contains no domain logic; everything above `db` in the import layers may import it.
SQLAlchemy is imported only by the migrations (Alembic needs it), never by a serving process.
"""
