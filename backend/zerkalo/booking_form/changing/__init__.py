"""Moving and cancelling a booking in YCLIENTS itself."""
