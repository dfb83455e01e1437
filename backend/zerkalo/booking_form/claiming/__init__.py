"""Linking a booking made in YCLIENTS's own form to a user."""
