"""Setting a new password, by the old one or by a code sent to a proved contact."""
