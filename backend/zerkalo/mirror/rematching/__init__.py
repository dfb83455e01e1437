"""Matching bookings anew: when a user, a card or an admin's word has changed whose they are. `mirror.service` has one."""
