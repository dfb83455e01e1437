"""What YCLIENTS shows as JSON."""
