"""What happened to a booking: its history, told by what changed."""
