"""Bookings made through our form, one row each: the user, YCLIENTS's record, and the outcome."""
