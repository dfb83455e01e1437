"""The inbox for the salon's desk: lists without bodies, and single calls with their body."""
