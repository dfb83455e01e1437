"""A booking made in YCLIENTS's own form becomes the user's."""
