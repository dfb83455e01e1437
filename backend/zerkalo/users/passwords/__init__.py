"""A new password, by the old one or by a code that was sent to a proved contact."""
