"""The database ground: which database is in use, the pool, transactions, migrations, backups.

`schema.sql` shows every table on one page. Knows no domain; everything above `db` in the import layers may
import it. SQLAlchemy is imported only by the migrations (Alembic needs it), never by a serving process.
"""
