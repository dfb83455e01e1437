"""Bookings made through our form, one row each: who wanted which record of YCLIENTS, and what became of it."""
