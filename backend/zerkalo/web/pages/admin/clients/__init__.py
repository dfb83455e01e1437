"""Clients at the desk: YCLIENTS's cards, correcting and merging accounts, who has not come for long."""
