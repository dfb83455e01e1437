"""Bookings for people to read: one's own, one's calendar, unmatched ones."""
