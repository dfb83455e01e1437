"""A client at the desk beside the account itself: YCLIENTS's cards, correcting, merging, who has not come for long."""
