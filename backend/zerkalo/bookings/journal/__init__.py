"""Every booking as the salon's staff look for it: by day, person, state and text; and what happened to one. Reads only."""
