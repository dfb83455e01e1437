"""Proving a contact by a code."""
