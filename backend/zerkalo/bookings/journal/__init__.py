"""The staff's search over all bookings, by day, person, state and text, and the history of one booking. Reads only."""
