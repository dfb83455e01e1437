"""The inbox as the salon's desk reads it: lists without bodies, and one call whole."""
