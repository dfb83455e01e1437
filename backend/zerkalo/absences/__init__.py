"""Records of bookings that YCLIENTS says it does not know (404): cancelled at once where few, left to a person where many."""
