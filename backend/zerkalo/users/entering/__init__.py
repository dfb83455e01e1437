"""Signing in by a code sent to a contact, and creating an account that way."""
