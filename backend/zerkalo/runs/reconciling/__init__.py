"""One run of one company, carried to its end."""
