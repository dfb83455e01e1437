"""Bookings whose record YCLIENTS does not know (404): few are cancelled at once, many wait for a person's confirmation."""
