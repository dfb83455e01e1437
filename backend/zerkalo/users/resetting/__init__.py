"""A new password by a code that was sent to a proved contact."""
