"""The webhook's address, kept at YCLIENTS."""
