"""Our webhook's address in YCLIENTS's settings."""
