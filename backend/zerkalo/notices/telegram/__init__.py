"""A bot of the salon: a client connects by a link with a one-time code; a group of the salon's hears what goes wrong."""
