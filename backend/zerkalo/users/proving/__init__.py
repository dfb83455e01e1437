"""Proving a contact by a code, and setting a new password by a proved one."""
