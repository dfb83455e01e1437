"""The figures of `/metrics` that stand in the tables: the same from whichever process is asked, and cheap to read."""
