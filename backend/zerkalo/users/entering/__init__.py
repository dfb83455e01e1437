"""Signing in by a contact and a code that is sent there, and an account for whoever has none yet."""
